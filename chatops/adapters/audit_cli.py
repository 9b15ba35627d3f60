"""``chatops audit verify|export``: the audit trail checked, and taken along as JSON lines that are checked anywhere.

An export is one JSON object a line, each in its one canonical spelling: first ``{"type": "export", …}`` with what was
asked for, then rows, heads and seals with the columns of their tables, last ``{"type": "end", …}`` with the number and
the sha256 of the lines before it (for accidents). A row's hash is the sha256 of the JSON list of its other columns, in
the order of ``kernel.audit.COLUMNS``.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

import click

from chatops.adapters.sqlite_file import open_for_writing, reading
from chatops.kernel.audit import COLUMNS, PAGE, SEAL_COLUMNS, Verdict, canonical, heads_of, rows_of, seals_of, verify
from chatops.kernel.errors import InputError, PlatformError
from chatops.kernel.ports import Row, Tx

VERSION = 1
HEAD_COLUMNS = ("chain", "seq", "hash", "sealed")
_KINDS = {"row": ("audit", COLUMNS), "head": ("audit_heads", HEAD_COLUMNS), "seal": ("audit_seals", SEAL_COLUMNS)}
DIFFERS = "their sha256 differs"
_TYPES = {"seq": int, "at": float, "sealed": int}

_PARTS = """SELECT chain, MIN(seq) AS seq FROM audit WHERE at >= :since AND chain > :after GROUP BY chain
    ORDER BY chain LIMIT :limit"""
_PART = """SELECT chain, seq, at, who, what, data, configuration, previous, hash FROM audit
    WHERE chain = :chain AND seq >= :seq ORDER BY seq LIMIT :limit"""
_HEAD = "SELECT chain, seq, hash, sealed FROM audit_heads WHERE chain = :chain"


@click.group()
def audit() -> None:
    """The audit trail: check it, take it along."""


_database = click.option(
    "--database", type=click.Path(path_type=Path), envvar="CHATOPS_DATABASE", default="chatops.db", show_default=True,
    help="The database file; it may be in use.",
)  # fmt: skip


@audit.command("verify")
@click.argument("file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--noted", default="", metavar="HASH", help="The hash of a seal noted earlier: it must still be there.")
@_database
def verify_command(file: Path | None, noted: str, database: Path) -> None:
    """Checks every hash of the database's trail, or of an exported FILE, and names the first bad row."""
    with told():
        verdict = verify_file(file, noted=noted) if file else verify_database(database, noted=noted)
    if verdict.bad is not None:
        click.echo(f"{file or database}: {verdict.bad}", err=True)
        sys.exit(1)
    click.echo(f"{verdict.rows} rows in {verdict.chains} chains and {verdict.seals} seals are as they were written.")
    if verdict.last_seal:
        click.echo(f"The last seal is {verdict.last_seal}; note its hash elsewhere: {verdict.last_hash}")


@audit.command("export")
@click.option("--since", type=click.DateTime(), help="Only chains that went on since then (UTC), from that row on.")
@click.option("--chain", default="", help="Only this chain: R-1042, platform, …")
@click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="Default: stdout."
)
@_database
def export_command(since: datetime | None, chain: str, output: TextIO, database: Path) -> None:
    """Writes the trail as JSON lines that ``chatops audit verify FILE`` checks without a database."""
    start = since.replace(tzinfo=UTC).timestamp() if since else 0.0
    with told(), reading(database) as tx:
        if chain and tx.one(_HEAD, chain=chain) is None:
            raise InputError(f"There is no chain {chain} in {database}: a request's is its number, like R-1042.")
        for line in export(tx, since=start, chain=chain):
            output.write(line + "\n")


