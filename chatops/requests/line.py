"""The line that people type: ``/platform ACTION positional… key=value… because REASON``.

Pure: text in, ``Line`` out, or a ``Misread`` that knows what was understood, so that the form can be opened with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import permutations

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.errors import InputError
from chatops.kernel.families import families, listed, spoken
from chatops.kernel.several import joined, parted

Values = Mapping[str, str]

# Phones and word processors write these for " and '; one for one, so that positions stay the same.
_QUOTES = str.maketrans({**dict.fromkeys("“”„‟«»″", '"'), **dict.fromkeys("‘’‚‛′", "'")})
_WORD = re.compile(
    r"(?P<key>[A-Za-z][\w.-]*=)?(?:\"(?P<double>[^\"]*)\"|'(?P<single>[^']*)'|(?P<plain>\S*))(?=\s|$)|(?P<rest>\S+)"
)
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
_YES, _NO = frozenset({"yes", "true", "on", "1", "y"}), frozenset({"no", "false", "off", "0", "n", ""})
_MOST_WORDS = 5  # of which every order is tried; no action declares more positionals
_SHOWN = 60  # characters of a wrong word that are said back


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


def parse(text: str, actions: Mapping[str, Action], platform: Platform, people: Values | None = None) -> Line:
    """Understands a line (already unescaped); an empty one has the action ``""``. Raises ``Misread`` and nothing else.

    ``people``: the ids of those whom it mentions, as ``people_in`` gives them.

    Positional words go by the order the action declares; out of order they are understood when they fit one way only
    (``deploy checkout production 1.4.2``). Whether the values are good is for ``requests.parse`` to say.
    """
    pairs, reason = _split(text)
    bare = [value for key, value in pairs if not key]
    if not bare:
        if pairs:
            raise Misread("Which action?", Line("", reason=reason), hint="Start with one, as in `deploy checkout`.")
        return Line("", reason=reason)
    action, rest = _action(bare, actions, reason)
    if action.reads is not None:
        return _read(action, pairs, len(bare) - len(rest), reason)
    reader = _Reader(action, actions, platform, reason, people or {})
    wrong = reader.take_keys([(key, value) for key, value in pairs if key])
    try:
        reader.take_words(rest)  # also after a wrong key: the corrected line keeps them
    except Misread:
        if not wrong:
            raise
    if wrong:
        raise wrong[0]()
    return reader.line()


def _read(action: Action, pairs: Sequence[tuple[str, str]], skipped: int, reason: str) -> Line:
    """The line of an action that reads its own words: among them are another action's, with their keys."""
    words, known = [], {one.name for one in inputs_of(action.inputs)}
    for key, value in pairs:
        if not key and skipped:
            skipped -= 1
        elif key not in known:
            words.append(f"{key}={_quoted(value)}" if key else _quoted(value))
    found = action.reads(" ".join(words), reason) if action.reads is not None and words else {"reason": reason}
    values = {**found, **{key: value for key, value in pairs if key in known}}
    return Line(action.name, {n: v for n, v in values.items() if n != "reason" and v}, values.get("reason", ""))


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
            words.append(_quoted(value) if in_order else f"{name}={_quoted(value)}")
    if line.break_glass:
        words.append("break_glass=yes")
    return " ".join(words) + (f" because {line.reason}" if line.reason else "")


def _quoted(value: str) -> str:
    risky = not value or re.search(r"[\s\"'=“”„‟«»″‘’‚‛′]", value) or value.casefold() == "because"
    if not risky:
        return value
    return f'"{value}"' if '"' not in value.translate(_QUOTES) else f"'{value}'"


def _split(text: str) -> tuple[list[tuple[str, str]], str]:
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


