"""Letters that a person does not see, or takes for others: said by name instead of being passed on."""

from __future__ import annotations

import unicodedata

_BREAKS = frozenset("\n\r\t")
# Turn what follows around, so that an approver would read something else than what is applied (CVE-2021-42574)
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS = frozenset("\u200c\u200d")  # of Persian, Indic scripts and emoji


def unreadable(text: str, *, lines: bool = False) -> str:
    """The end of a sentence about the first letter nobody sees, or ``""``; with ``lines`` it may have line breaks."""
    if text.isascii() and text.isprintable():
        return ""
    for place, letter in enumerate(text, 1):
        if (lines and letter in _BREAKS) or letter in _JOINERS:
            continue
        kind = unicodedata.category(letter)
        if letter in _BREAKS:
            return "must be one line."
        if kind in ("Cc", "Cs") or letter in _TURNING or (kind in ("Cf", "Zl", "Zp") and not lines):
            return f"has a letter that nobody sees, {_name(letter)}, at place {place}."
    return ""


def odd_letter(text: str) -> str:
    """A sentence about the first letter that only looks like one of the Latin alphabet or like nothing, or ``""``."""
    for letter in text[:200]:
        if not letter.isascii() and not unicodedata.name(letter, "").startswith("LATIN"):
            return f"The {letter!r} in it is {_name(letter)}."
    return ""


def _name(letter: str) -> str:
    return f"U+{ord(letter):04X} {unicodedata.name(letter, '')}".strip()
