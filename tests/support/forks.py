"""Plays the tests in several processes, forked once everything is imported and collected: each would do that again.

python -m pytest -p tests.support.forks --forks 10

Each process takes the next tests when it has played what it had. One that dies fails the test it was at, and another
takes its place.
"""

from __future__ import annotations

import atexit
import gc
import os
import pickle
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, pairwise
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

import pytest

TICKET = 4  # bytes; a pipe hands out each of them once, whoever reads
Unit = list[pytest.Item]  # tests that one process plays, one after the other


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--forks", type=int, default=0, metavar="N", help="run the tests in that many forked processes")


def pytest_runtestloop(session: pytest.Session) -> bool | None:
    if not session.config.option.forks or session.config.option.collectonly or session.testsfailed:
        return None
    if session.items:
        _Run(session, units(session.items)).play(session.config.option.forks)
    return True


def units(items: Sequence[pytest.Item]) -> list[Unit]:
    """A group's tests stay together, and those of a module that share its event loop; the groups begin first."""
    groups: dict[str, Unit] = {}
    others: dict[str, Unit] = {}
    for item in items:
        loop, group = item.get_closest_marker("asyncio"), item.get_closest_marker("xdist_group")
        if group:
            groups.setdefault(group.args[0], []).append(item)
        elif loop and loop.kwargs.get("loop_scope") == "module":
            others.setdefault(str(item.path), []).append(item)
        else:
            others[item.nodeid] = [item]
    return [*groups.values(), *others.values()]


@dataclass
class _Child:
    pid: int
    reports: Connection
    left: Unit = field(default_factory=list)  # of what it took; the first is under way


class _Run:
    """The processes of one run, and what they say."""

    def __init__(self, session: pytest.Session, units: list[Unit]) -> None:
        self._session, self._config, self._units = session, session.config, units
        self._tickets, write = os.pipe()
        for number in range(len(units)):
            os.write(write, number.to_bytes(TICKET))
        os.close(write)
        self._born = 0

    def play(self, forks: int) -> None:
        os.environ["CHATOPS_TEST_RUN"] = str(os.getpid())
        gc.freeze()
        children = [self._fork() for _ in range(min(forks, len(self._units)))]
        try:
            while children:
                ready = wait([child.reports for child in children])
                for child in [one for one in children if one.reports in ready]:
                    try:
                        self._hear(child, *child.reports.recv())
                    except (EOFError, OSError):
                        children.remove(child)
                        if self._died(child):
                            children.append(self._fork(child.left))
                if stop := self._session.shouldfail:
                    raise self._session.Failed(stop)
                if stop := self._session.shouldstop:
                    raise self._session.Interrupted(stop)
        finally:  # those that are left play what they have begun, so that what they started ends with them
            while os.read(self._tickets, TICKET):
                pass
            for child in children:
                with suppress(EOFError, OSError):
                    while True:
                        child.reports.recv()
                os.waitpid(child.pid, 0)

    def _fork(self, first: Unit | None = None) -> _Child:
        reports, says = Pipe(duplex=False)
        number = self._born = self._born + 1
        if pid := os.fork():
            says.close()
            return _Child(pid, reports, list(first or ()))
        reports.close()
        code = 1
        try:
            atexit._clear()  # what the parent does at its end is not the child's to do
            _Forked(self._config, says, number).play(first or [], self._units, self._tickets)
            atexit._run_exitfuncs()
            code = 0
        except BaseException:
            says.send(("broken", traceback.format_exc()))
        finally:
            os._exit(code)

    def _hear(self, child: _Child, what: str, *said: Any) -> None:
        hook = self._config.hook
        if what == "took":
            child.left += self._units[said[0]]
        elif what == "report":
            report = hook.pytest_report_from_serializable(config=self._config, data=said[0])
            hook.pytest_runtest_logreport(report=report)
        elif what == "began":
            hook.pytest_runtest_logstart(nodeid=said[0], location=said[1])
        elif what == "ended":
            del child.left[0]
            hook.pytest_runtest_logfinish(nodeid=said[0], location=said[1])
        elif what == "warning":
            message, when, nodeid, location = said
            kept = {"warning_message": pickle.loads(message), "when": when, "nodeid": nodeid, "location": location}
            hook.pytest_warning_recorded.call_historic(kwargs=kept)
        else:
            raise RuntimeError(f"a test process broke:\n{said[0]}")

    def _died(self, child: _Child) -> bool:
        """Whether a process that ended did so in the middle of a test, which has failed then; it may leave others."""
        _, status = os.waitpid(child.pid, 0)
        if not child.left:
            return False
        item, said = child.left.pop(0), f"its process ended with {os.waitstatus_to_exitcode(status)}"
        report = pytest.TestReport(item.nodeid, item.location, {}, "failed", said, "call")
        self._config.hook.pytest_runtest_logreport(report=report)
        return True


class _Forked:
    """A process that plays what it gets tickets for, and sends to its parent what its hooks hear."""

    def __init__(self, config: pytest.Config, parent: Connection, number: int) -> None:
        self._config, self._parent, self._begun = config, parent, False
        plugins = config.pluginmanager
        for name in ("terminalreporter", "lfplugin", "nfplugin"):
            plugins.unregister(name=name)
        plugins.register(self)  # and is told the parent's warnings
        self._begun = True
        capture: Any = plugins.getplugin("capturemanager")
        capture.stop_global_capturing()  # the parent's files; each needs its own
        capture.start_global_capturing()
        capture.suspend_global_capture()
        folders: Any = config._tmp_path_factory  # type: ignore[attr-defined]
        folders._basetemp = folders.mktemp(f"fork{number}", numbered=False)

    def play(self, first: Unit, units: list[Unit], tickets: int) -> None:
        for item, following in pairwise(chain(first, self._taken(units, tickets), [None])):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    def _taken(self, units: list[Unit], tickets: int) -> Iterator[pytest.Item]:
        while ticket := os.read(tickets, TICKET):
            number = int.from_bytes(ticket)
            self._parent.send(("took", number))
            yield from units[number]

    def pytest_runtest_logstart(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._parent.send(("began", nodeid, location))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        data = self._config.hook.pytest_report_to_serializable(config=self._config, report=report)
        self._parent.send(("report", data))

    def pytest_runtest_logfinish(self, nodeid: str, location: tuple[str, int | None, str]) -> None:
        self._parent.send(("ended", nodeid, location))

    def pytest_warning_recorded(
        self, warning_message: warnings.WarningMessage, when: str, nodeid: str, location: Any
    ) -> None:
        if not self._begun:
            return
        warning_message.source = None  # the object that was not closed, such as a socket
        self._parent.send(("warning", pickle.dumps(warning_message), when, nodeid, location))
