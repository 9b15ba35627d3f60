"""Whatever people type, a template filled in says exactly that, however often the rest is filled in later."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chatops.kernel.cel.render import rendered
from commands.declared.templates import Sheet, unescaped
from tests.support.thoroughness import examples

TYPED = st.text(alphabet=st.sampled_from(list("${}ax1 \n'\"")), max_size=30) | st.text(max_size=30)
LATER = "${steps.first.outputs.a}"


async def lookup(pairs: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Any]:
    """An evaluator that knows two expressions, and fails the test for any other."""
    values = {"inputs.x": lambda seen: seen["inputs"]["x"], "steps.first.outputs.a": lambda seen: seen["a"]}
    return [values[expression](variables) for expression, variables in pairs]


@settings(max_examples=examples(300), deadline=None)
@given(TYPED, TYPED)
def test_nothing_that_people_type_or_a_cluster_gives_is_read_as_a_template(typed: str, given_later: str) -> None:
    async def filled_in() -> tuple[Any, Any, Any]:
        template = {"alone": "${inputs.x}", "among": "<${inputs.x}>", "later": LATER, "fixed": "$${inputs.x}"}
        sheet = Sheet()
        sheet.write(template, "step 1")
        await sheet.work_out({"inputs": {"x": typed}}, lookup)
        planned = sheet.made(template, "step 1", again=True)
        ran = await rendered(planned, {"inputs": {"x": "other"}, "a": given_later}, lookup)
        return ran, unescaped(planned["alone"]), sheet.made(template["among"], "step 1")

    ran, shown, among = asyncio.run(filled_in())
    assert ran == {"alone": typed, "among": f"<{typed}>", "later": given_later, "fixed": "${inputs.x}"}
    assert among == f"<{typed}>"
    assert shown == typed
