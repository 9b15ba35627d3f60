"""Our own small JSON of a deploy, for whatever can send one; docs/deploys.md has an example."""

from __future__ import annotations

from chatops.kernel.alert import Unreadable
from chatops.kernel.catalog import closest
from chatops.kernel.deployed import STAGES, Deployed
from chatops.kernel.received import address, moment, parsed, quoted, text

NEEDED = ("service", "environment", "version", "state")
KEYS = (*NEEDED, "by", "id", "from", "text", "link", "at", "pipeline")


def read(body: bytes) -> Deployed:
    """One deploy. Raises ``Unreadable``."""
    found = parsed(body)
    for key in found:
        if key not in KEYS:
            meant = closest(key, KEYS)
            better = f"; is it meant to be {meant}" if meant else ""
            raise Unreadable(f"The body has the unknown key {quoted(key)!r}{better}.")
    given = {key: text(found.get(key), key)[:200] for key in KEYS if key not in ("at", "link", "text")}
    for key in NEEDED:
        if not given[key]:
            raise Unreadable(f"The body needs {key}.")
    stage = given["state"].lower().replace(" ", "_").replace("-", "_")
    if stage not in STAGES:
        raise Unreadable(f"state is {quoted(given['state'])!r}: it is one of {', '.join(STAGES)}.")
    return Deployed(
        source=given["pipeline"] or "a pipeline", key=given["id"], service=given["service"],
        environment=given["environment"], version=given["version"], stage=stage,
        by=given["by"], text=text(found.get("text"), "text")[:500], link=address(found.get("link")),
        before=given["from"], at=moment(found.get("at"), "at"),
    )  # fmt: skip
