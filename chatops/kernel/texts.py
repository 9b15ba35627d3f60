"""Texts as JSON from outside may bring them, and as a database, a network or a card can take them."""

from __future__ import annotations


def whole(text: str) -> str:
    """The same with a question mark for each half of a surrogate pair, which JSON can carry and UTF-8 can not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def shorten(text: str, most: int) -> str:
    """At most ``most`` characters; what was cut off is not taken for the end."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
