"""What a bundle proves beyond its hashes: that it is whole, what was judged, and which anchor stands for it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

from pydantic import ValidationError

from chatops.adapters.audit_export import HEAD, Loaded
from chatops.adapters.signing import VerifyingKey
from chatops.kernel.anchor import Anchor
from chatops.kernel.audit import Bad, Verdict, seals_of
from chatops.kernel.plan import Decision, Plan, digest
from chatops.kernel.ports import Row, Tx

_ROWS = "SELECT chain, seq, who, what, data FROM audit ORDER BY chain, seq"


def weighed(verdict: Verdict, tx: Tx, found: Loaded, key: VerifyingKey | None) -> Verdict:
    """The verdict on a bundle whose hashes are right, with what else is wrong, or what follows from it."""
    said = _weighed(tx, found, key)
    return replace(verdict, bad=said) if isinstance(said, Bad) else replace(verdict, says=tuple(said))


def _weighed(tx: Tx, found: Loaded, key: VerifyingKey | None) -> Bad | list[str]:
    chain, rows, says = found.bundle, tx.all(_ROWS), []
    head = tx.one(HEAD, chain=chain)
    if head is None or not rows or rows[0]["seq"] != 1 or any(row["chain"] != chain for row in rows):
        return Bad(chain, 0, "a bundle has the whole chain that it is about, and no other")
    if found.request is not None:
        if wrong := _disagrees(found.request, rows):
            return Bad(chain, 0, wrong)
        says.append(f"The request in it is the one the trail tells of; its plan is {_plan_of(rows)[:8] or 'none'}.")
    seals = list(seals_of(tx))
    for before, after in pairwise(seals):
        if after["seq"] != before["seq"] + 1:
            return Bad("seals", before["seq"] + 1, f"missing: row {after['seq']} comes instead")
    if not any(json.loads(seal["heads"]).get(chain) == [head["seq"], head["hash"]] for seal in seals):
        return [*says, "Its last row is in no seal yet: take the bundle again in a minute."]
    if not found.anchors:
        return [*says, "No anchor stands for it yet: take the bundle again in a day."]
    hashes = {seal["seq"]: seal["hash"] for seal in seals}
    return _wrong_anchor(found.anchors, hashes, key) or [*says, *(_stands(one, key) for one in found.anchors)]


def _wrong_anchor(anchors: Iterable[Anchor], seals: Mapping[int, str], key: VerifyingKey | None) -> Bad | None:
    for one in anchors:
        if one.seal != max(seals):
            return Bad("seals", one.seal, "missing: the anchor stands for it")
        if one.hash != seals[one.seal]:
            return Bad("seals", one.seal, "replaced: an anchor holds another hash of it")
        if key is not None and (wrong := key.wrong(one)):
            return Bad("anchor", one.seal, wrong)
    return None


def _stands(one: Anchor, key: VerifyingKey | None) -> str:
    signed = f"signed with the key {one.key}" if key else "its signature was not checked: give --public-key"
    return f"The anchor of seal {one.seal} stands for it ({signed})."


def _plan_of(rows: list[Row]) -> str:
    """The digest of the plan that was decided on last; empty when it never came to one."""
    return next((str(data["digest"]) for data in _newest(rows) if "digest" in data), "")


def _newest(rows: list[Row]) -> Iterator[Mapping[str, Any]]:
    return (json.loads(row["data"]) for row in reversed(rows))


def _disagrees(entry: Mapping[str, Any], rows: list[Row]) -> str:
    """How what was judged differs from what the trail tells of it; empty when it does not."""
    body, asked = entry.get("body"), json.loads(rows[0]["data"])
    votes = entry.get("votes")
    if not isinstance(body, dict) or not isinstance(votes, list) or f"R-{entry.get('id')}" != rows[0]["chain"]:
        return "the request in it is another one"
    asker = body.get("requester_email") or body.get("requester_id")
    told = {"action": asked.get("action"), "reason": asked.get("reason")}
    if asker != rows[0]["who"] or {name: body.get(name) for name in told} != told:
        return "who asked for what, and why, is not what the trail tells"
    state = next((data["state"] for data in _newest(rows) if "state" in data), body.get("state"))
    if state != body.get("state"):
        return f"it ended as {body.get('state')}, and the trail says {state}"
    voters = {row["who"] for row in rows}
    if any((vote.get("email") or vote.get("person_id")) not in voters for vote in votes):
        return "somebody voted of whom the trail does not tell"
    decided = _plan_of(rows)
    return "" if not decided or decided == body.get("digest") == _digest(body) else "its plan is not the one decided on"


def _digest(body: Mapping[str, Any]) -> str:
    """The digest of the plan in it, made anew."""
    try:
        plan, decision = Plan.model_validate(body.get("plan")), Decision.model_validate(body.get("decision"))
        return digest(str(body["action"]), dict(body["inputs"]), plan, decision)
    except (ValidationError, KeyError, TypeError, ValueError):
        return ""
