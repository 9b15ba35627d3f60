"""The process that draws one picture, of what it reads on stdin, and then writes to stdout.

It reads a JSON line: a ``chart`` or an ``aftermath``, and after it Prometheus' answers; or ``panels``. It writes a JSON
line with ``words`` (the numbers, before anything is drawn) or a ``problem``; then the PNG, or a JSON line with the
``problem`` that kept it from being drawn. Started by ``chatops.adapters.painter``.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Sequence
from typing import Any

from chatops.kernel import aftermath
from chatops.kernel.aftermath import Aftermath
from chatops.kernel.chart import Chart, chosen, read, words
from chatops.kernel.panels import Panel, Panels

MEMORY = 768 * 1024 * 1024  # bytes of address space; matplotlib takes 200 MiB of it
SECONDS = 20  # of computing
UNREADABLE = "Prometheus' answer can't be read"
ABSENT = "matplotlib is not installed (the extra `charts`)"


def main() -> None:
    """Draws, or says why not."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(5)  # whoever is being paged goes first; on a machine that is busy it must not take for ever either
    given = json.loads(sys.stdin.buffer.readline())
    if "panels" in given:
        _panels(given["panels"])
    elif "aftermath" in given:
        _aftermath(Aftermath(**given["aftermath"]), given["sizes"])
    else:
        _chart(Chart(**given["chart"]))


def _panels(given: dict[str, Any]) -> None:
    _say(words=given["title"])
    panels = tuple(Panel(**one) for one in given["panels"])
    try:
        from chatops.adapters.drawing_panels import picture
    except ModuleNotFoundError:
        _say(problem=ABSENT)
        return
    sys.stdout.buffer.write(picture(Panels(given["title"], given["subtitle"], tuple(given["ticks"]), panels)))


def _chart(chart: Chart) -> None:
    try:
        series = read(sys.stdin.buffer.read())
    except ValueError:
        _say(problem=UNREADABLE)
        return
    shown = chosen(series, chart)
    _say(words=words(chart, shown))
    if not shown:
        return
    try:
        from chatops.adapters.drawing import picture
    except ModuleNotFoundError:  # what lacks memory to be loaded is an ImportError as well
        _say(problem=ABSENT)
        return
    sys.stdout.buffer.write(picture(chart, shown, sum(1 for one in series if one.points) - len(shown)))


def _aftermath(asked: Aftermath, sizes: Sequence[int]) -> None:
    """``sizes``: of the answers, in bytes; nothing: to that question there is none."""
    try:
        answers = [sys.stdin.buffer.read(size) for size in sizes]
        series = [aftermath.chosen(read(one), asked) if one else [] for one in answers]
    except ValueError:
        _say(problem=UNREADABLE)
        return
    found = dict(zip(asked.measures, series, strict=True))
    _say(words=aftermath.words(asked, found))
    if not any(series):
        return
    try:
        from chatops.adapters.drawing_deploys import picture
    except ModuleNotFoundError:
        _say(problem=ABSENT)
        return
    sys.stdout.buffer.write(picture(asked, found))


def _say(**said: str) -> None:
    sys.stdout.buffer.write(json.dumps(said).encode() + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
