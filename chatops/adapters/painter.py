"""Draws charts in a process of its own each: one that needs too much memory or time ends alone."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import chatops
from chatops.kernel.aftermath import Aftermath
from chatops.kernel.chart import Chart, Drawn
from chatops.kernel.panels import Panels

LIMIT = 40.0  # seconds for a chart by the clock, on a machine that is busy
PNG = b"\x89PNG\r\n"
# What Prometheus answers when it knows no such series, without the blanks.
NOTHING = b'{"status":"success","data":{"resultType":"matrix","result":[]}}'
WORKER = ("-P", "-m", "chatops.adapters.chart_worker")


class ChartPainter:
    """Starts a process for each chart, one at a time; ``close`` removes what matplotlib noted about fonts.

    With ``MPLCONFIGDIR`` in the environment that is kept there, for the next one.
    """

    def __init__(self, *, limit: float = LIMIT, worker: Sequence[str] = WORKER) -> None:
        self._limit = limit
        self._worker = worker
        self._turn = asyncio.Lock()
        self._folder: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Nothing is drawn any more."""
        if self._folder is not None:
            self._folder.cleanup()

    async def draw(self, chart: Chart, answer: bytes) -> Drawn:
        """The numbers in words and the picture, as far as both could be had; never raises for what goes wrong there."""
        if _is_nothing(answer):
            return Drawn()
        return await self._draw(json.dumps({"chart": asdict(chart)}).encode() + b"\n" + answer)

    async def paint(self, panels: Panels) -> Drawn:
        """The picture of a few figures, as far as it could be had; never raises for what goes wrong there."""
        return await self._draw(json.dumps({"panels": asdict(panels)}).encode() + b"\n")

    async def compare(self, asked: Aftermath, answers: Sequence[bytes]) -> Drawn:
        """What was measured before and after a deploy, as ``draw`` does."""
        if all(not one or _is_nothing(one) for one in answers):
            return Drawn()
        head = {"aftermath": asdict(asked), "sizes": [len(one) for one in answers]}
        return await self._draw(json.dumps(head).encode() + b"\n" + b"".join(answers))

    async def _draw(self, order: bytes) -> Drawn:
        async with self._turn:
            try:
                process = await self._started()
            except OSError as error:
                return Drawn(problem=f"no process to draw in: {error.strerror}")
            try:
                async with asyncio.timeout(self._limit):
                    written, _ = await process.communicate(order)
            except TimeoutError:
                return Drawn(problem=f"drawing took longer than {self._limit:g} s")
            finally:
                if process.returncode is None:
                    process.kill()
                    await asyncio.shield(process.wait())
        return _read(written, process.returncode or 0)

    async def _started(self) -> Process:
        fonts = os.environ.get("MPLCONFIGDIR", "")
        if not fonts:
            self._folder = self._folder or TemporaryDirectory(prefix="chatops-charts-")
            fonts = self._folder.name
        # Only what Python needs: the parent's environment holds tokens. One thread: each reserves address space.
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZDIR") if name in os.environ}
        roots = [str(Path(chatops.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
        chosen = {"MPLCONFIGDIR": fonts, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        return await asyncio.create_subprocess_exec(
            sys.executable, *self._worker, stdin=PIPE, stdout=PIPE, stderr=DEVNULL,
            env={**kept, **chosen, "PYTHONPATH": os.pathsep.join(filter(None, roots))},
        )  # fmt: skip


def _is_nothing(answer: bytes) -> bool:
    """Whether no number is in it, which needs no process to be found out."""
    return len(answer) < 2 * len(NOTHING) and answer.translate(None, b" \n") == NOTHING


def _read(written: bytes, code: int) -> Drawn:
    said, whole, rest = written.partition(b"\n")
    died = "" if code == 0 else "the process that draws died, perhaps for lack of memory or time"
    if not whole:
        return Drawn(problem=died or "the process that draws said nothing")
    first = json.loads(said)
    words, problem = str(first.get("words", "")), str(first.get("problem", "")) or died
    if rest.startswith(PNG) and not problem:
        return Drawn(words, rest)
    if rest.startswith(b"{") and not problem:
        problem = str(json.loads(rest)["problem"])
    return Drawn(words, problem=problem or ("the process that draws left none" if words else ""))
