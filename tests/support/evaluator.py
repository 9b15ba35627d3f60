"""An evaluator whose process goes from test to test: starting one costs more than most tests ask of it."""

from __future__ import annotations

from subprocess import DEVNULL
from typing import Any

from chatops.adapters.cel import LONGEST_LINE, CelEvaluator, command, environment
from tests.support.lending import Lent


class LentEvaluator(CelEvaluator):
    """A ``CelEvaluator`` that gives its process back on ``close``, unless it had to be ended."""

    async def _started(self) -> Any:
        if self._process is None and (found := await Lent.free(command(self._limit), LONGEST_LINE)):
            self._process, self._ready = found, True  # type: ignore[assignment]
        return await super()._started()

    async def _spawn(self) -> Any:
        return await Lent.started(command(self._limit), environment(), LONGEST_LINE, DEVNULL)

    async def close(self) -> None:
        async with self._turn:
            lent: Any = self._process
            if self.stands:
                self._process, self._ready = None, False
                lent.back()
            else:
                await self._end()