@contextmanager
def told() -> Iterator[None]:
    """What is wrong and meant for people goes to stderr in its own words; the exit code is 1."""
    try:
        yield
    except PlatformError as error:
        click.echo(error.message, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(1)


def verify_database(path: Path, *, noted: str = "") -> Verdict:
    """Checks a database file, also beside a running assistant."""
    with reading(path) as tx:
        return verify(tx, noted=noted)


def verify_file(path: Path, *, noted: str = "") -> Verdict:
    """Checks an export; raises ``InputError`` with file:line for what is no export, was cut off or added to.

    It is read into a throw-away database first, so that memory stays the same however long the trail is.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines,
    ):
        copy = Path(folder) / "trail.db"
        whole, changed = _load(copy, str(path), lines)
        with reading(copy) as tx:
            verdict = verify(tx, whole=whole, noted=noted)
    if changed and verdict.bad is None:  # a bad row says more than that some line is another one
        raise InputError(changed)
    return verdict


def export(tx: Tx, *, since: float = 0.0, chain: str = "") -> Iterator[str]:
    """The lines of an export, without line ends."""
    number, digest = 0, sha256()
    for entry in _entries(tx, since, chain):
        line = canonical(entry)
        digest.update(f"{line}\n".encode())
        number += 1
        yield line
    yield canonical({"type": "end", "lines": number, "sha256": digest.hexdigest()})


def _entries(tx: Tx, since: float, chain: str) -> Iterator[Mapping[str, Any]]:
    whole = not since and not chain
    yield {"type": "export", "version": VERSION, "since": since, "chain": chain, "whole": whole}
    if whole:
        yield from ({"type": "row", **row} for row in rows_of(tx))
        yield from (_entry("head", row) for row in heads_of(tx))
        yield from ({"type": "seal", **row} for row in seals_of(tx))
        return
    for part in [{"chain": chain, "seq": 1}] if chain else _parts(tx, since):
        yield from ({"type": "row", **row} for row in _part(tx, part, since))
        if head := tx.one(_HEAD, chain=part["chain"]):
            yield _entry("head", head)
    for seal in seals_of(tx):
        if seal["at"] >= since and (not chain or chain in json.loads(seal["heads"])):
            yield {"type": "seal", **seal}


def _entry(kind: str, row: Row) -> dict[str, Any]:
    return {"type": kind, **{column: row[column] for column in _KINDS[kind][1]}}


def _parts(tx: Tx, since: float) -> Iterator[Row]:
    """Where each chain that went on since then begins in the export."""
    after = ""
    while page := tx.all(_PARTS, since=since, after=after, limit=PAGE):
        yield from page
        after = page[-1]["chain"]


def _part(tx: Tx, part: Row, since: float) -> Iterator[Row]:
    """A chain's rows from the first one since then: all of them, for a clock that was set back leaves no gaps."""
    seq, begun = part["seq"], False
    while page := tx.all(_PART, chain=part["chain"], seq=seq, limit=PAGE):
        for row in page:
            begun = begun or row["at"] >= since
            if begun:
                yield row
        seq = page[-1]["seq"] + 1


def _load(copy: Path, name: str, lines: Iterable[str]) -> tuple[bool, str]:
    """Puts an export into a new database; whether it is a whole trail, and what is wrong when lines were changed."""
    with closing(open_for_writing(copy)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        whole, number, ended, changed, digest = True, 0, False, "", sha256()
        for number, line in enumerate(lines, 1):
            try:
                if ended:
                    raise ValueError("something stands after the end")
                entry = _parse(line)
                kind = entry.pop("type")
                if (number == 1) != (kind == "export"):
                    raise ValueError("an export begins with one line of type export")
                if kind == "export":
                    whole = _begin(entry)
                elif kind == "end":
                    ended, same = True, _end(entry, number - 1, digest.hexdigest())
                    changed = "" if same else f"{name}:{number}: the lines before are not the exported ones: {DIFFERS}"
                else:
                    _insert(connection, kind, entry)
                digest.update(line.encode())
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise InputError(f"{name}:{number}: {error}") from error
        if not ended:
            raise InputError(f"{name}:{number + 1}: cut off: the line of type end is missing")
        connection.execute("COMMIT")
        return whole, changed


def _parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise ValueError("is not JSON, as every line that `chatops audit export` writes") from error
    if canonical(entry) + "\n" != line:  # a doubled key, say, shows people something else than it shows programs
        raise ValueError("is not spelled as it was exported")
    if not isinstance(entry, dict):
        raise ValueError("is not a JSON object")
    return entry


def _begin(entry: dict[str, Any]) -> bool:
    if entry.get("version") != VERSION:
        raise ValueError(f"is an export of version {entry.get('version')!r}; this chatops reads {VERSION}")
    if entry != {**entry, "version": VERSION, "whole": not entry["since"] and not entry["chain"]} or len(entry) != 4:
        raise ValueError("does not say what was exported")
    return bool(entry["whole"])


def _end(entry: dict[str, Any], lines: int, digest: str) -> bool:
    """Whether the lines before are those that were exported, for as many as were."""
    if entry.get("lines") != lines:
        raise ValueError(f"cut off or added to: {entry.get('lines')} lines were exported, {lines} are here")
    if len(entry) != 2:
        raise ValueError("an export ends with lines and sha256 alone")
    return bool(entry.get("sha256") == digest)


def _insert(connection: sqlite3.Connection, kind: str, entry: dict[str, Any]) -> None:
    if kind not in _KINDS:
        raise ValueError(f"has the unknown type {kind!r}")
    table, columns = _KINDS[kind]
    wrong = [column for column in columns if type(entry.get(column)) is not _TYPES.get(column, str)]
    if wrong or len(entry) != len(columns):
        raise ValueError(f"a {kind} has {', '.join(columns)}" + (f"; wrong here: {', '.join(wrong)}" if wrong else ""))
    marks = ", ".join(f":{column}" for column in columns)
    try:
        connection.execute(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", entry)  # noqa: S608 (our names)
    except sqlite3.IntegrityError as error:
        raise ValueError(f"{entry.get('chain', 'seals')} {kind} {entry['seq']} is there a second time") from error
