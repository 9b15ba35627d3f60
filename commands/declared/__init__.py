"""Declared actions: what turns a file's ``Declaration`` into the same record that a Python action is."""

from __future__ import annotations

from typing import Any

from pydantic import create_model

from chatops.kernel.action import Action, ChangeInputs, Context
from chatops.kernel.declaration import Declaration
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan


def action_of(declaration: Declaration) -> Action:
    """The action of a declaration."""
    fields: dict[str, Any] = {one.name: (str, ... if one.required else one.default or "") for one in declaration.inputs}

    async def plan(inputs: Any, ctx: Context) -> Plan:
        raise Refused(f"{declaration.name} cannot be planned by this version.")

    return Action(
        name=declaration.name,
        title=declaration.title,
        risk=declaration.risk,
        inputs=create_model(f"{declaration.name} inputs", __base__=ChangeInputs, **fields),
        usage=f"{declaration.name} because REASON",
        summary=declaration.summary or declaration.title,
        positionals=declaration.positionals,
        plan=plan,
        button=declaration.button,
        rules=declaration.rules,
    )
