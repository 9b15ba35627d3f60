"""The audit trail: append-only rows in chains of hashes, one chain for each request or incident.

A row's hash covers its content and the hash of the row before, so that a row cannot be changed, taken out, put in or
moved without all later rows showing it. So that writers don't queue for each other there is a chain per subject
("R-1042", "platform"); now and then the heads of the chains that grew are sealed into one chain, which shows a chain
that was cut off or removed. Somebody who can write to the whole database could compute everything anew: note the last
seal's hash somewhere else (``verify`` gives it), and such a forgery shows as well.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import groupby
from types import MappingProxyType
from typing import Any

from chatops.kernel.ports import Row, Tx
from chatops.kernel.texts import whole

MAX_DATA = 65536  # bytes of JSON in one row: the trail tells what happened; what is large goes in by its digest
MAX_HEADS = 500  # heads in one seal
_FIRST = -(2**63)  # no number is lower: a row that was put in below 1 is looked at as well
PAGE = 500  # rows read at once: memory stays the same however long the trail is

COLUMNS = ("chain", "seq", "at", "who", "what", "data", "configuration", "previous", "hash")
SEAL_COLUMNS = ("seq", "at", "heads", "previous", "hash")

_ROW = """INSERT INTO audit (chain, seq, at, who, what, data, configuration, previous, hash)
    VALUES (:chain, :seq, :at, :who, :what, :data, :configuration, :previous, :hash)"""
_HEAD = """INSERT INTO audit_heads (chain, seq, hash, sealed) VALUES (:chain, :seq, :hash, 0)
    ON CONFLICT (chain) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, sealed = 0"""
_UNSEALED = "SELECT chain, seq, hash FROM audit_heads WHERE sealed = 0 ORDER BY chain LIMIT :limit"
_LAST_SEAL = "SELECT seq, hash FROM audit_seals ORDER BY seq DESC LIMIT 1"
_SEAL = "INSERT INTO audit_seals (seq, at, heads, previous, hash) VALUES (:seq, :at, :heads, :previous, :hash)"
_SEALED = "UPDATE audit_heads SET sealed = :seal WHERE sealed = 0 AND chain <= :last"

_ROWS = """SELECT chain, seq, at, who, what, data, configuration, previous, hash FROM audit
    WHERE (chain, seq) > (:chain, :seq) ORDER BY chain, seq LIMIT :limit"""
_HEADS = "SELECT chain, seq, hash, sealed FROM audit_heads WHERE chain > :chain ORDER BY chain LIMIT :limit"
_SEALS = "SELECT seq, at, heads, previous, hash FROM audit_seals WHERE seq > :seq ORDER BY seq LIMIT :limit"
_HASH_OF = "SELECT hash FROM audit WHERE chain = :chain AND seq = :seq"
_HEAD_OF = "SELECT seq, hash FROM audit_heads WHERE chain = :chain"


# Made once: json.dumps with options makes an encoder at each call, which costs more than the row itself.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_as_it_is = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # of what somebody may have changed


def canonical(value: Any) -> str:
    """JSON with one spelling for each value; raises ``TypeError`` or ``ValueError`` for what JSON cannot say."""
    return _storable(_canonical(value))


def _storable(text: str) -> str:
    """What JSON from outside can carry and is no text to a database: half a surrogate pair, and U+0000."""
    return whole(text.replace("\0", "\N{REPLACEMENT CHARACTER}"))


def append(
    tx: Tx, *, chain: str, who: str, what: str, data: Mapping[str, Any], at: float, configuration: str = ""
) -> str:
    """Adds a row to a chain in the caller's transaction and returns its hash.

    ``configuration`` is the digest of the configuration that held. Raises ``ValueError`` when ``data`` is larger than
    ``MAX_DATA`` or ``at`` is no time, ``TypeError`` when ``data`` is not JSON.
    """
    if not chain or not math.isfinite(at):
        raise ValueError(f"an audit row needs a chain and a time, not {chain!r} and {at!r}")
    text = canonical(data)
    if (size := len(text.encode())) > MAX_DATA:
        raise ValueError(f"{what!r} of {chain}: {size} bytes are too much for an audit row (at most {MAX_DATA})")
    head = tx.one(_HEAD_OF, chain=chain) or {"seq": 0, "hash": ""}
    row: dict[str, Any] = {
        "chain": chain,
        "seq": head["seq"] + 1,
        "at": float(at) + 0.0,  # -0.0 would come back from the database as 0.0
        "who": _storable(who),
        "what": what,
        "data": text,
        "configuration": configuration,
        "previous": head["hash"],
    }
    row["hash"] = row_hash(row)
    tx.run(_ROW, **row)
    tx.run(_HEAD, chain=chain, seq=row["seq"], hash=row["hash"])
    return str(row["hash"])


def seal(tx: Tx, at: float, *, limit: int = MAX_HEADS) -> int:
    """Seals heads that changed since they were last sealed; returns how many, ``limit`` meaning there may be more."""
    heads = tx.all(_UNSEALED, limit=limit)
    if not heads:
        return 0
    last = last_seal(tx) or {"seq": 0, "hash": ""}
    row: dict[str, Any] = {
        "seq": last["seq"] + 1,
        "at": float(at) + 0.0,
        "heads": canonical({head["chain"]: [head["seq"], head["hash"]] for head in heads}),
        "previous": last["hash"],
    }
    row["hash"] = seal_hash(row)
    tx.run(_SEAL, **row)
    tx.run(_SEALED, seal=row["seq"], last=heads[-1]["chain"])
    return len(heads)


def last_seal(tx: Tx) -> Row | None:
    """The number (``seq``) and the hash of the last seal; None before the first."""
    return tx.one(_LAST_SEAL)


def heads_in(sealed: Row) -> Mapping[str, tuple[int, str]] | None:
    """The heads that a seal holds, by chain; None when it does not say so in the way that we do."""
    try:
        found = json.loads(sealed["heads"])
        heads = {chain: (seq, hashed) for chain, (seq, hashed) in found.items()}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    right = all(type(seq) is int and abs(seq) <= -_FIRST - 1 and isinstance(one, str) for seq, one in heads.values())
    return heads if right else None


def row_hash(row: Row) -> str:
    """The sha256 (hex) over the canonical JSON of everything in a row but the hash; ``data`` as the text it is."""
    return _hash([row[column] for column in COLUMNS[:-1]])


def seal_hash(row: Row) -> str:
    """The same for a seal."""
    return _hash([row[column] for column in SEAL_COLUMNS[:-1]])


def _hash(values: list[Any]) -> str:
    return sha256(_as_it_is(values).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Bad:
    """The first row that is not as it was written.

    ``chain`` is "seals" for the chain of seals; ``seq`` 0 stands for the whole chain.
    """

    chain: str
    seq: int
    wrong: str

    def __str__(self) -> str:
        return f"{self.chain} row {self.seq}: {self.wrong}" if self.seq else f"{self.chain}: {self.wrong}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, the last seal (number and hash, to be noted elsewhere), and what is wrong, if anything.

    ``says`` are sentences about a bundle.
    """

    rows: int = 0
    chains: int = 0
    seals: int = 0
    last_seal: int = 0
    last_hash: str = ""
    bad: Bad | None = None
    anchored: int = 0  # seals that an anchor was compared with
    says: tuple[str, ...] = ()


