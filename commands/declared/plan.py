"""The plan of a declared action."""

from __future__ import annotations

from typing import Any

from chatops.kernel.action import Context
from chatops.kernel.declaration import Declaration
from chatops.kernel.errors import Refused
from chatops.kernel.plan import Plan


async def planned(declaration: Declaration, inputs: Any, ctx: Context) -> Plan:
    """What the steps of a declaration would do."""
    raise Refused(f"{declaration.name} cannot be planned by this version.")
