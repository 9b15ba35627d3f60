"""Templates are values whose leaves are filled in once: no input adds a key, a document or an expression."""

from __future__ import annotations

from typing import Any

import pytest

from chatops.kernel.cel.render import rendered
from chatops.kernel.declaration import DeclaredInput, DeclaredStep
from tests.declared.desk import Desk, doing, shown
from tests.declared.samples import applying, config_map

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXT = DeclaredInput(name="text", type="text", multiline=True, max_length=100_000, required=False)
HOSTILE = (
    "x\nspec: {replicas: 9}",
    "${1+1}",
    "$${1+1}",
    "$",
    "${",
    "{{ 7*7 }}",
    "---\nkind: Secret",
    '"}, "kind": "Secret", "a": {"b": "',
    "'; DROP TABLE requests; --",
    "&anchor *anchor",
    "чеckоut",  # Cyrillic letters among Latin ones
    "yes",
    "0x10",
    "null",
)


async def data(desk: Desk, template: Any, *inputs: DeclaredInput, **values: Any) -> Any:
    """What becomes of a ConfigMap's data."""
    plan = await desk.plan(doing(applying(config_map("it", template)), inputs=inputs), **values)
    return plan.steps[0].writes[0].body.get("data")


async def problem(desk: Desk, template: Any, *inputs: DeclaredInput, **values: Any) -> str:
    return await desk.refusal(doing(applying(config_map("it", template)), inputs=inputs), **values)


@pytest.mark.parametrize("text", HOSTILE)
async def test_what_people_type_stays_what_they_typed(desk: Desk, text: str) -> None:
    found = await data(desk, {"it": "${inputs.text}", "among": "<${inputs.text}>"}, TEXT, text=text)
    assert found == {"it": text, "among": f"<{text}>"}


@pytest.mark.parametrize("text", HOSTILE)
async def test_it_stays_so_when_the_rest_is_filled_in_during_the_run(desk: Desk, text: str) -> None:
    template = {"it": "${inputs.text}", "later": "${steps.first.outputs.a}", "fixed": "$${not.this}"}
    first = applying(config_map("first"), name="first", outputs={"a": "'b'"})
    declaration = doing(first, applying(config_map("it", template)), inputs=(TEXT,))
    plan = await desk.plan(declaration, text=text)
    write = plan.steps[1].writes[0]
    seen = {"steps": {"first": {"outputs": {"a": text}}}}
    body = await rendered(write.body, seen, desk.evaluate)
    assert body["data"] == {"it": text, "later": text, "fixed": "${not.this}"}
    assert shown(plan)["ConfigMap/it data.it"] == (None, text)


async def test_an_input_that_is_the_template_of_a_step_is_still_a_text(desk: Desk) -> None:
    same = "${steps.first.outputs.a}"
    first = applying(config_map("first"), name="first", outputs={"a": "'b'"})
    declaration = doing(first, applying(config_map("it", {"it": "${inputs.text}", "later": same})), inputs=(TEXT,))
    plan = await desk.plan(declaration, text=same)
    seen = {"steps": {"first": {"outputs": {"a": "from the cluster"}}}}
    body = await rendered(plan.steps[1].writes[0].body, seen, desk.evaluate)
    assert body["data"] == {"it": same, "later": "from the cluster"}


async def test_one_expression_keeps_its_type_and_one_among_text_becomes_text(desk: Desk) -> None:
    count = DeclaredInput(name="count", type="integer", default=2)
    template = {
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "typed"},
        "spec": {
            "instances": "${inputs.count}", "storage": {"size": "${inputs.count}Gi"},
            "postgresql": {"list": "${[1, inputs.count]}", "on": "${inputs.count > 1}", "time": "${now}",
                           "map": "${{'a': {'b': 1}}}", "text": "${string(inputs.count)}", "same": "$${inputs.count}"},
        },
    }  # fmt: skip
    plan = await desk.plan(doing(applying(template), inputs=(count,)))
    spec = plan.steps[0].writes[0].body["spec"]
    assert (spec["instances"], spec["storage"]) == (2, {"size": "2Gi"})
    assert spec["postgresql"] == {
        "list": [1, 2], "on": True, "text": "2", "map": {"a": {"b": 1}}, "time": "2026-11-02T12:00:00Z",
        "same": "${inputs.count}",
    }  # fmt: skip