def verify_chain(rows: Iterable[Row], head: Row | None = None, *, whole: bool = True) -> Bad | None:
    """The first wrong row of one chain, given in order, or None.

    ``head`` (seq, hash) is where the chain is known to end. ``whole=False`` allows a chain that begins later than 1.
    """
    walk = iter(rows)
    chain, seq, previous = "", 0, ""
    for row in walk:
        if not seq:
            chain = row["chain"]
            if not whole:
                seq, previous = row["seq"] - 1, row["previous"]
        seq += 1
        if row["seq"] != seq:
            return _misplaced(chain, seq, row, next(walk, None))
        if row["chain"] != chain:
            return Bad(chain, seq, f"belongs to {row['chain']}")
        if row["hash"] != row_hash(row):
            return Bad(chain, seq, "changed: its hash does not fit what it says")
        if row["previous"] != previous:
            return Bad(chain, seq, "does not follow from the row before it: one of them was replaced")
        previous = row["hash"]
    if head is None or (head["seq"], head["hash"]) == (seq, previous):
        return None
    if head["seq"] > seq:
        return Bad(chain or head.get("chain", ""), seq + 1, f"cut off: row {head['seq']} was the last one")
    return Bad(chain, seq, f"its head says row {head['seq']} with another hash: one of them was replaced")


def _misplaced(chain: str, expected: int, row: Row, following: Row | None) -> Bad:
    if row["seq"] < expected:
        return Bad(chain, row["seq"], "is there a second time or out of order")
    if following is not None and following["seq"] == expected:
        return Bad(chain, expected, f"out of order: row {row['seq']} stands before it")
    return Bad(chain, expected, f"missing: row {row['seq']} comes instead")


