"""The line that people type, ``/platform ACTION positional… key=value… because REASON``, and how it is written.

``requests.reading`` understands it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.errors import InputError

Values = Mapping[str, str]

# Phones and word processors write these for " and '; one for one, so that positions stay the same.
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‘’‚‛′", "'")})
_WORD = re.compile(
    r"(?P<key>[A-Za-z][\w.-]*=)?(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<plain>\S*))(?=\s|$)|(?P<rest>\S+)"
)


@dataclass(frozen=True, slots=True)
class Line:
    """An understood line; ``values`` by input name, names from the catalog in their own spelling."""

    action: str
    values: Values = field(default_factory=dict)
    reason: str = ""
    break_glass: bool = False

    def inputs(self, action: Action) -> dict[str, str]:
        """The values with the reason among them, where the action takes one."""
        takes_reason = any(one.name == "reason" for one in inputs_of(action.inputs))
        return {**self.values, **({"reason": self.reason} if self.reason and takes_reason else {})}

    def missing(self, action: Action) -> tuple[str, ...]:
        """Titles of the inputs that are needed and not there."""
        given = self.inputs(action)
        return tuple(
            one.title
            for one in inputs_of(action.inputs)
            if one.required and not one.asked.default_from and not given.get(one.name)
        )


class Misread(InputError):
    """A word that means nothing here; ``line`` is what was understood, ``corrected`` the line probably meant."""

    def __init__(
        self, message: str, line: Line, *, field: str = "", suggestion: str = "", hint: str = "", corrected: str = ""
    ) -> None:
        super().__init__(message, field=field, suggestion=suggestion, hint=hint)
        self.line = line
        self.corrected = corrected


def write(action: Action, line: Line) -> str:
    """The line as one would type it; reads back as the same line."""
    words = [action.name]
    in_order = True
    kinds = {one.name: one.kind for one in inputs_of(action.inputs)}
    for name in [*action.positionals, *(name for name in line.values if name not in action.positionals)]:
        value = line.values.get(name, "")
        # A version without digits could be taken for a name, and a word after a gap for its neighbour: say the key.
        plain = kinds.get(name) is not InputKind.VERSION or any(letter.isdigit() for letter in value)
        in_order = in_order and name in action.positionals and bool(value) and plain
        if value:
            words.append(quoted(value) if in_order else f"{name}={quoted(value)}")
    if line.break_glass:
        words.append("break_glass=yes")
    return " ".join(words) + (f" because {line.reason}" if line.reason else "")


def quoted(value: str) -> str:
    """A value as one word of a line."""
    risky = not value or re.search(r"[\s\"'=“”„‟«»″‘’‚‛′]", value) or value.casefold() == "because"
    if not risky:
        return value
    return f'"{value}"' if '"' not in value.translate(_QUOTES) else f"'{value}'"


def split(text: str) -> tuple[list[tuple[str, str]], str]:
    """(key or "", value) of each word up to ``because``, and the reason behind it."""
    found: list[tuple[str, str]] = []
    for match in _WORD.finditer(text.translate(_QUOTES)):
        key = (match["key"] or "")[:-1]
        kind = next(name for name in ("double", "single", "plain", "rest") if match[name] is not None)
        value = text[match.start(kind) : match.end(kind)]  # as typed: only around a value are quotes alike
        if not key and kind in ("plain", "rest") and value.casefold() == "because":
            return found, text[match.end() :].strip()
        if key or value:
            found.append((key, value))
    return found, ""
