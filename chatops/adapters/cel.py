"""Evaluates CEL in a process of its own, because an expression can be endless and a library call cannot be stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import chatops
from chatops.kernel.cel import CelError

LIMIT = 0.5  # seconds of computing for one expression; the process ends itself beyond
# Times as long by the clock, twice: a request must not be refused because this machine is busy, or because this process
# was stopped for a while and finds the time over before it finds the answer.
PATIENCE = 4
START = 30.0  # seconds that the process may take to come up, on a machine that is very busy
LARGEST = 1024 * 1024  # bytes of one expression's variables
DIED = "its process died, perhaps for lack of memory"
LONGEST_LINE = 512 * 1024  # bytes of one answer; the worker answers with at most half of it


def command(limit: float = LIMIT) -> list[str]:
    """What starts the process, which says ``ready`` when it can be asked."""
    return [sys.executable, "-P", "-m", "chatops.adapters.cel_worker", str(limit)]


def environment() -> dict[str, str]:
    """What its environment is: only what Python needs, for the parent's holds tokens."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TZDIR") if name in os.environ}
    roots = [str(Path(chatops.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {**kept, "PYTHONPATH": os.pathsep.join(filter(None, roots))}


class CelEvaluator:
    """Evaluates CEL in one child process, started when first needed and again whenever it died.

    Times in the variables are ``datetime`` (aware) anywhere, or ISO text under ``now``.
    """

    def __init__(self, *, limit: float = LIMIT, largest: int = LARGEST) -> None:
        self._limit = limit
        self._largest = largest
        self._process: Process | None = None
        self._ready = False
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Starts the process now, so that the first question does not wait for it."""
        async with self._turn:
            await self._started()

    @property
    def stands(self) -> bool:
        """Whether the process is up, so that a question is answered at once."""
        return self._ready and self._process is not None and self._process.returncode is None

    async def close(self) -> None:
        """Ends the process."""
        async with self._turn:
            await self._end()

    async def evaluate(self, expression: str, variables: Mapping[str, Any]) -> Any:
        """The value: bool, number, text, list, map, ``datetime``; a duration is seconds. Raises ``CelError``."""
        (value,) = await self.evaluate_all([(expression, variables)])
        if isinstance(value, CelError):
            raise value
        return value

    async def evaluate_all(self, pairs: Sequence[tuple[str, Mapping[str, Any]]], /) -> list[Any]:
        """The values in order, in one round trip; in the place of a value that there isn't its ``CelError``."""
        results: list[Any] = [None] * len(pairs)
        waiting: list[int] = []
        batch = _Batch(self._largest)
        for place, (expression, variables) in enumerate(pairs):
            if problem := batch.add(expression, variables):
                results[place] = CelError(problem)
            else:
                waiting.append(place)
        async with self._turn:
            while waiting:
                try:
                    answered = await self._ask(batch, results, waiting)
                except (CelError, OSError, TimeoutError) as error:  # no process: policy refuses, it does not crash
                    for place in waiting:
                        results[place] = CelError(f"nothing evaluates it: {error}")
                    break
                batch.drop(answered)
                del waiting[:answered]
        return results

    async def _ask(self, batch: _Batch, results: list[Any], waiting: list[int]) -> int:
        """Sends a batch; returns how many were answered, the last one perhaps by the end of the process."""
        before = self._process
        process = await self._started()
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker was started without pipes")
        process.stdin.write(batch.line())
        answered = 0
        try:
            for place in waiting:
                try:
                    line, slow = await self._answer(process.stdout, process)
                except TimeoutError:
                    line, slow = await self._answer(process.stdout, process)
                if not line and not slow and process is before and not answered:
                    await self._end()  # it died since the last question: ask a new one
                    break
                results[place] = _read(line) if line else CelError(self._slow if slow else DIED)
                answered += 1
                if not line:
                    await self._end()
                    break
        except TimeoutError:
            results[waiting[answered]] = CelError(self._slow)
            answered += 1
            await self._end()
        except BaseException:  # cancelled: answers still on their way would be taken for those of the next question
            await self._end()
            raise
        return answered

    async def _answer(self, answers: asyncio.StreamReader, process: Process) -> tuple[bytes, bool]:
        """A line, and whether there is none because computing took too long. Raises ``TimeoutError``."""
        async with asyncio.timeout(self._limit * PATIENCE):
            line = await answers.readline()
            return line, not line and await process.wait() == -signal.SIGPROF

    @property
    def _slow(self) -> str:
        return f"it took longer than {self._limit:g} s"

    async def _started(self) -> Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        process = self._process = await self._spawn()
        try:
            async with asyncio.timeout(START):
                ready = await process.stdout.readline() if process.stdout else b""
        except BaseException:
            await self._end()
            raise
        if not ready:
            await self._end()
            raise CelError("the process that evaluates CEL does not start")
        self._ready = True
        return process

    async def _spawn(self) -> Process:
        return await asyncio.create_subprocess_exec(
            *command(self._limit), stdin=PIPE, stdout=PIPE, limit=LONGEST_LINE,
            stderr=DEVNULL,  # every failure is in the answers; the library prints each of them once more
            env=environment(),
        )  # fmt: skip

    async def _end(self) -> None:
        process, self._process, self._ready = self._process, None, False
        if process is None:
            return
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.wait())


class _Batch:
    """Expressions with their variables; variables that several share cross once."""

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._items: list[tuple[str, int]] = []
        self._variables: list[str] = []
        self._times: list[list[Any]] = []
        self._places: dict[int, int | str] = {}

    def add(self, expression: str, variables: Mapping[str, Any]) -> str:
        """Adds one; returns what is wrong with it, or ``""``."""
        key = id(variables)
        if key not in self._places:
            self._places[key] = self._add_variables(variables)
        place = self._places[key]
        if isinstance(place, str):
            return place
        self._items.append((expression, place))
        return ""

    def _add_variables(self, variables: Mapping[str, Any]) -> int | str:
        times: list[list[Any]] = []
        try:
            plain = _plain(dict(variables), [], times)
            text = json.dumps(plain)
        except (TypeError, ValueError, RecursionError) as error:
            return f"its variables cannot be handed over: {error}"
        if len(text) > self._largest:
            return f"its variables are larger than {self._largest // 1024} KiB"
        if isinstance(variables.get("now"), str):
            times.append(["now"])
        place = len(self._variables)
        self._variables.append(text)
        self._times.extend([place, *path] for path in times)
        return place

    def drop(self, count: int) -> None:
        """Forgets the first items, which are answered."""
        del self._items[:count]

    def line(self) -> bytes:
        """What is sent."""
        variables = "[" + ",".join(self._variables) + "]"
        rest = json.dumps({"times": self._times, "items": self._items})
        return f'{{"variables":{variables},{rest[1:]}\n'.encode()


def _plain(value: Any, path: list[Any], times: list[list[Any]]) -> Any:
    """The value as JSON knows it, with the paths of its times added to ``times``."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one, [*path, str(key)], times) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one, [*path, place], times) for place, one in enumerate(value)]
    if isinstance(value, datetime):
        times.append(path)
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
    return value


def _read(line: bytes) -> Any:
    answer = json.loads(line)
    if "error" in answer:
        return CelError(answer["error"])
    return datetime.fromisoformat(answer["time"]) if "time" in answer else answer["ok"]
