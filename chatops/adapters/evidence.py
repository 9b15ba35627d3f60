"""What a bundle proves beyond its hashes: that it is whole, what was judged, and which anchor stands for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from chatops.adapters.audit_export import HEAD, VOTED, Loaded
from chatops.adapters.signing import VerifyingKey
from chatops.kernel.anchor import Anchor
from chatops.kernel.audit import Bad, Verdict, heads_in, seals_of
from chatops.kernel.plan import Decision, Plan, digest
from chatops.kernel.ports import Row, Tx

_ROWS = "SELECT chain, seq, who, what, data FROM audit ORDER BY chain, seq"


def weighed(verdict: Verdict, tx: Tx, found: Loaded, key: VerifyingKey | None, anchored: Mapping[int, str]) -> Verdict:
    """The verdict on a bundle whose hashes are right, with what else is wrong, or what follows from it.

    Whoever gives a key or anchors asks whether one stands for it; without, one that is missing is only said.
    """
    said = _weighed(tx, found, key, anchored)
    return replace(verdict, bad=said) if isinstance(said, Bad) else replace(verdict, says=tuple(said))


def _weighed(tx: Tx, found: Loaded, key: VerifyingKey | None, anchored: Mapping[int, str]) -> Bad | list[str]:
    chain, rows, says = found.bundle, tx.all(_ROWS), []
    head = tx.one(HEAD, chain=chain)
    if head is None or not rows or rows[0]["seq"] != 1 or any(row["chain"] != chain for row in rows):
        return Bad(chain, 0, "a bundle has the whole chain that it is about, and no other")
    if found.request is not None:
        if wrong := _disagrees(found.request, rows):
            return Bad(chain, 0, wrong)
        plan = _plan_of(rows)[:8] or "none"
        says.append(f"Who asked for what, its plan ({plan}), the votes and the end are those the trail tells of.")
    seals = list(seals_of(tx))
    for before, after in pairwise(seals):
        if after["seq"] != before["seq"] + 1:
            return Bad("seals", before["seq"] + 1, f"missing: row {after['seq']} comes instead")
    wanted = key is not None or bool(anchored)
    if not any((heads_in(seal) or {}).get(chain) == (head["seq"], head["hash"]) for seal in seals):
        lacks = "its last row is in no seal yet: take the bundle again in a minute"
        return Bad(chain, head["seq"], lacks) if wanted else [*says, f"But {lacks}."]
    if not found.anchors:
        lacks = "no anchor stands for it yet: take the bundle again in a day"
        return Bad(chain, head["seq"], lacks) if wanted else [*says, f"But {lacks}."]
    hashes = {seal["seq"]: seal["hash"] for seal in seals}
    bad = _wrong_anchor(found.anchors, hashes, key, anchored)
    return bad or [*says, *(_stands(one, key) for one in found.anchors)]


def _wrong_anchor(
    anchors: Iterable[Anchor], seals: Mapping[int, str], key: VerifyingKey | None, anchored: Mapping[int, str]
) -> Bad | None:
    for one in anchors:
        if one.seal != max(seals):
            return Bad("seals", one.seal, "missing: the anchor stands for it")
        if one.hash != seals[one.seal]:
            return Bad("seals", one.seal, "replaced: an anchor holds another hash of it")
        if key is not None and (wrong := key.wrong(one)):
            return Bad("anchor", one.seal, wrong)
        if anchored and one.seal not in anchored:
            return Bad("anchor", one.seal, "is not among the anchors that were given")
    return None


def _stands(one: Anchor, key: VerifyingKey | None) -> str:
    signed = f"signed with the key {one.key}" if key else "its signature was not checked: give --public-key"
    return f"The anchor of seal {one.seal} stands for it ({signed})."


def _plan_of(rows: list[Row]) -> str:
    """The digest of the plan that was decided on last; empty when it never came to one."""
    return next((str(data["digest"]) for data in _newest(rows) if "digest" in data), "")


def _data(row: Row) -> Mapping[str, Any]:
    """What a row tells; nothing when that is no object."""
    try:
        found = json.loads(row["data"])
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _newest(rows: list[Row]) -> Iterator[Mapping[str, Any]]:
    return (_data(row) for row in reversed(rows))


def _disagrees(entry: Mapping[str, Any], rows: list[Row]) -> str:
    """How what was judged differs from what the trail tells of it; empty when it does not."""
    if f"R-{entry['id']}" != rows[0]["chain"]:
        return "the request in it is another one"
    asked = _data(rows[0])
    told = {name: asked.get(name) for name in ("action", "inputs", "reason")}
    if entry["asked_by"] != rows[0]["who"] or {name: entry[name] for name in told} != told:
        return "who asked for what, and why, is not what the trail tells"
    state = next((data["state"] for data in _newest(rows) if "state" in data), entry["state"])
    if state != entry["state"]:
        return f"it ended as {entry['state']}, and the trail says {state}"
    given = {(vote.get("who"), vote.get("digest")): {name: vote.get(name) for name in VOTED} for vote in entry["votes"]}
    if len(given) != len(entry["votes"]) or given != _votes_of(rows):
        return "the votes in it are not those of which the trail tells"
    decided = _plan_of(rows)
    return "" if not decided or decided == entry["digest"] == _digest(entry) else "its plan is not the one decided on"


def _votes_of(rows: list[Row]) -> Mapping[tuple[Any, Any], Mapping[str, Any]]:
    """The last vote of each person on each plan, as the trail tells of it."""
    told = ((row["who"], data) for row in rows if "verdict" in (data := _data(row)))
    return {(who, data.get("digest")): {name: data.get(name) for name in VOTED} for who, data in told}


def _digest(entry: Mapping[str, Any]) -> str:
    """The digest of the plan in it, made anew."""
    try:
        plan, decision = Plan.model_validate(entry["plan"]), Decision.model_validate(entry["decision"])
        return digest(entry["action"], entry["inputs"], plan, decision)
    except (ValidationError, ValueError, TypeError, RecursionError):
        return ""
