"""What `make test` plays its tests with tells of each of them, also of one whose process dies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = """
import os, signal, warnings
import pytest

@pytest.mark.parametrize("number", range(4))
def test_passes(number): pass

def test_fails(): assert "this" == "that"

def test_dies(): os.kill(os.getpid(), signal.SIGKILL)

def test_warns(): warnings.warn("take care")

@pytest.fixture(scope="module")
def broken():
    yield
    raise ValueError("at the end")

def test_ends_badly(broken): pass

@pytest.mark.skip("not today")
def test_skipped(): pass
"""


def test_each_test_is_played_once_and_a_process_that_dies_fails_the_one_it_was_at(tmp_path: Path) -> None:
    (tmp_path / "test_few.py").write_text(TESTS)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    played = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.support.forks", "--forks", "2", "-p", "no:asyncio", "-p",
         "no:hypothesispytest", "-p", "no:anyio", "-p", "no:schemathesis", "-q", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    said = played.stdout
    assert played.returncode == 1, said
    assert "2 failed, 6 passed, 1 skipped, 1 warning, 1 error in" in said
    assert 'assert "this" == "that"' in said
    assert "test_few.py::test_dies" in said
    assert "its process ended with -9" in said
    assert "ValueError: at the end" in said
    assert "UserWarning: take care" in said
