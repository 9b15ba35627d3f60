"""Every parser of what others write takes hostile variants of what it knows: it answers or refuses, in bounded time."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fire import hostile
from tests.fire.doors import DOORS, GROUPS, Door
from tests.support.thoroughness import EVERYTHING, MINUTES, examples, seconds

SEED = 1
SHARE = 1 / 15  # of the minutes of `make fire`, for each group: they run beside each other
STARTS_WITHIN = 120.0  # seconds, on a machine that is busy


@pytest.mark.parametrize("name", sorted(DOORS))
@settings(max_examples=examples(150, share=30))
@given(random=st.randoms(use_true_random=False))
def test_a_hostile_variant_is_understood_or_refused_in_words_and_tells_no_secret(name: str, random: Random) -> None:
    door = DOORS[name]
    door.timed(door.vary(random.choice(door.seeds()), random))


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="has no end of its own: make fire")
@pytest.mark.parametrize("group", sorted(GROUPS))
def test_what_leads_into_every_corner_of_a_parser_breaks_nothing(
    group: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("needs atheris: make fuzzers (pip install -e '.[fuzzers]'; there are wheels for Linux on x86-64)")
    went_on = seconds(SHARE)
    command = [sys.executable, "-m", "tests.fire.fuzz", group, str(round(went_on)), str(SEED), str(tmp_path)]
    done = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False, timeout=went_on + STARTS_WITHIN
    )
    found = [f"{one.name}: {one.read_bytes()[:2000]!r}" for one in tmp_path.iterdir() if one.is_file()]
    assert done.returncode == 0, "\n".join([*found, done.stdout[-3000:], done.stderr[-3000:]])
    runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
    assert runs is not None, done.stderr[-3000:]
    assert int(runs[1]) > sum(len(door.seeds()) for door in GROUPS[group].values())
    record_property("said", f"fuzzing: {group} took {runs[1]} inputs in {went_on:.0f} s (FIRE_MINUTES={MINUTES:g})")


def test_the_fuzzing_itself_finds_an_exception_that_nobody_documented_and_a_secret_that_comes_out() -> None:
    def careless(data: bytes) -> None:
        json.loads(data)["name"].casefold()

    def telling(data: bytes) -> None:
        assert not hostile.leaked(data)

    def broken(enter: Callable[[bytes], None]) -> None:
        for seed in range(200):
            Door(enter, list, hostile.json_like).timed(hostile.json_like(b'{"name": "Backup"}', Random(seed)))

    with pytest.raises((KeyError, AttributeError, TypeError)):
        broken(careless)
    with pytest.raises(AssertionError):
        broken(telling)
