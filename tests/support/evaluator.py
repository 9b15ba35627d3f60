"""An evaluator whose process goes from test to test: starting one costs more than most tests ask of it."""

from __future__ import annotations

from subprocess import DEVNULL
from typing import Any

from chatops.adapters.cel import LONGEST_LINE, CelEvaluator, command, environment
from tests.support.lending import Lent


class LentEvaluator(CelEvaluator):
    """A ``CelEvaluator`` that gives its process back on ``close``, unless it had to be ended."""

    async def _started(self) -> Any:
        if self._process is None or self._process.returncode is not None:
            asked = command(self._limit)
            self._process = await Lent.free(asked, LONGEST_LINE) or await Lent.started(  # type: ignore[assignment]
                asked, environment(), LONGEST_LINE, DEVNULL, said=b"ready\n"
            )
            self._ready = True
        return self._process

    async def close(self) -> None:
        async with self._turn:
            lent: Any = self._process
            if self.stands:
                self._process, self._ready = None, False
                lent.back()
            else:
                await self._end()
