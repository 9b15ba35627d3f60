"""`pytest --processes 8`: what was collected once runs in eight processes, forked from the one that collected it.

To import the assistant and collect its tests takes seconds, and a runner that starts its workers anew takes them for
each. A process takes a few tests of a file at a time, so that what a module's fixtures make is not made by each of
them. Tests of a group (``@pytest.mark.group("browser")``) stay on one process and begin first; with ``--one-by-one``,
for tests that take from a second to minutes, nothing is kept together.
"""

from __future__ import annotations

import itertools
import os
import signal
import struct
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

import pytest

AT_ONCE = 6
NUMBER = struct.Struct("i")
Batch = list[pytest.Item]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--processes`` and ``--one-by-one``."""
    parser.addoption("--processes", type=int, default=0, help="run in so many processes, forked after collection")
    parser.addoption("--one-by-one", action="store_true", help="hand out one test at a time, groups or not")


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """In the place of pytest's own loop; returns in each child with its part done, and in the parent with all of it."""
    option = session.config.option
    if not option.processes or option.collectonly or session.testsfailed:
        return None
    os.environ["CHATOPS_TEST_RUN"] = str(os.getpid())
    batches = [[item] for item in session.items] if option.one_by_one else list(_batches(session.items))
    queue, give = os.pipe()
    os.write(give, b"".join(NUMBER.pack(number) for number in range(len(batches))))  # it holds 16,000 of them
    os.close(give)
    children: dict[Connection, Child] = {}
    for _ in range(min(option.processes, len(batches))):
        receive, send = Pipe(duplex=False)
        if not (pid := os.fork()):
            for end in (receive, *children):
                end.close()
            _run(session, batches, queue, Teller(session.config, send))
            return True
        send.close()
        children[receive] = Child(pid)
    unrun = _listen(session, queue, children)
    if not session.shouldfail and not session.shouldstop:
        for nodeid, why in unrun.items():
            session.config.hook.pytest_runtest_logreport(report=_unrun(nodeid, why))
    return True


def group_of(item: pytest.Item) -> str:
    """The name of the tests that stay on one process with this one; empty for most."""
    mark = item.get_closest_marker("group")
    return str(mark.args[0]) if mark else ""


def _batches(items: list[pytest.Item]) -> Iterator[Batch]:
    groups: dict[str, Batch] = {}
    for item in items:
        groups.setdefault(group_of(item), []).append(item)
    rest = groups.pop("", [])
    yield from groups.values()
    for _, of_file in itertools.groupby(rest, key=lambda item: item.path):
        while batch := list(itertools.islice(of_file, AT_ONCE)):
            yield batch


@dataclass
class Child:
    """A process, and what it runs; nothing when it has said that it is done."""

    pid: int
    running: str = "(none yet)"


class Teller:
    """A plugin of the child: tells the parent what pytest says there."""

    def __init__(self, config: pytest.Config, parent: Connection) -> None:
        self.config = config
        self.parent = parent

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.parent.send(("running", nodeid))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        # Packing and unpacking three reports costs as much as many a test: one that went well is told once.
        if report.when == "call" or not report.passed or self.config.option.durations:
            packed = self.config.hook.pytest_report_to_serializable(config=self.config, report=report)
            self.parent.send(("report", packed))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        if when == "runtest":  # earlier ones are the parent's, too
            kind = next(one for one in warning_message.category.__mro__ if one.__module__ == "builtins")
            plain = warnings.WarningMessage(
                str(warning_message.message), kind, warning_message.filename, warning_message.lineno
            )
            told = {"warning_message": plain, "when": when, "nodeid": nodeid, "location": location}
            self.parent.send(("warning", told))


def _run(session: pytest.Session, batches: list[Batch], queue: int, teller: Teller) -> None:
    """In a child: batches until there are none. What it captures is its own; what pytest prints there is not read."""
    capture: Any = session.config.pluginmanager.getplugin("capturemanager")
    capture.stop_global_capturing()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    capture.start_global_capturing()
    capture.suspend_global_capture()
    session.config.pluginmanager.register(teller)
    try:
        while number := os.read(queue, NUMBER.size):
            batch = batches[NUMBER.unpack(number)[0]]
            for item, following in itertools.zip_longest(batch, batch[1:]):
                session.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    except Exception:  # a defect of a plugin: pytest says it where nobody reads
        traceback.print_exc(file=sys.__stderr__)
        raise
    session.config.pluginmanager.unregister(teller)
    teller.parent.send(("running", ""))


def _listen(session: pytest.Session, queue: int, children: dict[Connection, Child]) -> dict[str, str]:
    """In the parent, until all children have ended; returns what was not run to its end, and why."""
    hook = session.config.hook
    unrun = dict.fromkeys((item.nodeid for item in session.items), "a process that was to run it has died")
    silent = []
    while children:
        for end in wait(list(children)):
            assert isinstance(end, Connection)
            try:
                what, told = end.recv()
            except EOFError:
                end.close()
                silent.append(children.pop(end))
                continue
            if what == "running":
                unrun.pop(children[end].running, None)
                children[end].running = told
            elif what == "warning":
                hook.pytest_warning_recorded.call_historic(kwargs=told)
            else:
                report = hook.pytest_report_from_serializable(config=session.config, data=told)
                hook.pytest_runtest_logreport(report=report)
        if session.shouldfail or session.shouldstop:
            while os.read(queue, 1 << 16):  # there is nothing left for them to take
                pass
    for child in silent:
        status = _end_of(child.pid)
        if child.running or status not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            unrun[child.running or "(after its last test)"] = f"the process that ran it ended with {status}"
    return unrun


def _end_of(pid: int) -> int:
    """The status of a process that has nothing more to do; one that does not end within half a minute is killed."""
    for _ in range(300):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _unrun(nodeid: str, why: str) -> pytest.TestReport:
    file, _, name = nodeid.partition("::")
    return pytest.TestReport(nodeid, (file, None, name), {}, "failed", why, "call")
