"""Texts as they come from outside, and as a database, a network, a card or a sentence can take them."""

from __future__ import annotations


def whole(text: str) -> str:
    """The same with a question mark for each half of a surrogate pair, which JSON can carry and UTF-8 can not."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def shorten(text: str, most: int) -> str:
    """At most ``most`` characters; what was cut off is not taken for the end."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def ended(sentence: str) -> str:
    """The sentence with its full stop; what a cluster says often has none, and more follows."""
    return sentence if sentence.endswith((".", "!", "?", "…")) else f"{sentence}."
