"""Understands the line that people type.

Pure: text in, ``Line`` out, or a ``Misread`` that knows what was understood, so that the form can be opened with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import permutations

from chatops.kernel.action import Action, InputKind, inputs_of
from chatops.kernel.catalog import Platform, closest
from chatops.kernel.families import families, listed, spoken
from chatops.requests.line import Line, Misread, Values, quoted, split, write
from chatops.requests.words import SHOWN, YES, Words

_MOST_WORDS = 5  # of which every order is tried; no action declares more positionals


def parse(text: str, actions: Mapping[str, Action], platform: Platform, people: Values | None = None) -> Line:
    """Understands a line (already unescaped); an empty one has the action ``""``. Raises ``Misread`` and nothing else.

    ``people``: the ids of those whom it mentions, as ``people_in`` gives them.

    Positional words go by the order the action declares; out of order they are understood when they fit one way only
    (``deploy checkout production 1.4.2``). Whether the values are good is for ``requests.parse`` to say.
    """
    pairs, reason = split(text)
    bare = [value for key, value in pairs if not key]
    if not bare:
        if pairs:
            raise Misread("Which action?", Line("", reason=reason), hint="Start with one, as in `deploy checkout`.")
        return Line("", reason=reason)
    action, rest = _action(bare, actions, reason)
    if action.reads is not None:
        return _read(action, pairs, len(bare) - len(rest), reason)
    reader = _Reader(action, Words(action, actions, platform, people or {}), reason)
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
            words.append(f"{key}={quoted(value)}" if key else quoted(value))
    found = action.reads(" ".join(words), reason) if action.reads is not None and words else {"reason": reason}
    values = {**found, **{key: value for key, value in pairs if key in known}}
    return Line(action.name, {n: v for n, v in values.items() if n != "reason" and v}, values.get("reason", ""))


def _action(words: Sequence[str], actions: Mapping[str, Action], reason: str) -> tuple[Action, list[str]]:
    """The action that the first words name (``database create`` is ``database.create``), and the other words."""
    names = {name.casefold(): name for name in actions}
    for length in (3, 2, 1):
        name = names.get(".".join(words[:length]).casefold())
        if name is not None and len(words) >= length:
            return actions[name], list(words[length:])
    raise _unknown_action(words, actions, reason)


def _unknown_action(words: Sequence[str], actions: Mapping[str, Action], reason: str) -> Misread:
    names = {name.casefold(): name for name in actions}
    first, meant, used = words[0].casefold(), "", 1
    kin = families(one for one in actions.values() if not one.operators_only).get(first, ())
    if kin and len(words) == 1:
        return Misread(f"`{first}` needs another word.", Line("", reason=reason), hint=f"There are {listed(kin)}.")
    for length in () if kin else (2, 1):
        if len(words) >= length and (near := closest(".".join(words[:length]), names)):
            meant, used = names[near], length
            break
    if kin and (near := closest(words[1], [one.name.casefold().partition(".")[2] for one in kin])):
        meant, used = names[f"{first}.{near}"], 2
    said = " ".join(words[: 2 if kin else 1])[:SHOWN]
    known = kin or [one for one in actions.values() if not one.operators_only and not one.hidden][:12]
    hint = f"There are {listed(known)}." if kin else f"I know {listed(known)}. `help` says more."
    again = " ".join([spoken(meant), *(quoted(word) for word in words[used:])])  # they read the same again
    return Misread(
        f"There is no action called {said!r}.", Line(meant, reason=reason), field="action", suggestion=spoken(meant),
        hint=f"Did you mean {spoken(meant)}?" if meant else hint,
        corrected=f"{again}{f' because {reason}' if reason else ''}" if meant else "",
    )  # fmt: skip


class _Reader:
    """Puts words into the inputs of one action."""

    def __init__(self, action: Action, words: Words, reason: str) -> None:
        self.action = action
        self.words = words
        self.values: dict[str, str] = {}
        self.reason = reason
        self.break_glass = False
        self._said: set[str] = set()  # given with a key, and wrong

    def line(self) -> Line:
        values = {name: self.values[name] for name in self.words.fields if self.values.get(name)}
        reason = self.reason or values.get("reason", "")
        values.pop("reason", None)
        return Line(self.action.name, values, reason, self.break_glass)

    def take_keys(self, pairs: Sequence[tuple[str, str]]) -> list[Callable[[], Misread]]:
        """``key=value`` words; names and titles of inputs are the same; gives what is wrong with them."""
        keys = {one.title.casefold().replace(" ", "_"): name for name, one in self.words.fields.items()}
        keys |= {name.casefold(): name for name in self.words.fields} | {"break_glass": "break_glass"}
        wrong: list[Callable[[], Misread]] = []
        for key, value in pairs:
            name = keys.get(key.casefold().replace("-", "_"))
            if name is None:
                wrong.append(partial(self._unknown_key, key, value, keys))
            elif name == "break_glass":
                self.break_glass = value.casefold() in YES
            elif not self.words.fits(name, value) and self.words.closed(name) and value:
                wrong.append(partial(self._unknown_word, name, value))
                self._said.add(name)
            elif self.values.get(name, value := self.words.spelled(name, value)) != value:
                wrong.append(partial(self._twice, name, value))
            else:
                self.values[name] = value
        return wrong

    def take_words(self, words: Sequence[str]) -> None:
        """Positional words."""
        given = self.values.keys() | self._said
        slots = [name for name in self.action.positionals if name in self.words.fields and name not in given]
        words = [word for word in words if word.casefold() not in self.action.fillers]
        words = self._without_keyed(self._joined(words, slots), slots)
        extra = words[len(slots) :]
        words = words[: len(slots)]
        misfits: list[tuple[str, str]] = []
        for name, word in self._assigned(words, slots):
            if self.words.fits(name, word) or not self.words.closed(name):
                self.values[name] = self.words.spelled(name, word)
            elif not self.words.meant(name, word) and (better := self._first(name, extra)):
                self.values[name] = self.words.spelled(name, better)  # a stray word before it: `1.4 2 production`
                extra = [word, *(one for one in extra if one != better)]
            else:
                misfits.append((name, word))
        if misfits:
            raise self._unknown_word(*misfits[0])
        if extra:
            raise self._extra(extra)

    def _first(self, name: str, words: Sequence[str]) -> str:
        return next((one for one in words if self.words.fits(name, one)), "")

    def _without_keyed(self, words: Sequence[str], slots: Sequence[str]) -> list[str]:
        """Takes what suits no slot but the one needed input that has none: the 5 of ``scale checkout production 5``."""
        left: list[str] = []
        for word in words:
            placed = any(self.words.fits(name, word) or self.words.meant(name, word) for name in slots)
            homes = [] if placed else self._homes(word)
            if len(homes) == 1 and self.words.fields[homes[0]].required:
                self.values[homes[0]] = self.words.spelled(homes[0], word)
            else:
                left.append(word)
        return left

    def _homes(self, word: str) -> list[str]:
        """The inputs said with a key that a word without one could be for."""
        return [
            name
            for name in self.words.fields
            if name not in self.action.positionals and name not in self.values and self.words.said_alone(name, word)
        ]

    def _joined(self, words: Sequence[str], slots: Sequence[str]) -> list[str]:
        """``why database create``: two words that name one action become one."""
        joined = list(words)
        if any(self.words.fields[name].kind is InputKind.ACTION for name in slots):
            for at in range(len(joined) - 1):
                if (both := f"{joined[at]}.{joined[at + 1]}").casefold() in self.words.known[InputKind.ACTION]:
                    return [*joined[:at], both, *joined[at + 2 :]]
        return joined

    def _assigned(self, words: Sequence[str], slots: Sequence[str]) -> list[tuple[str, str]]:
        """Which word goes where: the declared order when all fit, else the only or the likeliest order."""
        in_order = list(zip(slots, words, strict=False))
        if len(words) > _MOST_WORDS or len(slots) > _MOST_WORDS or all(self.words.fits(*pair) for pair in in_order):
            return in_order
        orders = [list(zip(order, words, strict=True)) for order in permutations(slots, len(words))]
        # max() keeps the first of equals, and permutations() begins with the declared order.
        return max(orders, key=lambda pairs: sum(self.words.score(*pair) for pair in pairs))

    def _unknown_word(self, name: str, word: str) -> Misread:
        meant, one = self.words.meant(name, word), self.words.fields[name]
        known = list((self.words.choices(name) or {}).values())
        word = next((part for part in self.words.parts(name, word) if not self.words.fits(name, part)), word)
        said = f"There is no {one.title.casefold()} called {word[:SHOWN]!r}."
        if one.kind in (InputKind.CHOICE, InputKind.CHOICES):
            said = f"{one.title} can't be {word[:SHOWN]!r}."
        some = f"There are {', '.join(known[:8])}{' and more' if len(known) > 8 else ''}." if known else ""
        return Misread(
            said, self.line(), field=name, suggestion=meant, hint=f"Did you mean {meant}?" if meant else some,
            corrected=self._corrected({name: meant}) if meant else "",
        )  # fmt: skip

    def _unknown_key(self, key: str, value: str, keys: Mapping[str, str]) -> Misread:
        near = closest(key[:SHOWN], keys)
        meant = keys[near] if near else ""
        hint = f"Did you mean {meant}={value[:SHOWN]}?" if meant else f"It takes {', '.join(self.words.fields)}."
        said = f"`{self.action.name}` has no input called {key[:SHOWN]!r}."
        fixed = self._corrected({meant: value}) if meant in self.words.fields and value else ""
        return Misread(said, self.line(), field=key, suggestion=meant, hint=hint, corrected=fixed)

    def _twice(self, name: str, value: str) -> Misread:
        both = f"{self.values[name][:SHOWN]!r} and {value[:SHOWN]!r}"
        return Misread(
            f"{self.words.fields[name].title} is given twice: {both}.", self.line(), field=name, hint="Say it once."
        )

    def _extra(self, words: Sequence[str]) -> Misread:
        said = " ".join(words)
        homes = self._homes(words[0]) if len(words) == 1 else []
        if len(homes) == 1:
            return Misread(
                f"I don't know what {said[:SHOWN]!r} is for.", self.line(), hint=f"Did you mean {homes[0]}={said}?",
                corrected=self._corrected({homes[0]: said}), suggestion=f"{homes[0]}={said}",
            )  # fmt: skip
        hint = "A reason goes after `because`." if not self.reason else f"Usage: {self.action.usage}"
        takes_reason = "reason" in self.words.fields and not self.reason
        fixed = f"{write(self.action, self.line())} because {said}" if takes_reason else ""
        return Misread(
            f"I don't know what {said[:SHOWN]!r} is for.", self.line(), hint=hint, corrected=fixed,
            suggestion=f"because {said}" if takes_reason else "",
        )  # fmt: skip

    def _corrected(self, right: Values) -> str:
        line = self.line()
        return write(self.action, Line(line.action, {**line.values, **right}, line.reason, line.break_glass))
