"""What people are called whom the configuration names by e-mail or id."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from chatops.kernel.ports import Directory


async def called(directory: Directory, people: Collection[str]) -> dict[str, str]:
    """The names as far as Slack says them in time; who is not among them is shown as the configuration has it."""
    # All at once: a Slack that does not answer costs one wait, not one for each of them
    found = await asyncio.gather(*(directory.members(f"user:{one}") for one in people))
    return {one: members[0].name for one, members in zip(people, found, strict=True) if members and members[0].name}
