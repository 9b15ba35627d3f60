"""What a lead sees before approving a declared action: each object that would be made, changed, run or removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from chatops.adapters.configuration import load
from chatops.kernel.catalog import Allowed
from chatops.kernel.cel.render import rendered
from chatops.kernel.declaration import Declaration, DeclaredInput, DeclaredJob, DeclaredStep
from chatops.kernel.errors import InputError, Invalid
from chatops.kernel.plan import Decision, Plan, digest
from commands.declared import action_of
from tests.config.acme import ACTIONS, acme
from tests.declared.desk import NOON, Desk, doing, ref, shown
from tests.declared.samples import DATABASE, applying, config_map
from tests.support.acme_cluster import ACME, STAGING

pytestmark = pytest.mark.asyncio(loop_scope="module")
DB = "Cluster.postgresql.cnpg.io/checkout-db"
ALLOW = Decision(outcome="allow")
SIZE = DeclaredInput(name="size", type="integer", default=1)


def bound(plan: Plan) -> str:
    return digest("thing.make", {}, plan, ALLOW)


async def test_the_example_of_the_issue_shows_what_it_would_make(desk: Desk) -> None:
    plan = await desk.plan(DATABASE, size="medium", environment="production")
    assert plan.summary == "checkout-db"
    assert plan.impact == f"makes {DB}"
    assert plan.on_failure == "what was made is undone backwards"
    assert shown(plan) == {
        f"{DB} metadata.name": (None, "checkout-db"),
        f"{DB} spec.instances": (None, 2),
        f"{DB} spec.storage.size": (None, "50Gi"),
    }
    assert (plan.expires, plan.risk, plan.warnings) == (30 * 86400.0, "", ())
    assert plan.outputs == {"host": "checkout-db-rw.shop"}
    assert (plan.writes, plan.watch, plan.undo) == ((), (), ())


async def test_each_step_says_what_it_does_and_how_it_is_undone(desk: Desk) -> None:
    plan = await desk.plan(DATABASE, environment="production")
    apply, wait = plan.steps
    assert (apply.title, apply.created) == (f"apply {DB}", (DB,))
    (write,) = apply.writes
    assert write.manager == "chatops-database-create"
    assert write.ref == ref("Cluster", "checkout-db", "postgresql.cnpg.io/v1", "shop")
    assert write.body["spec"] == {"instances": 2, "storage": {"size": "10Gi"}}
    assert write.resource_version == ""
    (undo,) = apply.undo
    assert (undo.kind, undo.refs, undo.uids) == ("remove", (write.ref,), {})
    assert (wait.title, wait.refs) == (f"wait for {DB}", (write.ref,))
    assert wait.until == "object.status.readyInstances == inputs.replicas"


async def test_nothing_is_changed_by_planning(desk: Desk) -> None:
    before = desk.cluster.store.version
    await desk.plan(DATABASE)
    assert desk.cluster.store.version == before


async def test_a_rule_that_is_not_fulfilled_is_said_with_its_field(desk: Desk) -> None:
    with pytest.raises(InputError) as no:
        await desk.plan(DATABASE, environment="production", replicas=1)
    assert (no.value.message, no.value.field) == ("Production needs at least two replicas.", "replicas")
    await desk.plan(DATABASE, environment="staging", replicas=1)


async def test_planned_again_it_is_the_same_plan(desk: Desk) -> None:
    job = DeclaredStep(kind="job", name="load", job=DeclaredJob(image="loader:1", command=("load", "${string(now)}")))
    declaration = doing(applying(config_map("stamp", {"at": "${now}"})), job)
    first = await desk.plan(declaration)
    later = NOON.replace(hour=15)
    again = await desk.plan(declaration, frozen=first.frozen, now=later)
    assert bound(again) == bound(first)
    assert again.steps[0].writes[0].body["data"] == {"at": "2026-11-02T12:00:00Z"}
    assert bound(await desk.plan(declaration, now=later)) != bound(first)


async def test_what_is_there_already_shows_its_diff_and_that_it_is_taken_over(desk: Desk) -> None:
    desk.put(config_map("limits", {"size": "5", "colour": "red"}))
    plan = await desk.plan(doing(applying(config_map("limits", {"size": "${string(inputs.size)}"})), inputs=(SIZE,)))
    assert shown(plan) == {"ConfigMap/limits data.size": ("5", "1")}
    assert plan.steps[0].created == ()
    assert plan.steps[0].writes[0].resource_version != ""
    assert plan.impact == "changes 1 field of ConfigMap/limits"
    assert plan.warnings[0] == (
        "ConfigMap/limits was there before: this takes over the fields that it sets, and never removes it"
    )


async def test_what_another_request_made_keeps_its_labels_and_says_whose_it_is(desk: Desk) -> None:
    labels = {"chatops/request": "R-7", "chatops/requester": "U0LEE", "chatops/team": "shop"}
    stays = {"chatops/expires-at": "2027-01-01T00:00:00Z"}
    known = config_map("known", {"size": "5"}, labels=labels, annotations=stays)
    known["metadata"]["annotations"] = {**stays, "practice.chatops/applied-by": "chatops-thing-make"}
    desk.put(known)
    plan = await desk.plan(doing(applying(config_map("known", {"size": "6"}))))
    assert shown(plan) == {"ConfigMap/known data.size": ("5", "6")}
    assert plan.warnings == ("ConfigMap/known is there already, made by R-7: this changes it",)
    assert plan.steps[0].writes[0].body["metadata"]["labels"] == labels
    assert plan.steps[0].writes[0].body["metadata"]["annotations"] == stays


async def test_what_is_as_it_should_be_is_no_change(desk: Desk) -> None:
    desk.put(config_map("same", {"size": "1"}))
    plan = await desk.plan(doing(applying(config_map("same", {"size": "1"}))))
    assert (plan.changes, plan.warnings, plan.impact) == ((), (), "")
    assert plan.now == "Nothing would change: everything is as it should be."


async def test_what_argo_cd_owns_is_left_to_argo_cd(desk: Desk) -> None:
    desk.put(config_map("theirs", {"a": "1"}, annotations={"argocd.argoproj.io/tracking-id": "shop:/ConfigMap:x/y"}))
    said = await desk.refusal(doing(applying(config_map("theirs", {"a": "2"}))))
    assert said.startswith("step 1 (apply): ConfigMap/theirs in staging belongs to Argo CD (application shop).")
    said = await desk.refusal(doing(DeclaredStep(kind="remove", object="ConfigMap/theirs")))
    assert "belongs to Argo CD" in said


async def test_a_removal_is_bound_to_the_object_that_was_seen(desk: Desk) -> None:
    there = desk.put(config_map("old"))
    plan = await desk.plan(doing(DeclaredStep(kind="remove", object="ConfigMap/old")))
    assert shown(plan) == {"ConfigMap/old metadata.name": ("old", None)}
    assert plan.steps[0].uids == {"ConfigMap/old": there["metadata"]["uid"]}
    assert (plan.risk, plan.impact) == ("danger", "removes ConfigMap/old")


async def test_what_is_not_there_need_not_be_removed(desk: Desk) -> None:
    plan = await desk.plan(doing(DeclaredStep(kind="remove", object="ConfigMap/nothing")))
    assert (plan.steps, plan.changes) == ((), ())


async def test_undoing_never_removes_what_was_there_before(desk: Desk) -> None:
    desk.put(config_map("older", {"a": "1"}))
    back = (
        DeclaredStep(kind="remove", object="ConfigMap/older"),
        DeclaredStep(kind="remove", object="ConfigMap/newer"),
    )
    plan = await desk.plan(doing(applying(config_map("older", {"a": "2"}), config_map("newer"), undo=back)))
    assert [one.title for one in plan.steps[0].undo] == ["remove ConfigMap/newer"]
    assert [warning for warning in plan.warnings if "Undoing" in warning] == []
    assert plan.risk == ""
    assert plan.steps[0].title == "apply ConfigMap/older and 1 more"


async def test_an_undo_of_what_no_step_makes_is_said_on_the_card(desk: Desk) -> None:
    back = (DeclaredStep(kind="remove", object="ConfigMap/newest"),)
    plan = await desk.plan(doing(applying(config_map("newer"), undo=back)))
    assert plan.steps[0].undo == ()
    assert plan.warnings == ("Undoing does not remove ConfigMap/newest: none of these steps applies it",)


async def test_a_job_is_a_change_with_a_name_of_its_own(desk: Desk) -> None:
    job = DeclaredJob(image="registry.acme.test/loader:1", command=("load", "${inputs.size}"), env={"A": "${env.name}"})
    step = DeclaredStep(kind="job", name="load", job=job, timeout=90.0, retries=2)
    plan = await desk.plan(doing(step, inputs=(SIZE,)))
    (write,) = plan.steps[0].writes
    name = write.ref.name
    assert name.startswith("thing-make-load-")
    assert plan.frozen["job.1"] == name
    spec = write.body["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (2, 90)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == ["load", "1"]
    assert container["env"] == [{"name": "A", "value": "staging"}]
    assert plan.steps[0].created == (f"Job/{name}",)
    assert shown(plan)[f"Job/{name} metadata.name"] == (None, name)
    assert shown(plan)[f"Job/{name} spec.template.spec.containers[job].image"] == (None, "registry.acme.test/loader:1")
    assert (plan.summary, plan.impact) == ("checkout", f"runs Job/{name}")


async def test_what_an_earlier_step_gives_is_filled_in_later_and_shown_as_it_is(desk: Desk) -> None:
    made = applying(config_map("first"), name="first", outputs={"uid": "object.metadata.uid"})
    second = applying(config_map("second", {"of": "${steps.first.outputs.uid}", "for": "${service.name}"}))
    plan = await desk.plan(doing(made, second, outputs={"uid": "${steps.first.outputs.uid}", "where": "${env.name}"}))
    assert [step.deferred for step in plan.steps] == [False, True]
    assert plan.steps[1].writes[0].body["data"] == {"of": "${steps.first.outputs.uid}", "for": "checkout"}
    assert shown(plan)["ConfigMap/second data.of"] == (None, "${steps.first.outputs.uid}")
    assert plan.outputs == {"uid": "${steps.first.outputs.uid}", "where": "staging"}
    assert plan.steps[1].created == ("ConfigMap/second",)


async def test_where_something_is_must_be_known_before_anyone_approves(desk: Desk) -> None:
    later = applying(config_map("${steps.first.outputs.name}"))
    said = await desk.refusal(doing(later))
    assert said == ("step 1 (apply): what an object is called and where it is has to be known before anyone approves.")
    said = await desk.refusal(doing(DeclaredStep(kind="remove", object="ConfigMap/${steps.first.outputs.name}")))
    assert said == "step 1 (remove): what is removed has to be known before anyone approves."


async def test_what_the_cluster_refuses_names_the_step(desk: Desk) -> None:
    wrong = {"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "x"}, "spec": {"nodes": 1}}
    with pytest.raises(Invalid, match=r"^step 2 \(apply\): the cluster refuses the object: .*nodes"):
        await desk.plan(doing(applying(config_map("ok")), applying(wrong)))


async def test_a_kind_that_is_not_installed_is_said_in_a_sentence(desk: Desk) -> None:
    topic = {"apiVersion": "kafka.acme.test/v1", "kind": "Topic", "metadata": {"name": "orders"}}
    said = await desk.refusal(doing(applying(topic)))
    assert said.startswith("step 1 (apply): the cluster of staging has no Topic.kafka.acme.test.")
    said = await desk.refusal(doing(DeclaredStep(kind="wait", object="Topic.kafka.acme.test/orders", until="true")))
    assert said.startswith("step 1 (wait): the cluster of staging has no Topic.kafka.acme.test.")


async def test_a_namespace_that_is_not_there_is_said_in_a_sentence(desk: Desk) -> None:
    moved = {**ACME.environments, "staging": STAGING.model_copy(update={"namespace": "nowhere"})}
    gone = ACME.model_copy(update={"environments": moved})
    said = await desk.refusal(doing(applying(config_map("x"))), platform=gone)
    assert said == "step 1 (apply): there is no namespace nowhere in the cluster of staging, for ConfigMap/x."


async def test_kinds_that_everybody_knows_need_no_group(desk: Desk) -> None:
    plan = await desk.plan(doing(DeclaredStep(kind="wait", object="Deployment/checkout", until="true")))
    assert plan.steps[0].refs == (ref("Deployment", "checkout", "apps/v1"),)


async def test_how_long_it_stays_may_come_out_of_the_inputs(desk: Desk) -> None:
    ttl = DeclaredInput(name="ttl", type="duration", default="4h")
    plan = await desk.plan(doing(applying(config_map("x")), inputs=(ttl,), expires="${inputs.ttl}"), ttl="2d")
    assert plan.expires == 172800.0
    said = await desk.refusal(doing(applying(config_map("x")), inputs=(ttl,), expires="${inputs.ttl * 100000}"))
    assert "is not between now and a year from now" in said


async def test_two_objects_of_one_name_cannot_be_told_apart_on_a_card(desk: Desk) -> None:
    allowed = ACME.model_copy(update={"allowed": Allowed(namespaces=("*",))})
    steps = applying(config_map("x"), config_map("x", namespace="elsewhere"))
    said = await desk.refusal(doing(steps), platform=allowed)
    assert said.startswith("step 1 (apply), manifest 2: two different objects are called ConfigMap/x;")


async def test_what_is_in_a_namespace_that_the_plan_makes_is_shown_as_it_is_written(desk: Desk) -> None:
    kinds = ("Namespace", "ConfigMap", "ServiceAccount")
    allowed = ACME.model_copy(update={"allowed": Allowed(kinds=kinds, namespaces=("preview-*",))})
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "preview-7"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "it", "namespace": "preview-7"}}
    steps = applying(space, config_map("x", {"a": "1"}, namespace="preview-7"), account)
    plan = await desk.plan(doing(steps), platform=allowed)
    assert shown(plan) == {
        "Namespace/preview-7 metadata.name": (None, "preview-7"),
        "ConfigMap/x metadata.name": (None, "x"),
        "ConfigMap/x data.a": (None, "1"),
        "ServiceAccount/it metadata.name": (None, "it"),
    }
    assert plan.warnings == (
        "The namespace preview-7 is only made by this request: what is in it could not be tried out",
    )
    assert plan.steps[0].created == ("Namespace/preview-7", "ConfigMap/x", "ServiceAccount/it")
    assert plan.risk == "danger"


async def test_a_job_gets_texts_also_when_an_earlier_step_gives_a_number(desk: Desk) -> None:
    first = applying(config_map("first"), name="first", outputs={"n": "1"})
    job = DeclaredJob(image="x:1", command=("go", "${steps.first.outputs.n}"), env={"N": "${steps.first.outputs.n}"})
    plan = await desk.plan(doing(first, DeclaredStep(kind="job", job=job)))
    write = plan.steps[1].writes[0]
    body = await rendered(write.body, {"steps": {"first": {"outputs": {"n": 7}}}}, desk.evaluate)
    (container,) = body["spec"]["template"]["spec"]["containers"]
    assert (container["command"], container["env"]) == (["go", "7"], [{"name": "N", "value": "7"}])


async def test_the_file_of_the_issue_is_planned_as_it_is_written(desk: Desk, tmp_path: Path) -> None:
    acme(tmp_path)
    (tmp_path / "actions").mkdir(exist_ok=True)
    (tmp_path / "actions" / "orders.yml").write_text(FILE)
    loaded = load(tmp_path, ACTIONS, action_of)
    action = loaded.actions["orders.create"]
    plan = await desk.plan(Declaration.model_validate_json(action.pinned), environment="production", size="large")
    assert shown(plan)[f"{DB} spec.storage.size"] == (None, "200Gi")
    assert shown(plan)[f"{DB} spec.instances"] == (None, 2)
    assert plan.outputs == {"host": "checkout-db-rw.shop"}


FILE = """
name: orders.create
title: Create a PostgreSQL database
risk: change
inputs:
  service:     {type: service}
  environment: {type: environment}
  size:        {type: choice, options: {small: 10Gi, medium: 50Gi, large: 200Gi}, default: small}
  replicas:    {type: integer, minimum: 1, maximum: 3, default: 2, show_when: 'env.tier == "production"'}
rules:
  - {check: 'env.tier != "production" || inputs.replicas > 1', message: Production needs at least two replicas., field: replicas}
steps:
  - apply: |
      apiVersion: postgresql.cnpg.io/v1
      kind: Cluster
      metadata: {name: "${inputs.service}-db", namespace: "${env.namespace}"}
      spec: {instances: "${inputs.replicas}", storage: {size: "${inputs.size}"}}
    undo: {remove: "Cluster.postgresql.cnpg.io/${inputs.service}-db"}
  - wait: {object: "Cluster.postgresql.cnpg.io/${inputs.service}-db", until: 'object.status.readyInstances == inputs.replicas', timeout: 10m}
outputs: {host: "${inputs.service}-db-rw.${env.namespace}"}
expires: 30d
"""  # noqa: E501 - as people write it
