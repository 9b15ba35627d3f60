"""Several choices as one text, as people type them on the line: ``small,large``.

One that holds a comma or a quotation mark stands in quotation marks, as in CSV (RFC 4180): ``"a, b",c``. A comma alone
is none of them, which is something else than nothing said.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable

NONE = ","


def joined(choices: Iterable[str]) -> str:
    """The text that ``parted`` reads back."""
    return ",".join(_quoted(one) for one in choices) or NONE


def parted(text: str) -> tuple[str, ...]:
    """The choices of a text, each once, blanks around them taken off."""
    try:
        row = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error:  # a line break among them, or one of more than 128 KiB
        row = text.split(",")
    return tuple(dict.fromkeys(one.strip() for one in row if one.strip()))


def _quoted(choice: str) -> str:
    if "," not in choice and '"' not in choice:
        return choice
    return '"' + choice.replace('"', '""') + '"'
