"""Declared actions touch nothing but what they may, judged on what the inputs really made of their templates."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.kernel.catalog import Allowed, Platform
from chatops.kernel.declaration import DeclaredInput, DeclaredJob, DeclaredStep
from tests.declared.desk import Desk, doing
from tests.declared.samples import applying, config_map
from tests.support.acme_cluster import ACME

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = DeclaredInput(name="text", type="text", multiline=True)
LISTED = "The platform team lists what declared actions may touch under `actions:` in platform.yml."


def allowing(**allowed: Any) -> Platform:
    return ACME.model_copy(update={"allowed": Allowed(**allowed)})


def thing(kind: str, api_version: str = "v1", name: str = "it", **more: Any) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **more}


RBAC = "rbac.authorization.k8s.io/v1"
BINDING = thing("RoleBinding", RBAC, roleRef={"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"})
FORBIDDEN = [
    (BINDING, "RoleBinding.rbac.authorization.k8s.io"),
    (thing("Role", RBAC), "Role.rbac.authorization.k8s.io"),
    (thing("Secret"), "Secret"),
    (thing("Namespace"), "Namespace"),
    (thing("ClusterRole", RBAC), "ClusterRole.rbac.authorization.k8s.io"),
    (thing("PersistentVolume"), "PersistentVolume"),
    (thing("CustomResourceDefinition", "apiextensions.k8s.io/v1"), "CustomResourceDefinition.apiextensions.k8s.io"),
]


@pytest.mark.parametrize(("template", "kind"), FORBIDDEN, ids=[kind for _, kind in FORBIDDEN])
async def test_what_gives_power_is_out_of_reach_unless_it_is_listed(
    desk: Desk, template: dict[str, Any], kind: str
) -> None:
    shown = kind.partition(".")[0]
    said = await desk.refusal(doing(applying(template)))
    assert said.startswith(f"step 1 (apply): Declared actions may not touch {kind} here ({shown}")
    assert said.endswith(LISTED)


@pytest.mark.parametrize("step", ["remove", "wait"])
async def test_a_secret_can_neither_be_removed_nor_looked_at(desk: Desk, step: Any) -> None:
    said = await desk.refusal(doing(DeclaredStep(kind=step, object="Secret/key", until="true")))
    assert f"step 1 ({step}): Declared actions may not touch Secret here" in said


@pytest.mark.parametrize("typed", ["Secret", "Namespace", "ServiceAccount/x\nSecret"])
async def test_a_kind_that_comes_out_of_an_input_is_judged_as_it_came_out(desk: Desk, typed: str) -> None:
    template = {"apiVersion": "v1", "kind": "${inputs.text}", "metadata": {"name": "it"}}
    said = await desk.refusal(doing(applying(template), inputs=(TEXT,)), text=typed)
    assert "may not touch" in said or "has no ServiceAccount/x" in said
    removal = DeclaredStep(kind="remove", object="${inputs.text}/it")
    said = await desk.refusal(doing(removal, inputs=(TEXT,)), text=typed)
    assert "may not touch" in said or "cannot be the name" in said


async def test_the_environments_own_namespace_is_all_there_is_unless_more_is_listed(desk: Desk) -> None:
    there = applying(config_map("x", namespace="kube-system"))
    said = await desk.refusal(doing(there))
    assert said.startswith("step 1 (apply): Declared actions may not touch the namespace kube-system here")
    plan = await desk.plan(doing(there), platform=allowing(namespaces=("kube-*",)))
    assert plan.steps[0].writes[0].ref.namespace == "kube-system"
    said = await desk.refusal(doing(applying(config_map("x"))), platform=allowing(namespaces=("kube-*",)))
    assert "may not touch the namespace shop-staging" in said


@pytest.mark.parametrize("kind", ["apply", "wait", "remove", "job"])
async def test_a_request_for_staging_reaches_nothing_of_production(desk: Desk, kind: Any) -> None:
    step = DeclaredStep(
        kind=kind, namespace="${inputs.text}", object="ConfigMap/x", until="true", templates=(config_map("x"),),
        job=DeclaredJob(image="x:1") if kind == "job" else None,
    )  # fmt: skip
    for platform in (ACME, allowing(namespaces=("*",))):
        said = await desk.refusal(doing(step, inputs=(TEXT,)), text="shop", platform=platform)
        assert said.startswith(f"step 1 ({kind}): ")
        assert "shop here" in said or "shop is the namespace of production, and this was asked for staging" in said


async def test_a_list_of_kinds_is_all_that_may_be_touched_but_more_may_be_waited_for(desk: Desk) -> None:
    listed = allowing(kinds=("Cluster.postgresql.cnpg.io", "Deployment"))
    said = await desk.refusal(doing(applying(config_map("x"))), platform=listed)
    assert "may not touch ConfigMap here" in said
    wait = DeclaredStep(kind="wait", object="ConfigMap/x", until="true")
    database = thing("Cluster", "postgresql.cnpg.io/v1", spec={"instances": 1})
    plan = await desk.plan(doing(applying(database), wait), platform=listed)
    assert [step.kind for step in plan.steps] == ["apply", "wait"]
    await desk.plan(doing(DeclaredStep(kind="remove", object="Deployment/checkout")), platform=listed)


async def test_what_is_listed_may_be_touched_and_is_dangerous_all_the_same(desk: Desk) -> None:
    listed = allowing(kinds=("RoleBinding.rbac.authorization.k8s.io", "Secret", "Namespace", "ConfigMap"))
    for template in (BINDING, thing("Secret"), thing("Namespace", name="shop-staging")):
        plan = await desk.plan(doing(applying(template)), platform=listed)
        assert plan.risk == "danger"
    assert (await desk.plan(doing(applying(config_map("x"))), platform=listed)).risk == ""


async def test_a_secret_has_no_values_in_a_template_not_even_a_listed_one(desk: Desk) -> None:
    template = thing("Secret", stringData={"password": "${inputs.text}"})
    said = await desk.refusal(
        doing(applying(template), inputs=(TEXT,)), text="hunter2", platform=allowing(kinds=("Secret",))
    )
    assert said.startswith("step 1 (apply): a Secret's values never pass through the assistant.")
    assert "hunter2" not in said


async def test_what_a_secret_holds_is_neither_read_nor_shown(desk: Desk) -> None:
    desk.put(thing("Secret", name="key", stringData={"mine": "hunter2"}))
    listed = allowing(kinds=("Secret",))
    template = thing("Secret", name="key")
    template["metadata"]["labels"] = {"colour": "red"}
    plan = await desk.plan(doing(applying(template)), platform=listed)
    assert [(one.object, one.field) for one in plan.changes] == [("Secret/key", "metadata.labels.colour")]
    assert "hunter2" not in plan.model_dump_json()
    assert "aHVudGVyMg" not in plan.model_dump_json()
    wait = DeclaredStep(kind="wait", object="Secret/key", until="true", outputs={"it": "object.data.mine"})
    said = await desk.refusal(doing(wait), platform=listed)
    assert said == "step 1 (wait): what a Secret holds never passes through the assistant."
    made = applying(template).model_copy(update={"name": "key", "outputs": {"it": "object.metadata.name"}})
    said = await desk.refusal(doing(made), platform=listed)
    assert said == "step 1 (apply): what a Secret holds never passes through the assistant."


@pytest.mark.parametrize(
    "name",
    ["Checkout", "checkout db", "-x", "x-", "a..b", "", "x" * 254, "чеckоut", "../../secrets/key", "a/b", "a%2fb",
     "x\nspec: y", "ﬁle", "x_y", "."],
)  # fmt: skip
async def test_a_name_that_no_object_can_have_is_refused_before_anything_is_asked(desk: Desk, name: str) -> None:
    text = DeclaredInput(name="text", type="text", multiline=True, required=False)
    for step in (
        applying(config_map("${inputs.text}")),
        DeclaredStep(kind="remove", object="ConfigMap/${inputs.text}"),
        applying(config_map("x", namespace="${inputs.text}")),
    ):
        if not name and step.kind == "apply" and "namespace" in step.templates[0]["metadata"]:
            continue  # no namespace: the environment's
        said = await desk.refusal(doing(step, inputs=(text,)), text=name, platform=allowing(namespaces=("*",)))
        assert (
            "cannot be the name" in said
            or "cannot be the namespace" in said
            or "needs texts" in said
            or ("is no object" in said)
        )
