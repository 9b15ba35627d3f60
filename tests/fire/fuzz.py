"""Coverage-guided fuzzing of a group of doors, in a process of its own.

    python -m tests.fire.fuzz GROUP SECONDS SEED FOLDER

An input's first byte says which door it goes to. libFuzzer ends the process at the first input that breaks a promise,
and leaves it in the folder.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

import atheris

from tests.fire.doors import GROUPS

LARGEST = 20_000  # bytes of an input
MOST_SECONDS = 60  # for one input, by the clock: on a machine that is very busy it may wait for its turn
# What tells that an input has led somewhere new. Atheris' own way instruments all that we have: half a minute.
MODULES = {
    "slack": (
        "chatops.requests.line", "chatops.requests.reading", "chatops.requests.words", "chatops.requests.parse",
        "chatops.requests.letters", "chatops.slack.mentions", "chatops.slack.forms", "chatops.slack.elements",
        "chatops.slack.payloads", "chatops.http.payload", "chatops.kernel.masking", "chatops.kernel.several",
    ),
    "hooks": (
        "chatops.incidents.sources", "chatops.notices.sources", "chatops.kernel.received", "chatops.kernel.masking",
    ),
    "configuration": ("chatops.adapters.configuration", "chatops.kernel.cel", "commands.declared"),
}  # fmt: skip


def main(group: str, seconds: str, seed: str, folder: str) -> None:
    """Runs until the time is over, or until something breaks."""
    for name, module in list(sys.modules.items()):
        if name.startswith(MODULES[group]):
            _instrument(module, name)
    doors = list(GROUPS[group].values())
    corpus = Path(folder) / "corpus"
    corpus.mkdir()
    for number, door in enumerate(doors):
        for place, one in enumerate(door.seeds()):
            (corpus / f"{number}-{place}").write_bytes(bytes([number]) + one)

    def enter(data: bytes) -> None:
        if data:
            doors[data[0] % len(doors)].timed(data[1:])

    def vary(data: bytes, largest: int, choice: int) -> bytes:
        """By its own kind three times in four, by single bytes else."""
        random = Random(choice)
        number = data[0] % len(doors) if data else random.randrange(len(doors))
        varied = doors[number].vary(data[1:], random) if random.randrange(4) else atheris.Mutate(data[1:], largest - 1)
        return (bytes([number]) + bytes(varied))[:largest]

    options = [
        f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={LARGEST}", f"-timeout={MOST_SECONDS}",
        f"-artifact_prefix={folder}/", "-rss_limit_mb=1024", "-print_final_stats=1",
    ]  # fmt: skip
    atheris.Setup([group, *options, str(corpus)], enter, custom_mutator=vary)
    atheris.Fuzz()


def _instrument(module: object, name: str) -> None:
    """Every function and method that was made in a module."""
    for one in _functions(module, name):
        atheris.instrument_func(one)


def _functions(inside: Any, name: str) -> Iterator[FunctionType]:
    for one in list(vars(inside).values()):
        made = getattr(one, "__func__", None) or getattr(one, "fget", None) or getattr(one, "__wrapped__", None) or one
        if getattr(made, "__module__", None) != name:
            continue
        if isinstance(made, FunctionType):
            yield made
        elif isinstance(made, type):
            yield from _functions(made, name)


if __name__ == "__main__":
    main(*sys.argv[1:])
