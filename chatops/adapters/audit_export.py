"""The trail as a file: JSON lines that are checked anywhere, without the database they came from.

One JSON object a line, each in its one canonical spelling: first ``{"type": "export", …}`` with what was asked for,
then rows, heads and seals with the columns of their tables, last ``{"type": "end", …}`` with the number and the sha256
of the lines before it (for accidents). A row's hash is the sha256 of the JSON list of its other columns, in the order
of ``kernel.audit.COLUMNS``. A bundle (``{"type": "bundle", …}``) is the same about one request or incident, with what
was judged, and with all seals up to the anchor that stands for them.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from chatops.adapters.sqlite_file import open_for_writing
from chatops.kernel import anchor
from chatops.kernel.anchor import Anchor
from chatops.kernel.audit import COLUMNS, PAGE, SEAL_COLUMNS, canonical, heads_in, heads_of, rows_of, seals_of
from chatops.kernel.errors import InputError
from chatops.kernel.ports import Row, Tx

VERSION = 1
HEAD_COLUMNS = ("chain", "seq", "hash", "sealed")
_KINDS = {"row": ("audit", COLUMNS), "head": ("audit_heads", HEAD_COLUMNS), "seal": ("audit_seals", SEAL_COLUMNS)}
VOTED = ("verdict", "digest", "reason", "sources")  # of a vote, also in its row of the trail
DIFFERS = "their sha256 differs"
_TYPES = {"seq": int, "at": float, "sealed": int}

_PARTS = """SELECT chain, MIN(seq) AS seq FROM audit WHERE at >= :since AND chain > :after GROUP BY chain
    ORDER BY chain LIMIT :limit"""
_PART = """SELECT chain, seq, at, who, what, data, configuration, previous, hash FROM audit
    WHERE chain = :chain AND seq >= :seq ORDER BY seq LIMIT :limit"""
HEAD = "SELECT chain, seq, hash, sealed FROM audit_heads WHERE chain = :chain"
_REQUESTS = re.compile(r"R-[0-9]{1,15}")
_REQUEST = "SELECT body FROM requests WHERE id = :id"
_VOTES = "SELECT body FROM votes WHERE request_id = :id ORDER BY at, person_id"


@dataclass(slots=True)
class Loaded:
    """What a file is and holds beside the trail; ``changed`` says what is wrong when lines were changed."""

    whole: bool = True
    bundle: str = ""  # the chain that it is about
    changed: str = ""
    request: Mapping[str, Any] | None = None
    anchors: list[Anchor] = field(default_factory=list)


def export(tx: Tx, *, since: float = 0.0, chain: str = "") -> Iterator[str]:
    """The lines of an export, without line ends."""
    return _ended(_entries(tx, since, chain))


def bundle(tx: Tx, chain: str) -> Iterator[str]:
    """The lines of a bundle: the whole chain, what was judged, and the seals up to the anchor that stands for them."""
    return _ended(_evidence(tx, chain))


def _judged(body: Mapping[str, Any], votes: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Of a request what the trail's rows and the plan's digest bind: all that ``evidence`` compares, and no more."""
    plan, decision = body.get("plan") or {}, body.get("decision") or {}
    kept = {
        name: plan[name] for name in ("changes", "undo", "on_failure", "steps", "outputs", "expires") if name in plan
    }
    restores = [
        {"ref": one["ref"], "manager": "", "restore": one["restore"]}
        for one in plan.get("writes", ())
        if one.get("restore")
    ]
    return {
        "asked_by": body.get("requester_email") or body["requester_id"],
        **{name: body.get(name, "") for name in ("action", "reason", "state", "digest")},
        "inputs": body["inputs"],
        "plan": {"summary": "", "writes": restores, **kept} if plan else {},
        "decision": {name: decision[name] for name in ("outcome", "asks", "rules", "lifted") if name in decision},
        "votes": [
            {"who": vote.get("email") or vote["person_id"], **{name: vote[name] for name in VOTED}} for vote in votes
        ],
    }


