"""The process that evaluates CEL: reads batches as JSON lines on stdin, answers a line an expression on stdout.

A batch is ``{"variables": [{…}], "times": [[path, …]], "items": [[expression, index of its variables]]}``; an answer is
``{"ok": value}``, ``{"time": ISO text}`` or ``{"error": sentence}``; ``ready`` comes before them all. Started by
``chatops.adapters.cel``. It ends by itself when an answer takes too long to compute, and when its stdin closes.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import types
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

# The library imports its command line (typer, rich) along: 0.4 s at every start, for nothing
sys.modules["cel.cli"] = types.ModuleType("cel.cli")

import cel  # noqa: E402
from cel import stdlib  # noqa: E402

MEMORY = 256 * 1024 * 1024  # bytes of address space; an expression that wants more ends the process
ALONE = 10  # times its limit by the clock, after which it ends itself: then nobody waits for the answer any more
RESULT = 256 * 1024  # bytes of one answer
COMPILED = 1000  # programs kept


def _getter(read: Callable[[datetime], int], of_duration: int = 0) -> Callable[..., int]:
    """A time's part, with the time zone that CEL allows and the library lacks."""

    def get(of: Any, zone: str = "UTC") -> int:
        if isinstance(of, timedelta):
            return int(of.total_seconds() / of_duration)
        return read(of.astimezone(ZoneInfo(zone)))

    return get


FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "lowerAscii": stdlib.lower_ascii,
    "upperAscii": stdlib.upper_ascii,
    "trim": stdlib.trim,
    "replace": stdlib.replace,
    "split": stdlib.split,
    "join": stdlib.join,
    "substring": stdlib.substring,
    "indexOf": stdlib.index_of,
    "getFullYear": _getter(lambda t: t.year),
    "getMonth": _getter(lambda t: t.month - 1),  # CEL counts months and days from 0, except getDate
    "getDate": _getter(lambda t: t.day),
    "getDayOfMonth": _getter(lambda t: t.day - 1),
    "getDayOfWeek": _getter(lambda t: t.isoweekday() % 7),
    "getDayOfYear": _getter(lambda t: t.timetuple().tm_yday - 1),
    "getHours": _getter(lambda t: t.hour, 3600),
    "getMinutes": _getter(lambda t: t.minute, 60),
    "getSeconds": _getter(lambda t: t.second, 1),
}

_programs: dict[str, Any] = {}


def _program(expression: str) -> Any:
    if expression not in _programs:
        if len(_programs) >= COMPILED:
            _programs.clear()
        _programs[expression] = cel.compile(expression)
    return _programs[expression]


def evaluate(expression: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """One answer. Every failure of the library, a panic included, is an answer too."""
    try:
        value = _program(expression).execute(cel.Context(dict(variables), dict(FUNCTIONS)))
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic of the Rust library is no Exception
        return {"error": _sentence(error)}
    if isinstance(value, datetime):
        return {"time": value.isoformat()}
    if isinstance(value, timedelta):
        value = value.total_seconds()
    return {"ok": value}


def _sentence(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        return f"there is no {error.args[0]!r} in it"
    if isinstance(error, ZeroDivisionError):
        return "it divides by zero"
    return words.split(" Check ")[0].split(" CEL does not coerce")[0].rstrip(".")[:300]


def _answer(expression: str, variables: Mapping[str, Any]) -> str:
    try:
        line = json.dumps(evaluate(expression, variables))
    except (TypeError, ValueError):
        return json.dumps({"error": "it gives something that is neither text, number, list nor map"})
    if len(line) > RESULT:
        return json.dumps({"error": f"it gives more than {RESULT // 1024} KiB"})
    return line


def _become_times(variables: Any, times: list[list[Any]]) -> None:
    for path in times:
        holder = variables
        for key in path[:-1]:
            holder = holder[key]
        holder[path[-1]] = datetime.fromisoformat(holder[path[-1]])


def main() -> None:
    """Serves until stdin closes; with a number of seconds as argument: ends itself when one answer computes longer."""
    limit = float(sys.argv[1]) if len(sys.argv) > 1 else 0.0
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Killed by the kernel, also inside the library, and also when our parent is gone
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which closes our stdin
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        batch = json.loads(line)
        _become_times(batch["variables"], batch["times"])
        for expression, place in batch["items"]:
            signal.setitimer(signal.ITIMER_PROF, limit)
            signal.setitimer(signal.ITIMER_REAL, limit * ALONE)
            answer = _answer(expression, batch["variables"][place])
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.setitimer(signal.ITIMER_PROF, 0)
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
