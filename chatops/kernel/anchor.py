"""Anchors: the last seal of the audit trail at a time, signed and kept elsewhere.

Somebody who may write to the whole database can compute every hash anew, or cut off the end of the trail. What they
cannot do is make a seal come back that was noted before where they have no reach, nor sign another one without the key.
An anchor is that note: the number and the hash of the last seal, which stands for everything sealed until then.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

from chatops.kernel import audit
from chatops.kernel.ports import Row, Tx

VERSION = 1
_HEX = frozenset("0123456789abcdef")

_LATEST = "SELECT seal, hash, at, key, signature FROM audit_anchors ORDER BY seal DESC LIMIT 1"
_UNWRITTEN = "SELECT seal, hash, at, key, signature FROM audit_anchors WHERE written = 0 ORDER BY seal LIMIT 100"
_FROM = "SELECT seal, hash, at, key, signature FROM audit_anchors WHERE seal >= :seal ORDER BY seal LIMIT :limit"
_ADD = """INSERT INTO audit_anchors (seal, hash, at, key, signature) VALUES (:seal, :hash, :at, :key, :signature)
    ON CONFLICT (seal) DO NOTHING"""
_WRITTEN = "UPDATE audit_anchors SET written = 1 WHERE seal = :seal"


class Signer(Protocol):
    """Signs with a key that nobody else has; ``key`` is the fingerprint by which its public half is found."""

    @property
    def key(self) -> str:
        """The fingerprint (hex)."""
        ...

    def sign(self, said: bytes) -> str:
        """The signature (base64)."""
        ...


@dataclass(frozen=True, slots=True)
class Anchor:
    """One note: seal number and hash, when it was taken (epoch seconds), by which key; unsigned when there is none."""

    seal: int
    hash: str
    at: float
    key: str = ""
    signature: str = ""

    @property
    def signed(self) -> bytes:
        """What the signature is over: everything else, in its one spelling."""
        said = {name: value for name, value in asdict(self).items() if name != "signature"}
        return audit.canonical({"type": "anchor", "version": VERSION, **said}).encode()

    @property
    def line(self) -> str:
        """The anchor as one line of JSON, without its end."""
        return audit.canonical({"type": "anchor", "version": VERSION, **asdict(self)})


def parse(line: str) -> Anchor:
    """Reads ``Anchor.line``; raises ``ValueError`` for everything else."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError("is not JSON") from error
    if not isinstance(found, dict) or found.pop("type", "") != "anchor":
        raise ValueError("is no anchor")
    if (version := found.pop("version", None)) != VERSION:
        raise ValueError(f"is an anchor of version {version!r}; this chatops reads {VERSION}")
    return of_row(found)


def of_row(found: Mapping[str, Any]) -> Anchor:
    """An anchor out of its fields; raises ``ValueError`` when they are not what they should be."""
    kinds = {"seal": int, "hash": str, "at": float, "key": str, "signature": str}
    wrong = [name for name, kind in kinds.items() if type(found.get(name)) is not kind]
    if wrong or len(found) != len(kinds):
        raise ValueError(f"an anchor has {', '.join(kinds)}" + (f"; wrong here: {', '.join(wrong)}" if wrong else ""))
    anchor = Anchor(**found)
    if anchor.seal < 1 or len(anchor.hash) != 64 or not _HEX.issuperset(anchor.hash):
        raise ValueError("an anchor names a seal from 1 on and its sha256 in hex")
    return anchor


def drop(tx: Tx, at: float, signer: Signer | None) -> Anchor | None:
    """Seals what is not sealed yet and anchors the last seal; None when that is anchored already."""
    while audit.seal(tx, at) == audit.MAX_HEADS:
        pass
    last, known = audit.last_seal(tx), latest(tx)
    if last is None or (known is not None and known.seal >= last["seq"]):
        return None
    anchor = Anchor(last["seq"], last["hash"], float(at), signer.key if signer else "")
    if signer is not None:
        anchor = replace(anchor, signature=signer.sign(anchor.signed))
    tx.run(_ADD, **asdict(anchor))
    return anchor


def latest(tx: Tx) -> Anchor | None:
    """The newest anchor."""
    row = tx.one(_LATEST)
    return None if row is None else Anchor(**row)


def unwritten(tx: Tx) -> list[Anchor]:
    """Anchors that are not in the file yet, oldest first."""
    return _anchors(tx.all(_UNWRITTEN))


def written(tx: Tx, seal: int) -> None:
    """The anchor of this seal is in the file, durably."""
    tx.run(_WRITTEN, seal=seal)


def first_from(tx: Tx, seal: int) -> Anchor | None:
    """The oldest anchor that stands for this seal: its own or a later one's."""
    found = _anchors(tx.all(_FROM, seal=seal, limit=1))
    return found[0] if found else None


def _anchors(rows: Iterable[Row]) -> list[Anchor]:
    return [Anchor(**row) for row in rows]