async def test_keys_are_never_filled_in(desk: Desk) -> None:
    assert await data(desk, {"inputs.text": "a", "other": "${inputs.text}"}, TEXT, text="b") == {
        "inputs.text": "a", "other": "b",
    }  # fmt: skip


async def test_an_input_that_was_not_given_leaves_its_key_out(desk: Desk) -> None:
    number = DeclaredInput(name="number", type="integer", required=False)
    template = {
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "sparse"},
        "spec": {"instances": 1, "postgresql": {"number": "${inputs.number}", "list": ["a", "${inputs.number}"]}},
    }  # fmt: skip
    plan = await desk.plan(doing(applying(template), inputs=(number,)))
    assert plan.steps[0].writes[0].body["spec"]["postgresql"] == {"list": ["a"]}


async def test_a_text_of_100_kb_is_carried_and_a_larger_whole_is_refused(desk: Desk) -> None:
    long = "x" * 100_000
    assert await data(desk, {"it": "${inputs.text}"}, TEXT, text=long) == {"it": long}
    said = await problem(desk, {str(n): "${inputs.text}" for n in range(9)}, TEXT, text=long)
    assert said == "What step 1 (apply) comes to is larger than 512 KiB."


@pytest.mark.parametrize(
    ("leaf", "said"),
    [
        ("${1 / 0}", "step 1 (apply), data.it: ${1 / 0} has no value: it divides by zero."),
        ("${inputs.nothing}", "${inputs.nothing} has no value: there is no 'nothing' in it."),
        ("a ${[1]} b", "step 1 (apply), data.it: ${[1]} stands among text, and is list, not a text or number."),
        ("${1 +", "step 1 (apply), data.it: A template cannot be read: ${1 + has no closing }"),
        ("${}", "step 1 (apply), data.it: A template cannot be read: ${} is empty"),
        ("${double('inf')}", "gives no number that can be written down"),
    ],
)
async def test_a_mistake_names_the_step_the_leaf_and_the_expression(desk: Desk, leaf: str, said: str) -> None:
    assert said in await problem(desk, {"it": leaf})


async def test_an_expression_that_never_ends_is_ended(desk: Desk) -> None:
    numbers = "[1,2,3,4,5,6,7,8,9,10]"
    endless = numbers
    for _ in range(9):
        endless = f"{numbers}.map(x, {endless})"
    said = await problem(desk, {"it": f"${{size({endless}) > 0 ? 'a' : 'b'}}"})
    assert said.startswith("step 1 (apply), data.it: ${size(")
    assert "has no value" in said
    assert await data(desk, {"it": "${'the next one is answered'}"}) == {"it": "the next one is answered"}


async def test_a_template_that_is_nested_without_end_is_refused(desk: Desk) -> None:
    deep: Any = "x"
    for _ in range(60):
        deep = {"a": deep}
    assert await problem(desk, deep) == "The template in step 1 (apply) is nested more than 40 deep."


async def test_all_expressions_of_a_plan_are_worked_out_in_one_round_trip(desk: Desk) -> None:
    trips: list[int] = []

    async def counted(pairs: Any) -> list[Any]:
        trips.append(len(pairs))
        return await desk.evaluate(pairs)

    steps = [applying(config_map(f"m{n}", {"a": "${inputs.text}", "b": f"${{inputs.text + '{n}'}}"})) for n in range(5)]
    wait = DeclaredStep(kind="wait", object="ConfigMap/${inputs.text}", until="true")
    counting = Desk(desk.cluster, desk.clusters, counted)
    await counting.plan(doing(*steps, wait, inputs=(TEXT,), outputs={"x": "${env.tier}"}), text="t")
    assert trips == [7]
