"""What the words of a line could be for: which input one suits, how it is spelled there, what it probably meant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.families import families
from chatops.kernel.several import joined, parted
from chatops.requests.line import Values

_VERSION = re.compile(r"^(?:sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
# Words that say by their looks what they are for
_LIKE = {
    InputKind.INTEGER: re.compile(r"[+-]?\d{1,18}"),
    InputKind.NUMBER: re.compile(r"[+-]?\d{1,18}(\.\d{1,18})?"),
    InputKind.DURATION: re.compile(r"(\d{1,6}[wdhms])+"),
    InputKind.PERSON: re.compile(r"@\S+|[UW][A-Z0-9]{2,20}|[^@\s<>]+@[^@\s<>]+\.[^@\s<>]+"),
    InputKind.DATETIME: re.compile(r"\d{4}-\d\d-\d\d([T ].*)?|(today|tomorrow)\s+\d{1,2}[:.]\d\d", re.IGNORECASE),
}
_SAID_ALONE = (InputKind.CHOICE, InputKind.CHOICES, InputKind.TEAM)
YES, NO = frozenset({"yes", "true", "on", "1", "y"}), frozenset({"no", "false", "off", "0", "n", ""})
SHOWN = 60  # characters of a wrong word that are looked at, and said back


class Words:
    """The inputs of one action, and the words that they know; ``people``: the ids of those whom the line mentions."""

    def __init__(self, action: Action, actions: Mapping[str, Action], platform: Platform, people: Values) -> None:
        self.fields = {one.name: one for one in inputs_of(action.inputs)}
        self._people = people
        self.known: dict[InputKind, dict[str, str]] = {
            InputKind.SERVICE: _by_fold(platform.services),
            InputKind.ENVIRONMENT: _by_fold(platform.environments),
            InputKind.TEAM: _by_fold(platform.teams),
            InputKind.ACTION: _by_fold([*families(actions.values()), *actions]),
            InputKind.BOOLEAN: {word: word for word in (YES | NO) - {""}},
        }
        self.meant = cache(self._closest)  # for (input, word)

    def closed(self, name: str) -> bool:
        """Whether only known words will do."""
        return self.choices(name) is not None

    def choices(self, name: str) -> Mapping[str, str] | None:
        """The words that will do, by their folded form; None where others may do as well."""
        one = self.fields[name]
        if one.kind in (InputKind.CHOICE, InputKind.CHOICES):
            return _by_fold(one.options) if one.options else None  # None: looked up later
        return self.known.get(one.kind)

    def fits(self, name: str, word: str) -> bool:
        """Whether a word may stand for an input."""
        kind, choices = self.fields[name].kind, self.choices(name)
        if choices is not None:
            return all(one.casefold() in choices for one in self.parts(name, word))
        if kind is InputKind.VERSION:
            return bool(_VERSION.match(word)) and word.casefold() not in self.known[InputKind.ENVIRONMENT]
        if kind in _LIKE:
            return bool(_LIKE[kind].fullmatch(word))
        # Somebody who is mentioned is meant as a person, wherever the word stands.
        return not (word.startswith("@") and any(one.kind is InputKind.PERSON for one in self.fields.values()))

    def score(self, name: str, word: str) -> int:
        """How well a word suits an input; a version is hardly ever without a digit."""
        kind = self.fields[name].kind
        if kind is InputKind.VERSION:
            return 0 if not self.fits(name, word) else 4 if any(letter.isdigit() for letter in word) else 1
        if self.fits(name, word):
            return 6 if self.closed(name) or kind in _LIKE else 3
        return 2 if self.meant(name, word) else 0

    def said_alone(self, name: str, word: str) -> bool:
        """Whether a word says by its looks, or by what it is, that it is for an input."""
        kind = self.fields[name].kind
        return self.fits(name, word) and (kind in _LIKE or (kind in _SAID_ALONE and self.closed(name)))

    def parts(self, name: str, word: str) -> tuple[str, ...]:
        """The single choices of a word; a team may be written as people write to one, @shop."""
        kind = self.fields[name].kind
        return parted(word) if kind is InputKind.CHOICES else (word.removeprefix("@" * (kind is InputKind.TEAM)),)

    def spelled(self, name: str, word: str) -> str:
        """The word as it is spelled where it comes from."""
        kind, choices = self.fields[name].kind, self.choices(name) or {}
        if kind is InputKind.CHOICES:
            return joined(dict.fromkeys(choices.get(one.casefold(), one) for one in parted(word)))
        if kind is InputKind.PERSON and word.startswith("@"):
            return self._people.get(word[1:].casefold(), word)
        return choices.get(self.parts(name, word)[0].casefold(), word)

    def _closest(self, name: str, word: str) -> str:
        """The word that was probably meant; of several choices every one."""
        choices = self.choices(name) or {}
        near = [
            one.casefold() if one.casefold() in choices else closest(one[:SHOWN], choices)
            for one in self.parts(name, word)
        ]
        if not all(near):
            return ""
        meant = [choices[one] for one in near]
        return joined(dict.fromkeys(meant)) if self.fields[name].kind is InputKind.CHOICES else meant[0]


def _by_fold(names: Mapping[str, object] | Sequence[str]) -> dict[str, str]:
    return {name.casefold(): name for name in names}
