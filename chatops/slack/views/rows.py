"""A request in a list: its name, which leads to its card, what it is about, and how it stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatops.slack.mrkdwn import bold, escape, link, when

Row = Mapping[str, Any]  # id, title, state, by, at, link


def request_row(given: Row, now: float, between: str = "\n") -> str:
    """One request as mrkdwn; ``between`` parts what it is from how it stands."""
    number = str(given.get("id", ""))
    name = number if number.startswith("R-") else f"R-{number}"
    shown = link(str(given["link"]), name) if given.get("link") else escape(name, 40)
    rest = [escape(str(given.get("state", "")), 60), escape(str(given.get("by", "")), 60)]
    if given.get("at"):
        rest.append(when(float(given["at"]), now))
    said = " · ".join(part for part in rest if part)
    return f"{shown} · {bold(escape(str(given.get('title', '')), 300))}{between if said else ''}{said}"
