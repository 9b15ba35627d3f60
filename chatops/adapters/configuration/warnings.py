"""What is allowed in a configuration and probably not meant."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from chatops.adapters.configuration.document import read_yaml
from chatops.adapters.configuration.folder import MAIN, read
from chatops.adapters.configuration.problems import Problem
from chatops.kernel.catalog import Platform
from chatops.kernel.rota import gaps
from chatops.kernel.spans import shown

AHEAD = 28 * 86400.0  # seconds in which nobody's hours are looked for
SHOWN = 2  # gaps that are named


def warnings(folder: Path, platform: Platform, now: float) -> list[Problem]:
    """The hours of the next four weeks in which a rota has nobody on call; ``now`` in epoch seconds."""
    found = []
    for name, rota in platform.rotas.items():
        empty = gaps(rota, now, now + AHEAD)
        if empty:
            zone = ZoneInfo(rota.timezone)
            named = "; ".join(shown(start, end, zone) for start, end in empty[:SHOWN])
            more = f"; and {len(empty) - SHOWN} times more in four weeks" if len(empty) > SHOWN else ""
            found.append(Problem(MAIN, _line(folder, name), f"warning: rota {name} has nobody on call {named}{more}"))
    return found


def _line(folder: Path, rota: str) -> int:
    """Where the rota begins."""
    document = read_yaml(read(folder)[MAIN], MAIN)
    rotas = document.value.get("rotas") if isinstance(document.value, dict) else None
    return rotas.key_lines.get(rota, 1) if rotas is not None else 1
