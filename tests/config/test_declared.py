"""Declared actions: what their files say, and every mistake told at its line."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.adapters.configuration import check, load
from chatops.adapters.configuration.actions import ActionFiles
from chatops.kernel.cel import DYN, INT, STRING, Speech
from chatops.kernel.declaration import DeclaredStep, OptionsFrom, Rule
from commands.declared import action_of
from tests.config.acme import ACTIONS, acme
from tests.support import yml

HERE = Path(__file__).parent
MISTAKES = yml.load((HERE / "action_mistakes.yml").read_text())
QUEUE = (HERE / "actions" / "queue.create.yml").read_text()


def declared(folder, *edits, file="actions/queue.create.yml"):
    """Acme with the two actions of this directory, each edit (old, new) made exactly once in a file."""
    acme(folder)
    for part in ("actions", "manifests"):
        shutil.copytree(HERE / part, folder / part, dirs_exist_ok=True)
    text = (folder / file).read_text()
    for old, new in edits:
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {file}"
        text = text.replace(old, new)
    (folder / file).write_text(text)
    return folder


def declarations(folder):
    """What is handed to who makes actions of it, by name."""
    found = {}
    load(folder, ACTIONS, lambda one: found.setdefault(one.name, one) and ACTIONS["scale"])
    return found


def told(folder, file="actions/queue.create.yml"):
    lines = (folder / file).read_text().splitlines()
    return [(problem.message, lines[problem.line - 1]) for problem in check(folder, ACTIONS)]


def test_the_example_has_no_mistake(tmp_path):
    assert check(declared(tmp_path), ACTIONS) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake["says"][:60] for mistake in MISTAKES])
def test_a_mistake_is_told_at_its_line(mistake, tmp_path):
    declared(tmp_path, (mistake["old"], mistake["new"]))
    found = check(tmp_path, ACTIONS)
    lines = (tmp_path / "actions/queue.create.yml").read_text().splitlines()
    matching = [one for one in found if mistake["says"] in one.message and mistake["at"] in lines[one.line - 1]]
    assert matching, [(str(one), lines[one.line - 1]) for one in found]
    assert matching[0].file == f"{tmp_path}/actions/queue.create.yml"
    assert len({one.line for one in found}) == 1 or mistake.get("more"), [str(one) for one in found]


def test_how_long_a_thing_stays_may_come_out_of_the_inputs(tmp_path):
    by_input = declared(tmp_path, ("expires: 30d", 'expires: "${inputs.grace}"'))
    assert declarations(by_input)["queue.create"].expires == "${inputs.grace}"
    declared(tmp_path, ("expires: 30d", 'expires: "${inputs.graze}"'))
    assert ["did you mean inputs.grace" in one.message for one in check(tmp_path, ACTIONS)] == [True]


def test_an_action_is_read_whole(tmp_path):
    queue = declarations(declared(tmp_path))["queue.create"]
    assert (queue.title, queue.button, queue.risk, queue.expires) == (
        "Create a queue",
        "New queue",
        "change",
        30 * 86400,
    )
    assert queue.positionals == ("service", "environment", "size")
    assert queue.where == f"{tmp_path}/actions/queue.create.yml"
    assert queue.outputs == {"address": "amqp://${steps.ready.outputs.address}", "depth": "${inputs.depth}"}
    assert queue.rules == (
        Rule(check="inputs.depth < 5 || inputs.public", message="Deep ones are public.", field="depth"),
        Rule(check='inputs.ratio < 0.8\n|| env.tier == "staging"\n', message="Too much for production."),
    )


def test_inputs_are_read_with_their_limits(tmp_path):
    inputs = {one.name: one for one in declarations(declared(tmp_path))["queue.create"].inputs}
    assert inputs["size"].options == {"small": 1, "large": 10}
    assert (inputs["zones"].options, inputs["zones"].default) == ({"a": "a", "b": "b", "c": "c"}, ["a"])
    assert (inputs["depth"].minimum, inputs["depth"].maximum, inputs["depth"].show_when) == (1, 9, "inputs.size == 10")
    assert (inputs["grace"].minimum, inputs["grace"].maximum, inputs["grace"].default) == (60, 2 * 86400, "4h")
    assert (inputs["note"].min_length, inputs["note"].max_length, inputs["note"].multiline) == (2, 40, True)
    assert inputs["owner"].default_from == "service.team"
    assert inputs["config"].options_from == OptionsFrom(kind="ConfigMap", cel="object.metadata.name")
    assert not inputs["keeper"].required


def test_steps_are_read_with_their_lines_and_their_undoing(tmp_path):
    queue, ready, applied, first, removed = declarations(declared(tmp_path))["queue.create"].steps
    assert [one.kind for one in (queue, ready, applied, first, removed)] == ["apply", "wait", "apply", "job", "remove"]
    assert [QUEUE.splitlines()[one.line - 1].strip() for one in (queue, ready, first)] == [
        "- name: queue",
        "- name: ready",
        "- name: first",
    ]
    assert queue.templates[0]["spec"]["depth"] == "${inputs.depth}"
    assert queue.undo[0].object == "Queue.messaging.acme.test/${inputs.service}-queue"
    assert (queue.retries, queue.timeout, ready.timeout, first.timeout) == (5, 600, 300, 120)
    assert ready.fail_when == 'object.status.phase == "Failed"'
    assert ready.outputs == {"address": "object.status.address"}
    assert [one["kind"] for one in applied.templates] == ["ConfigMap", "PodDisruptionBudget"]
    assert [(one.kind, one.namespace, one.timeout) for one in applied.undo] == [
        ("remove", "shop", 600),
        ("job", "", 60),
    ]
    assert first.job is not None
    assert first.job.env["NOTE"] == "${inputs.note}"
    assert removed == DeclaredStep(kind="remove", object="ConfigMap/${inputs.config}-old", line=removed.line)


def test_an_action_survives_being_kept_as_text(tmp_path):
    for one in declarations(declared(tmp_path)).values():
        assert type(one).model_validate_json(one.model_dump_json(exclude_defaults=True)) == one


def test_cel_sees_the_value_of_an_option_and_null_only_where_nothing_may_be_given(tmp_path):
    kinds = Speech().of(declarations(declared(tmp_path))["queue.create"].inputs).variables["inputs"].fields
    assert kinds["size"] == INT
    assert kinds["zones"].of == (STRING,)
    assert kinds["grace"] == INT
    assert kinds["since"] == DYN
    assert kinds["reason"] == STRING


def test_a_policy_may_speak_of_the_inputs_of_a_declared_action(tmp_path):
    rule = '  - name: deep queues\n    when: action.name == "queue.create" && inputs.{} > 5\n'
    for name, says in (("depth", None), ("dept", "no action has an input dept: did you mean inputs.depth?")):
        folder = declared(tmp_path, ("policies:\n", "policies:\n" + rule.format(name)), file="platform.yml")
        found = [problem.message for problem in check(folder, ACTIONS)]
        assert (found == []) if says is None else (says in found[0])


def test_mistakes_of_the_platform_and_of_actions_are_told_at_once(tmp_path):
    declared(tmp_path, ("title: Create a queue", "title: 7"))
    platform = tmp_path / "platform.yml"
    platform.write_text(platform.read_text().replace("team: payments\n", "team: nobody\n"))
    assert [Path(problem.file).name for problem in check(tmp_path, ACTIONS)] == ["queue.create.yml", "platform.yml"]


def test_actions_that_are_no_yaml_are_told_even_when_the_platform_is_none_either(tmp_path):
    declared(tmp_path, ("title: Create a queue", "title: ["))
    (tmp_path / "platform.yml").write_text("a: [")
    assert [Path(problem.file).name for problem in check(tmp_path, ACTIONS)] == ["queue.create.yml", "platform.yml"]


# manifests


def test_a_mistake_in_a_folder_of_manifests_is_told_in_its_own_file(tmp_path):
    file = "manifests/queue/settings.yml"
    declared(tmp_path, ("${steps.ready.outputs.address}", "${steps.ready.outputs.adress}"), file=file)
    (problem,) = check(tmp_path, ACTIONS)
    assert str(problem).startswith(
        f"{tmp_path}/{file}:4: the manifest in ${{steps.ready.outputs.adress}}: unknown field"
    )


def test_a_folder_of_manifests_that_is_no_yaml_is_told_at_its_line(tmp_path):
    file = "manifests/queue/settings.yml"
    declared(tmp_path, ("spec: {minAvailable: 1}", "spec: {minAvailable: 1"), file=file)
    (problem,) = check(tmp_path, ACTIONS)
    assert str(problem).startswith(f"{tmp_path}/{file}:")
    assert "this is no YAML" in problem.message


def test_yaml_that_is_broken_within_a_text_is_told_at_its_line_of_the_file(tmp_path):
    declared(tmp_path, ("        depth: ${inputs.depth}", "        depth: [1"))
    (problem,) = check(tmp_path, ACTIONS)
    assert "this is no YAML" in problem.message
    assert 39 <= problem.line <= 43


def test_a_link_out_of_the_folder_is_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yml").write_text("kind: Secret\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    declared(folder)
    (folder / "manifests" / "queue" / "more.yml").symlink_to(outside / "secret.yml")
    (problem,) = check(folder, ACTIONS)
    assert (
        str(problem)
        == f"{folder}/manifests/queue/more.yml:1: this is a link that leads out of the folder: copy the file"
    )


def test_a_template_of_ten_thousand_aliases_is_refused_at_once(tmp_path):
    bomb = "        note: &a [x, x]\n        more: [*a, *a, *a, *a]"
    declared(tmp_path, ("        depth: ${inputs.depth}", bomb))
    assert "anchors and aliases are not read here" in told(tmp_path)[0][0]


def test_a_template_that_is_nested_without_end_is_refused(tmp_path):
    declared(tmp_path, ("        depth: ${inputs.depth}", f"        depth: {'[' * 500}{']' * 500}"))
    assert "nested deeper than" in told(tmp_path)[0][0]


def test_more_options_than_slack_shows_are_refused(tmp_path):
    many = ", ".join(f"o{number}" for number in range(101))
    declared(tmp_path, ("options: [a, b, c], default: [a]", f"options: [{many}]"))
    assert "has 101 options: from 1 to 100 (Slack's limit)" in told(tmp_path)[0][0]


def test_inputs_that_wait_for_each_other_are_told(tmp_path):
    declared(
        tmp_path,
        ("keeper: {type: person,", "keeper: {type: person, show_when: inputs.public,"),
        ("public: {type: boolean,", "public: {type: boolean, show_when: inputs.keeper != '',"),
    )
    assert [message for message, _ in told(tmp_path)] == [
        "input public waits for itself (public ← keeper ← public): break the circle",
        "input keeper waits for itself (keeper ← public ← keeper): break the circle",
    ]


def test_without_an_input_environment_there_is_no_env(tmp_path):
    declared(tmp_path, ("  environment: {type: environment, default: staging}\n", ""))
    found = [message for message, _ in told(tmp_path)]
    assert any("there is no input environment, so env is empty" in message for message in found)
    assert any("needs a namespace: there is no input environment that would give one" in message for message in found)


def test_a_role_may_have_a_name_that_other_objects_cannot(tmp_path):
    role = (
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {name: 'acme:view:${inputs.service}'}\n"
    )
    declared(tmp_path)
    (tmp_path / "manifests" / "queue" / "role.yml").write_text(role)
    (problem,) = check(tmp_path, ACTIONS)
    assert "may not touch a RoleBinding" in problem.message  # and nothing is wrong with its name


def test_two_names_that_clusters_cannot_tell_apart_are_refused(tmp_path):
    declared(tmp_path, ("name: queue.create", "name: database-create"))
    assert "the action database-create is declared already" in told(tmp_path)[0][0]


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    return load(acme(tmp_path_factory.mktemp("acme")), ACTIONS).platform


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(QUEUE)),
            st.integers(0, 12),
            st.sampled_from(("", "${", "}", "[", ": ", "- ", "\n", "1", "é")),
        ),
        min_size=1,
        max_size=3,
    )
)
def test_whatever_is_written_is_an_action_or_told_at_a_line_that_there_is(platform, edits):
    text = QUEUE
    for at, length, new in edits:
        text = text[:at] + new + text[at + length :]
    settings = (HERE / "manifests" / "queue" / "settings.yml").read_bytes()
    contents = {"actions/queue.yml": text.encode(), "manifests/queue/settings.yml": settings}
    files = ActionFiles(Path("x"), contents, ACTIONS)
    files.read(platform)
    assert files.problems or [action_of(one).name for one in files.found]
    assert all(1 <= one.line <= text.count("\n") + 2 and one.message for one in files.problems)


# what declared actions may touch

KINDS = "Cluster.postgresql.cnpg.io, Queue.messaging.acme.test, ConfigMap, Job.batch"


@pytest.mark.parametrize(
    ("allowed", "says"),
    [
        ("{}", []),
        (f"{{kinds: [{KINDS}, PodDisruptionBudget.policy]}}", []),
        (f"{{kinds: [{KINDS}]}}", ["add PodDisruptionBudget.policy to kinds of actions"]),
        (
            "{kinds: [Cluster.postgresql.cnpg.io, Queue.messaging.acme.test, ConfigMap, PodDisruptionBudget.policy]}",
            ["step 4 (job) may not make a Job: add Job.batch to kinds of actions in platform.yml to allow it"],
        ),
        ("{namespaces: [shop]}", []),
        ("{namespaces: [sho*]}", []),
        ("{namespaces: [preview-*]}", ["has namespace shop: add shop to namespaces of actions in platform.yml"] * 2),
        ("{kinds: [deployment]}", ["actions has 'deployment' in kinds: did you mean Deployment.apps?"]),
        ("{kinds: [Cluster.postgresql.cnpg.io/v1]}", ["name the group without its version"]),
        ("{namespaces: ['*']}", ["* is every namespace, kube-system too: name them"]),
        ("{namespaces: [Shop]}", ["a name is lower case letters"]),
        ("{kind: [ConfigMap]}", ["actions has an unknown key kind: did you mean kinds?"]),
    ],
)
def test_the_allow_list_says_which_kinds_and_namespaces(allowed, says, tmp_path):
    declared(tmp_path, ("\npolicies:\n", f"\nactions: {allowed}\npolicies:\n"), file="platform.yml")
    found = [problem.message for problem in check(tmp_path, ACTIONS)]
    for sentence in says:
        assert any(sentence in message for message in found), found
    assert bool(found) == bool(says)


def test_an_allow_list_is_handed_on(tmp_path):
    edit = ("\npolicies:\n", "\nactions: {kinds: [ConfigMap], namespaces: [shop, 'preview-*']}\npolicies:\n")
    allowed = load(acme(tmp_path, edit), ACTIONS).platform.allowed
    assert (allowed.kinds, allowed.namespaces) == (("ConfigMap",), ("shop", "preview-*"))
