"""The parts of the bench: what each is about, the rows it promises, and what measures them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bench import clicks, engines, growth, killed, memory, mixed, sockets, starts, store, storm, ways
from bench.table import Line


@dataclass(frozen=True, slots=True)
class Part:
    """One part; ``rows`` are the names of its lines in their order."""

    about: str
    rows: tuple[str, ...]
    measure: Callable[[], Awaitable[list[Line]]]


PARTS: dict[str, Part] = {
    "clicks": Part("presses in Slack, beside bare Bolt", clicks.ROWS, clicks.lines),
    "sockets": Part("presses over Socket Mode, beside Bolt's own", sockets.ROWS, sockets.lines),
    "engines": Part("presses on PostgreSQL, beside SQLite", engines.ROWS, engines.lines),
    "load": Part("clicks beside everything else", mixed.ROWS, mixed.lines),
    "ways": Part("from what somebody does until what it is for", ways.ROWS, ways.lines),
    "writes": Part("the store alone", store.ROWS, store.lines),
    "rows": Part("by how much is behind it", growth.ROWS[: len(growth.OPERATIONS)], growth.by_rows),
    "services": Part("by how large the catalog is", growth.ROWS[len(growth.OPERATIONS) :], growth.by_services),
    "memory": Part("what much behind it costs", memory.ROWS, memory.lines),
    "starts": Part("what a start and a form wait for", starts.ROWS, starts.lines),
    "storm": Part("a storm of alerts, beside Alertmanager's own Slack receiver", storm.ROWS, storm.lines),
    "killed": Part("the storm, and a kill -9 in its middle", killed.ROWS, killed.lines),
}


def known() -> tuple[str, ...]:
    """Every row of the table, in order."""
    return tuple(name for part in PARTS.values() for name in part.rows)
