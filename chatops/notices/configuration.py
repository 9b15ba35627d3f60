"""Tells the platform team that a changed configuration was refused, and when it is valid again."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel import audit
from chatops.kernel.masking import mask
from chatops.kernel.ports import Clock, Configuration, Database, Directory, Lane, Outbox, Post, Tx

SHOWN = 20  # mistakes
LAST = """
SELECT what, data FROM audit WHERE chain = 'platform' AND what IN ('configuration_refused', 'configuration_repaired')
ORDER BY seq DESC LIMIT 1
"""


@dataclass(slots=True)
class Reconfigured:
    """One message for each refused content; the newest is brought up to date when a valid one follows.

    Every replica reads the configuration; the one that ``leads`` tells of it.
    """

    database: Database
    outbox: Outbox
    directory: Directory
    configuration: Configuration
    clock: Clock
    leads: Callable[[], bool] = lambda: True
    _standing: tuple[str, Sequence[str]] = field(default=("", ()), init=False)  # the newest message, and what it shows

    async def started(self, *, valid: bool = True) -> None:
        """From now on it is told here; of a configuration that is valid, what was told before is no longer so."""
        last = await self.database.read(lambda tx: tx.one(LAST))
        told = json.loads(last["data"]) if last is not None and last["what"] == "configuration_refused" else {}
        if told.get("post"):  # rows of earlier versions don't say
            self._standing = (str(told["post"]), list(told["problems"]))
            if valid:
                await self.repaired()

    async def refused(self, problems: Sequence[object]) -> None:
        """The last good configuration stays; the platform team is told."""
        if not self.leads():
            return
        operators = await self._operators()
        shown = _shown(problems)
        key = f"configuration/{int(self.clock.now() * 1000)}"
        await self.database.write(self._tell_refused, key, shown, operators)
        self._standing = (key, shown)

    async def repaired(self) -> None:
        """The message no longer says that something is wrong; nobody is rung for that."""
        key, shown = self._standing
        if key and self.leads():
            await self.database.write(self._tell_repaired, key, shown)
            self._standing = ("", ())

    async def left_out(self, problems: Sequence[object]) -> None:
        """Entries of the catalog in the clusters that cannot be used: the others count, the platform team is told."""
        if not self.leads():
            return
        await self.database.write(self._tell_left_out, _shown(problems), await self._operators())

    async def _operators(self) -> list[str]:
        found = [await self.directory.members(source) for source in self.configuration.platform.operators]
        return list(dict.fromkeys(person.id for people in found for person in people))

    def _tell_left_out(self, tx: Tx, shown: Sequence[str], operators: Sequence[str]) -> None:
        lines = ["These entries of the catalog in the cluster can't be used, and are left out.", *shown]
        self._show(tx, f"entries/{int(self.clock.now() * 1000)}", {"lines": lines, "mention": operators})

    def _tell_refused(self, tx: Tx, key: str, shown: Sequence[str], operators: Sequence[str]) -> None:
        self._note(tx, "configuration_refused", {"problems": shown, "post": key})
        lines = ["The configuration was changed into something invalid; the last good one stays.", *shown]
        self._show(tx, key, {"lines": lines, "mention": operators})

    def _tell_repaired(self, tx: Tx, key: str, shown: Sequence[str]) -> None:
        self._note(tx, "configuration_repaired", {})
        lines = ["✅ The configuration is valid again.", "It had been changed into something invalid:", *shown]
        self._show(tx, key, {"lines": lines})

    def _note(self, tx: Tx, what: str, data: dict[str, Any]) -> None:
        audit.append(
            tx, chain="platform", who="assistant", what=what, data=data, at=self.clock.now(),
            configuration=self.configuration.platform.digest,
        )  # fmt: skip

    def _show(self, tx: Tx, key: str, content: dict[str, Sequence[str]]) -> None:
        channel = self.configuration.platform.channels.requests
        self.outbox.show(tx, Post(key, Lane.APPROVAL, "note", channel=channel, content=content))


def _shown(problems: Sequence[object]) -> list[str]:
    """The first mistakes; a mistake quotes what stands in the file, which may be a secret in the wrong place."""
    return [mask(str(problem))[0] for problem in problems[:SHOWN]]
