"""How long a large configuration takes to load: what starting, and every change of a file, waits for."""

from __future__ import annotations

import shutil
import statistics
import time
from pathlib import Path

from bench.assistant import SERVICES, configuration
from chatops.adapters.configuration import load
from commands import registry
from commands.declared import action_of

EXAMPLE = Path(__file__).parents[1] / "tests" / "config" / "actions" / "database.create.yml"  # the README's
ACTIONS, TURNS = 50, 5


def seconds(folder: Path) -> tuple[float, float]:
    """Medians of turns taken: with the services alone, and with fifty declared actions beside them."""
    alone, both = folder / "alone", folder / "both"
    both.mkdir(parents=True)
    alone.mkdir()
    for config in (alone, both):
        (config / "platform.yml").write_text(configuration(SERVICES))
    declare(both)
    taken: dict[Path, list[float]] = {alone: [], both: []}
    for config in (alone, both) * TURNS:
        begun = time.perf_counter()
        loaded = load(config, registry.load(), action_of)
        taken[config].append(time.perf_counter() - begun)
        if len(loaded.platform.services) != len(SERVICES) or (config == both) != ("database7.create" in loaded.actions):
            raise SystemExit("what was loaded is not what was written")
    shutil.rmtree(folder)
    return statistics.median(taken[alone]), statistics.median(taken[both])


def declare(config: Path) -> None:
    """Fifty actions like the README's."""
    (config / "actions").mkdir()
    text = EXAMPLE.read_text()
    for number in range(ACTIONS):
        name = f"database{number}.create"
        (config / "actions" / f"{name}.yml").write_text(text.replace("name: database.create", f"name: {name}", 1))
