"""Hostile variants of what is well formed: JSON, YAML and lines, changed here and there; same seed, same change.

Every variant may carry a planted secret: ``leaked`` finds it, or a telling piece of it, in what came out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from random import Random
from typing import Any

# Shaped like tokens of Slack, GitHub and AWS, a password with its name, and one in an address.
HEART = "9s8D7f6G5h4J3k2L1q0W"  # stands in every planted secret, and in nothing else
SECRETS = (
    f"xoxb-1234567890-{HEART}", f"ghp_{HEART}0123456789", f"password={HEART}", f"https://admin:{HEART}@db.acme.test/x",
    f"Bearer {HEART}{HEART}",
)  # fmt: skip
PIECE = 10  # letters of the heart that tell too much

TEXTS = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202eabc",
    "x" * 3000,
    "\n",
    "a\nlevel=error msg=forged",
    "\r\n\x1b[2J",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "file:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "<!channel> <@U0LEE>",
    "<http://evil.test|https://acme.test>",
    "${1+1}",
    "{{ 7*7 }}",
    "%s%n{0}",
    "' OR 1=1 --",
    "[" * 2500,
    '{"a":' * 900,
    "null",
    "-1",
    "1e999",
    "9" * 400,
    "\u0661\u0662",
    "\uff11",
    "true",
    "0001-01-01T00:00:00Z",
    "2026-11-23T09:00:00Z",
    "9999-12-31T23:59:59+23:59",
    "🦊" * 50,
    "e\u0301\u200b",
    "!!python/object:os.system",
    "&a [*a]",
    "\u2028",
)
OTHERS: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, float("nan"), float("inf"), [], {},
    [[]], [None], {"": None}, {"a": {"b": {}}},
)  # fmt: skip

Path = tuple[str | int, ...]


def text(random: Random, before: str = "") -> str:
    """A hostile text: a known one, a planted secret (also far into a long text), or the one before and more."""
    kind = random.randrange(5)
    if kind == 0:
        return secret(random)
    if kind == 1 and before:
        at = random.randrange(len(before) + 1)
        return before[:at] + random.choice(TEXTS) + before[at:]
    if kind == 2:
        return "x " * random.randrange(1500) + secret(random)
    return random.choice(TEXTS)


def secret(random: Random) -> str:
    """One of the planted secrets."""
    return random.choice(SECRETS)


def leaked(*shown: object) -> str:
    """A telling piece of a planted secret that stands in what was shown; empty: there is none."""
    said = " ".join(map(str, shown))
    pieces = (HEART[at : at + PIECE] for at in range(len(HEART) - PIECE + 1))
    return next((piece for piece in pieces if piece in said), "")


def paths(value: Any, before: Path = ()) -> Iterator[Path]:
    """Where there is something in a value, itself first."""
    yield before
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from paths(one, (*before, key))


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for key in path:
        value = value[key]
    return value


def changed(value: Any, random: Random, *, shape: bool = True, keys: Collection[str] = ()) -> Any:
    """A copy of a JSON value with one to three changes; without ``shape`` texts become other texts and nothing else.

    With ``keys`` only what stands under one of them is changed.
    """
    copy = json.loads(json.dumps(value))
    for _ in range(random.randint(1, 3)):
        places = [one for one in paths(copy) if one and (shape or isinstance(at(copy, one), str))]
        places = [one for one in places if not keys or one[-1] in keys]
        if places:
            _change(at(copy, (place := random.choice(places))[:-1]), place[-1], random, shape=shape)
    return copy


def _change(inside: Any, key: Any, random: Random, *, shape: bool) -> None:
    kind = random.randrange(6) if shape else 5
    if kind == 0:
        del inside[key]
    elif kind == 1 and isinstance(inside, dict):
        inside[text(random)] = inside.pop(key)
    elif kind == 2 and isinstance(inside, list):
        inside[key:key] = [inside[key]] * random.choice((1, 2, 200))
    elif kind == 3:
        inside[key] = random.choice(OTHERS)
    else:
        before = inside[key]
        inside[key] = text(random, before if isinstance(before, str) else "")


def json_like(data: bytes, random: Random) -> bytes:
    """A variant of a JSON body; of what is none, an empty object's."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        found = {}
    try:
        return json.dumps(changed(found, random)).encode()
    except (ValueError, RecursionError):
        return b"{}"


def lines_like(data: bytes, random: Random) -> bytes:
    """A variant of a text of lines, such as YAML: one left out, doubled, moved, indented, or with another value."""
    lines = data.decode("utf-8", "replace").split("\n")
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(lines))
        _LINE[random.randrange(len(_LINE))](lines, place, random)
        lines = lines or [""]
    return "\n".join(lines)[:200_000].encode("utf-8", "replace")


def _left_out(lines: list[str], place: int, random: Random) -> None:
    del lines[place : place + random.choice((1, 1, 5))]


def _doubled(lines: list[str], place: int, random: Random) -> None:
    lines.insert(random.randrange(len(lines)), lines[place])


def _indented(lines: list[str], place: int, random: Random) -> None:
    lines[place] = random.choice(("  ", " ", "\t", "- ")) + lines[place]


def _value(lines: list[str], place: int, random: Random) -> None:
    key, colon, _ = lines[place].partition(": ")
    lines[place] = f"{key}{colon or ': '}{_written(random)}"


def _key(lines: list[str], place: int, random: Random) -> None:
    _, colon, value = lines[place].partition(":")
    lines[place] = f"{text(random)[:200]}{colon}{value}"


def _within(lines: list[str], place: int, random: Random) -> None:
    lines[place] = text(random, lines[place])


def _written(random: Random) -> str:
    flow = ("[", "{a: b", "[[[[]]]]", "{}", "[]", "~", "|", ">", "*a", "&a b", "0x1F", ".nan", "!!binary aGk=", "1_000")
    shown = random.choice((*flow, json.dumps(text(random)), text(random)))
    return shown.replace("\n", " ") if random.randrange(2) else shown


_LINE: tuple[Callable[[list[str], int, Random], None], ...] = (_left_out, _doubled, _indented, _value, _key, _within)


def words_like(data: bytes, random: Random) -> bytes:
    """A variant of a line of words."""
    words = data.decode("utf-8", "replace").split(" ")
    for _ in range(random.randint(1, 3)):
        place = random.randrange(len(words) + 1)
        kind = random.randrange(4)
        if kind == 0 and words:
            del words[place - 1]
        elif kind == 1 and words:
            words.insert(random.randrange(len(words)), words[place - 1])
        elif kind == 2:
            words.insert(place, random.choice(("because", "=", '"', "'", "“", "x=", "break_glass=yes", "replicas=")))
        else:
            words.insert(place, text(random))
    return " ".join(words)[:20_000].encode("utf-8", "replace")