def _action(words: Sequence[str], actions: Mapping[str, Action], reason: str) -> tuple[Action, list[str]]:
    """The action that the first words name (``database create`` is ``database.create``), and the other words."""
    names = {name.casefold(): name for name in actions}
    for length in (3, 2, 1):
        name = names.get(".".join(words[:length]).casefold())
        if name is not None and len(words) >= length:
            return actions[name], list(words[length:])
    first, meant, used = words[0].casefold(), "", 1
    kin = families(one for one in actions.values() if not one.operators_only).get(first, ())
    if kin and len(words) == 1:
        raise Misread(f"`{first}` needs another word.", Line("", reason=reason), hint=f"There are {listed(kin)}.")
    for length in () if kin else (2, 1):
        if len(words) >= length and (near := closest(".".join(words[:length]), names)):
            meant, used = names[near], length
            break
    if kin and (near := closest(words[1], [one.name.casefold().partition(".")[2] for one in kin])):
        meant, used = names[f"{first}.{near}"], 2
    said = " ".join(words[: 2 if kin else 1])[:_SHOWN]
    known = kin or [one for one in actions.values() if not one.operators_only and not one.hidden][:12]
    hint = f"There are {listed(known)}." if kin else f"I know {listed(known)}. `help` says more."
    # _WORD gave these words, quoted again they read the same.
    again = " ".join([spoken(meant), *(_quoted(word) for word in words[used:])])
    raise Misread(
        f"There is no action called {said!r}.", Line(meant, reason=reason), field="action", suggestion=spoken(meant),
        hint=f"Did you mean {spoken(meant)}?" if meant else hint,
        corrected=f"{again}{f' because {reason}' if reason else ''}" if meant else "",
    )  # fmt: skip