def verify(
    tx: Tx, *, whole: bool = True, noted: str = "", anchored: Mapping[int, str] = MappingProxyType({})
) -> Verdict:
    """Checks every row, head and seal of a trail, a page at a time.

    ``whole=False`` is for a part of a trail (an export since a day or of one chain): what refers to rows outside it is
    let be. ``noted`` is the hash of a seal that was written down elsewhere: it must be there. ``anchored`` are hashes
    by the number of their seal, as anchors have them: these seals must be there, of a part those that it has.
    """
    count = _Count()
    bad = _bad_rows(tx, count, whole) or _bad_heads(tx, whole) or _bad_seals(tx, count, whole, noted, anchored)
    return Verdict(count.rows, count.chains, count.seals, count.last_seal, count.last_hash, bad, count.anchored)


@dataclass(slots=True)
class _Count:
    rows: int = 0
    chains: int = 0
    seals: int = 0
    last_seal: int = 0
    last_hash: str = ""
    anchored: int = 0

    def each(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            self.rows += 1
            yield row


def rows_of(tx: Tx) -> Iterator[Row]:
    """Every row, by chain and number."""
    after: dict[str, Any] = {"chain": "", "seq": _FIRST}
    while page := tx.all(_ROWS, limit=PAGE, **after):
        yield from page
        after = {"chain": page[-1]["chain"], "seq": page[-1]["seq"]}


def heads_of(tx: Tx) -> Iterator[Row]:
    """Every chain's head, by chain."""
    chain = ""
    while page := tx.all(_HEADS, limit=PAGE, chain=chain):
        yield from page
        chain = page[-1]["chain"]


def seals_of(tx: Tx) -> Iterator[Row]:
    """Every seal in order, a few at a time: one holds up to ``MAX_HEADS`` heads."""
    seq = _FIRST
    while page := tx.all(_SEALS, limit=20, seq=seq):
        yield from page
        seq = page[-1]["seq"]


def _bad_rows(tx: Tx, count: _Count, whole: bool) -> Bad | None:
    for chain, rows in groupby(rows_of(tx), key=lambda row: str(row["chain"])):
        count.chains += 1
        head = tx.one(_HEAD_OF, chain=chain)
        if head is None:
            return Bad(chain, 0, "its head is missing")
        if bad := verify_chain(count.each(rows), head, whole=whole):
            return bad
    return None


def _bad_heads(tx: Tx, whole: bool) -> Bad | None:
    """Chains of which only the head is left, and heads that a seal holds which is gone."""
    last = last_seal(tx) or {"seq": 0}
    for head in heads_of(tx):
        if tx.one(_HASH_OF, chain=head["chain"], seq=head["seq"]) is None:
            return Bad(head["chain"], head["seq"], "missing: only its head is left")
        if whole and head["sealed"] > last["seq"]:
            return Bad("seals", head["sealed"], f"cut off: it sealed {head['chain']}")
    return None


def _bad_seals(tx: Tx, count: _Count, whole: bool, noted: str, anchored: Mapping[int, str]) -> Bad | None:
    seq, previous = 0, ""
    for row in seals_of(tx):
        if not whole and not seq:
            seq, previous = row["seq"] - 1, row["previous"]
        seq += 1
        if row["seq"] != seq:
            if whole:
                return Bad("seals", seq, f"missing: row {row['seq']} comes instead")
            seq, previous = row["seq"], row["previous"]
        if row["hash"] != seal_hash(row):
            return Bad("seals", seq, "changed: its hash does not fit what it says")
        if row["previous"] != previous:
            return Bad("seals", seq, "does not follow from the row before it: one of them was replaced")
        if anchored.get(seq, row["hash"]) != row["hash"]:
            return Bad("seals", seq, "replaced: an anchor holds another hash of it")
        count.anchored += seq in anchored
        if bad := _bad_sealed(tx, row, whole):
            return bad
        previous = row["hash"]
        count.seals, count.last_seal, count.last_hash = count.seals + 1, seq, previous
        noted = "" if noted == previous else noted
    if whole and (gone := [number for number in anchored if number > seq]):
        return Bad("seals", min(gone), "cut off: an anchor holds it")
    if anchored and not count.anchored:
        return Bad("seals", 0, "none of the anchors is of a seal in it")
    return Bad("seals", 0, f"none of them has the noted hash {noted}") if noted else None


def _bad_sealed(tx: Tx, sealed: Row, whole: bool) -> Bad | None:
    heads = heads_in(sealed)
    if heads is None:
        return Bad("seals", sealed["seq"], "changed: it does not say which heads it holds")
    for chain, (seq, hashed) in heads.items():
        row = tx.one(_HASH_OF, chain=chain, seq=seq)
        if row is None and whole:
            return Bad(chain, seq, f"missing: seal {sealed['seq']} holds it")
        if row is not None and row["hash"] != hashed:
            return Bad(chain, seq, f"replaced: seal {sealed['seq']} holds another hash of it")
    return None
