"""What runs in several processes is told as if it had run in one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

TESTS = """
import os, subprocess, warnings
import pytest

PIDS = open("pids", "a", buffering=1)

@pytest.mark.parametrize("n", range(20))
def test_passes(n): print(os.getpid(), file=PIDS)

@pytest.mark.group("one")
@pytest.mark.parametrize("n", range(20))
def test_of_a_group(n): print("group", os.getpid(), file=PIDS)

def test_fails():
    print("printed by the test")
    subprocess.run(["echo", "printed by a process"])
    assert [1, 2] == [1, 3]

def test_warns():
    class Local(DeprecationWarning): pass
    warnings.warn("careful", Local)

def test_is_skipped(): pytest.skip("needs a part")
"""
PYTEST = (sys.executable, "-m", "pytest", "-p", "tests.support.processes", "-p", "no:cacheprovider", "-q")


def run(folder: Path, tests: str, *more: str) -> tuple[int, str]:
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    group(name): stays together\n")
    (folder / "test_it.py").write_text(tests)
    root = Path(__file__).parents[2]
    command = (*PYTEST, "-p", "no:hypothesispytest", "-p", "no:asyncio", "--processes", "3", *more, str(folder))
    ended = subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(root)}, capture_output=True, text=True, timeout=60, check=False
    )
    return ended.returncode, ended.stdout


def test_every_outcome_is_told_with_what_was_printed_and_a_group_has_one_process(tmp_path: Path) -> None:
    status, said = run(tmp_path, TESTS)
    assert status == 1
    assert "1 failed, 41 passed, 1 skipped, 1 warning" in said
    for word in ("printed by the test", "printed by a process", "[1, 2] == [1, 3]", "DeprecationWarning: careful"):
        assert word in said
    lines = (tmp_path / "pids").read_text().splitlines()
    assert len(lines) == 40
    assert len({line for line in lines if line.startswith("group")}) == 1


def test_a_process_that_dies_fails_the_test_that_it_ran_and_those_it_was_to_run(tmp_path: Path) -> None:
    status, said = run(tmp_path, "import os\ndef test_a(): pass\ndef test_b(): os._exit(0)\ndef test_c(): pass\n")
    assert status == 1
    assert "2 failed, 1 passed" in said
    assert "FAILED test_it.py::test_b - the process that ran it ended with 0" in said
    assert "FAILED test_it.py::test_c - a process that was to run it has died" in said


def test_what_goes_wrong_at_the_end_of_a_process_is_told(tmp_path: Path) -> None:
    status, said = run(tmp_path, "import atexit, os\ndef test_a(): atexit.register(os._exit, 9)\n")
    assert status == 1
    assert "FAILED (after its last test) - the process that ran it ended with 9" in said


def test_after_the_first_failure_nothing_more_is_handed_out(tmp_path: Path) -> None:
    tests = "import pytest\n@pytest.mark.parametrize('n', range(2000))\ndef test_it(n): assert n\n"
    status, said = run(tmp_path, tests, "-x", "--one-by-one")
    assert status == 1
    assert "1 failed" in said
    assert "1999 passed" not in said