class _Reader:
    """Puts words into the inputs of one action."""

    def __init__(
        self, action: Action, actions: Mapping[str, Action], platform: Platform, reason: str, people: Values
    ) -> None:
        self.action = action
        self.fields = {one.name: one for one in inputs_of(action.inputs)}
        self.values: dict[str, str] = {}
        self.reason = reason
        self.break_glass = False
        self._actions = actions
        self._people = people
        self._said: set[str] = set()  # given with a key, and wrong
        self._known: dict[InputKind, dict[str, str]] = {
            InputKind.SERVICE: _by_fold(platform.services),
            InputKind.ENVIRONMENT: _by_fold(platform.environments),
            InputKind.TEAM: _by_fold(platform.teams),
            InputKind.ACTION: _by_fold([*families(actions.values()), *actions]),
            InputKind.BOOLEAN: {word: word for word in (_YES | _NO) - {""}},
        }
        self._meant = cache(self._closest)

    def line(self) -> Line:
        values = {name: self.values[name] for name in self.fields if self.values.get(name)}
        reason = self.reason or values.get("reason", "")
        values.pop("reason", None)
        return Line(self.action.name, values, reason, self.break_glass)

    def take_keys(self, pairs: Sequence[tuple[str, str]]) -> list[Callable[[], Misread]]:
        """``key=value`` words; names and titles of inputs are the same; gives what is wrong with them."""
        keys = {one.title.casefold().replace(" ", "_"): name for name, one in self.fields.items()}
        keys |= {name.casefold(): name for name in self.fields} | {"break_glass": "break_glass"}
        wrong: list[Callable[[], Misread]] = []
        for key, value in pairs:
            name = keys.get(key.casefold().replace("-", "_"))
            if name is None:
                wrong.append(partial(self._unknown_key, key, value, keys))
            elif name == "break_glass":
                self.break_glass = value.casefold() in _YES
            elif not self._fits(name, value) and self._closed(name) and value:
                wrong.append(partial(self._unknown_word, name, value))
                self._said.add(name)
            elif self.values.get(name, value := self._spelled(name, value)) != value:
                wrong.append(partial(self._twice, name, value))
            else:
                self.values[name] = value
        return wrong

    def take_words(self, words: Sequence[str]) -> None:
        """Positional words."""
        given = self.values.keys() | self._said
        slots = [name for name in self.action.positionals if name in self.fields and name not in given]
        words = [word for word in words if word.casefold() not in self.action.fillers]
        words = self._without_keyed(self._joined(words, slots), slots)
        extra = words[len(slots) :]
        words = words[: len(slots)]
        misfits: list[tuple[str, str]] = []
        for name, word in self._assigned(words, slots):
            if self._fits(name, word) or not self._closed(name):
                self.values[name] = self._spelled(name, word)
            elif not self._meant(name, word) and (better := next((one for one in extra if self._fits(name, one)), "")):
                self.values[name] = self._spelled(name, better)  # a stray word before it: `1.4 2 production`
                extra = [word, *(one for one in extra if one != better)]
            else:
                misfits.append((name, word))
        if misfits:
            raise self._unknown_word(*misfits[0])
        if extra:
            raise self._extra(extra)

    def _without_keyed(self, words: Sequence[str], slots: Sequence[str]) -> list[str]:
        """Takes what suits no slot but the one needed input that has none: the 5 of ``scale checkout production 5``."""
        left: list[str] = []
        for word in words:
            placed = any(self._fits(name, word) or self._meant(name, word) for name in slots)
            homes = [] if placed else self._homes(word)
            if len(homes) == 1 and self.fields[homes[0]].required:
                self.values[homes[0]] = self._spelled(homes[0], word)
            else:
                left.append(word)
        return left

    def _homes(self, word: str) -> list[str]:
        """The inputs said with a key that a word without one could be for."""
        return [
            name
            for name, one in self.fields.items()
            if name not in self.action.positionals and name not in self.values and self._fits(name, word)
            and (one.kind in _LIKE or (one.kind in _SAID_ALONE and self._closed(name)))
        ]  # fmt: skip

    def _joined(self, words: Sequence[str], slots: Sequence[str]) -> list[str]:
        """``why database create``: two words that name one action become one."""
        joined = list(words)
        if any(self.fields[name].kind is InputKind.ACTION for name in slots):
            for at in range(len(joined) - 1):
                if (both := f"{joined[at]}.{joined[at + 1]}").casefold() in self._known[InputKind.ACTION]:
                    return [*joined[:at], both, *joined[at + 2 :]]
        return joined

    def _assigned(self, words: Sequence[str], slots: Sequence[str]) -> list[tuple[str, str]]:
        """Which word goes where: the declared order when all fit, else the only or the likeliest order."""
        in_order = list(zip(slots, words, strict=False))
        if len(words) > _MOST_WORDS or len(slots) > _MOST_WORDS or all(self._fits(*pair) for pair in in_order):
            return in_order
        orders = [list(zip(order, words, strict=True)) for order in permutations(slots, len(words))]
        # max() keeps the first of equals, and permutations() begins with the declared order.
        return max(orders, key=lambda pairs: sum(self._score(*pair) for pair in pairs))

    def _score(self, name: str, word: str) -> int:
        """How well a word suits an input; a version is hardly ever without a digit."""
        kind = self.fields[name].kind
        if kind is InputKind.VERSION:
            return 0 if not self._fits(name, word) else 4 if any(letter.isdigit() for letter in word) else 1
        if self._fits(name, word):
            return 6 if self._closed(name) or kind in _LIKE else 3
        return 2 if self._meant(name, word) else 0

    def _closed(self, name: str) -> bool:
        """Whether only known words will do."""
        return self._choices(name) is not None

    def _choices(self, name: str) -> Mapping[str, str] | None:
        one = self.fields[name]
        if one.kind in (InputKind.CHOICE, InputKind.CHOICES):
            return _by_fold(one.options) if one.options else None  # None: looked up later
        return self._known.get(one.kind)

    def _fits(self, name: str, word: str) -> bool:
        kind, choices = self.fields[name].kind, self._choices(name)
        if choices is not None:
            return all(one.casefold() in choices for one in self._parts(name, word))
        if kind is InputKind.VERSION:
            return bool(_VERSION.match(word)) and word.casefold() not in self._known[InputKind.ENVIRONMENT]
        if kind in _LIKE:
            return bool(_LIKE[kind].fullmatch(word))
        # Somebody who is mentioned is meant as a person, wherever the word stands.
        return not (word.startswith("@") and any(one.kind is InputKind.PERSON for one in self.fields.values()))

    def _parts(self, name: str, word: str) -> tuple[str, ...]:
        """The single choices of a word; a team may be written as people write to one, @shop."""
        kind = self.fields[name].kind
        return parted(word) if kind is InputKind.CHOICES else (word.removeprefix("@" * (kind is InputKind.TEAM)),)

    def _spelled(self, name: str, word: str) -> str:
        kind, choices = self.fields[name].kind, self._choices(name) or {}
        if kind is InputKind.CHOICES:
            return joined(dict.fromkeys(choices.get(one.casefold(), one) for one in parted(word)))
        if kind is InputKind.PERSON and word.startswith("@"):
            return self._people.get(word[1:].casefold(), word)
        return choices.get(self._parts(name, word)[0].casefold(), word)

    def _closest(self, name: str, word: str) -> str:
        """The word that was probably meant; of several choices every one."""
        choices = self._choices(name) or {}
        near = [
            one.casefold() if one.casefold() in choices else closest(one[:_SHOWN], choices)
            for one in self._parts(name, word)
        ]
        if not all(near):
            return ""
        meant = [choices[one] for one in near]
        return joined(dict.fromkeys(meant)) if self.fields[name].kind is InputKind.CHOICES else meant[0]

    def _unknown_word(self, name: str, word: str) -> Misread:
        meant, one = self._meant(name, word), self.fields[name]
        known = list((self._choices(name) or {}).values())
        word = next((part for part in self._parts(name, word) if not self._fits(name, part)), word)
        said = f"There is no {one.title.casefold()} called {word[:_SHOWN]!r}."
        if one.kind in (InputKind.CHOICE, InputKind.CHOICES):
            said = f"{one.title} can't be {word[:_SHOWN]!r}."
        some = f"There are {', '.join(known[:8])}{' and more' if len(known) > 8 else ''}." if known else ""
        return Misread(
            said, self.line(), field=name, suggestion=meant, hint=f"Did you mean {meant}?" if meant else some,
            corrected=self._corrected({name: meant}) if meant else "",
        )  # fmt: skip

    def _unknown_key(self, key: str, value: str, keys: Mapping[str, str]) -> Misread:
        near = closest(key[:_SHOWN], keys)
        meant = keys[near] if near else ""
        hint = f"Did you mean {meant}={value[:_SHOWN]}?" if meant else f"It takes {', '.join(self.fields)}."
        said = f"`{self.action.name}` has no input called {key[:_SHOWN]!r}."
        fixed = self._corrected({meant: value}) if meant in self.fields and value else ""
        return Misread(said, self.line(), field=key, suggestion=meant, hint=hint, corrected=fixed)

    def _twice(self, name: str, value: str) -> Misread:
        both = f"{self.values[name][:_SHOWN]!r} and {value[:_SHOWN]!r}"
        return Misread(
            f"{self.fields[name].title} is given twice: {both}.", self.line(), field=name, hint="Say it once."
        )

    def _extra(self, words: Sequence[str]) -> Misread:
        said = " ".join(words)
        homes = self._homes(words[0]) if len(words) == 1 else []
        if len(homes) == 1:
            return Misread(
                f"I don't know what {said[:_SHOWN]!r} is for.", self.line(), hint=f"Did you mean {homes[0]}={said}?",
                corrected=self._corrected({homes[0]: said}), suggestion=f"{homes[0]}={said}",
            )  # fmt: skip
        hint = "A reason goes after `because`." if not self.reason else f"Usage: {self.action.usage}"
        takes_reason = "reason" in self.fields and not self.reason
        fixed = f"{write(self.action, self.line())} because {said}" if takes_reason else ""
        return Misread(
            f"I don't know what {said[:_SHOWN]!r} is for.", self.line(), hint=hint, corrected=fixed,
            suggestion=f"because {said}" if takes_reason else "",
        )  # fmt: skip

    def _corrected(self, right: Values) -> str:
        line = self.line()
        return write(self.action, Line(line.action, {**line.values, **right}, line.reason, line.break_glass))


def _by_fold(names: Mapping[str, object] | Sequence[str]) -> dict[str, str]:
    return {name.casefold(): name for name in names}