def _ended(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    number, digest = 0, sha256()
    for entry in entries:
        line = canonical(entry)
        digest.update(f"{line}\n".encode())
        number += 1
        yield line
    yield canonical({"type": "end", "lines": number, "sha256": digest.hexdigest()})


def _evidence(tx: Tx, chain: str) -> Iterator[Mapping[str, Any]]:
    yield {"type": "bundle", "version": VERSION, "chain": chain}
    if _REQUESTS.fullmatch(chain) and (row := tx.one(_REQUEST, id=(number := int(chain[2:])))):
        votes = [json.loads(vote["body"]) for vote in tx.all(_VOTES, id=number)]
        yield {"type": "request", "id": number, **_judged(json.loads(row["body"]), votes)}
    yield from ({"type": "row", **row} for row in _part(tx, {"chain": chain, "seq": 1}, 0.0))
    head = tx.one(HEAD, chain=chain)
    if head is None:
        return
    yield _entry("head", head)
    begun, last = False, anchor.first_from(tx, head["sealed"]) if head["sealed"] else None
    for seal in seals_of(tx):
        begun = begun or chain in (heads_in(seal) or {})
        if begun:
            yield {"type": "seal", **seal}
        if last is not None and seal["seq"] >= last.seal:
            break
    if last is not None:
        yield json.loads(last.line)


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
        if head := tx.one(HEAD, chain=part["chain"]):
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


def load(copy: Path, name: str, lines: Iterable[str]) -> Loaded:
    """Puts a file's trail into a new database; raises ``InputError`` with file:line for what is no such file."""
    with closing(open_for_writing(copy)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        found, number, ended, digest = Loaded(), 0, False, sha256()
        for number, line in enumerate(lines, 1):
            try:
                if ended:
                    raise ValueError("something stands after the end")
                entry = _parse(line)
                kind = entry.pop("type")
                if (number == 1) != (kind in ("export", "bundle")):
                    raise ValueError("an export begins with one line of type export, a bundle with one of type bundle")
                if kind == "end":
                    ended, same = True, _end(entry, number - 1, digest.hexdigest())
                    found.changed = (
                        "" if same else f"{name}:{number}: the lines before are not the exported ones: {DIFFERS}"
                    )
                else:
                    _take(connection, found, kind, entry)
                digest.update(line.encode())
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
                raise InputError(f"{name}:{number}: {error}") from error
        if not ended:
            raise InputError(f"{name}:{number + 1}: cut off: the line of type end is missing")
        connection.execute("COMMIT")
        return found


def _take(connection: sqlite3.Connection, found: Loaded, kind: str, entry: dict[str, Any]) -> None:
    if kind == "export":
        found.whole = _begin(entry)
    elif kind == "bundle":
        found.whole, found.bundle = False, _about(entry)
    elif found.bundle and kind == "request":
        if found.request is not None:
            raise ValueError("a bundle is about one request")
        found.request = _request(entry)
    elif found.bundle and kind == "anchor":
        found.anchors.append(anchor.parse(canonical({"type": kind, **entry})))
    else:
        _insert(connection, kind, entry)


def _parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
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


def _request(entry: dict[str, Any]) -> dict[str, Any]:
    shapes = {"id": int, "asked_by": str, **dict.fromkeys(("action", "reason", "state", "digest"), str)}
    shapes |= {"inputs": dict, "plan": dict, "decision": dict, "votes": list}
    wrong = [name for name, shape in shapes.items() if type(entry.get(name)) is not shape]
    if wrong or len(entry) != len(shapes) or not all(isinstance(vote, dict) for vote in entry["votes"]):
        raise ValueError(f"a request has {', '.join(shapes)}" + (f"; wrong here: {', '.join(wrong)}" if wrong else ""))
    return entry


def _about(entry: dict[str, Any]) -> str:
    if entry.get("version") != VERSION:
        raise ValueError(f"is a bundle of version {entry.get('version')!r}; this chatops reads {VERSION}")
    if len(entry) != 2 or not isinstance(entry.get("chain"), str) or not entry["chain"]:
        raise ValueError("does not say what it is about")
    return str(entry["chain"])


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
