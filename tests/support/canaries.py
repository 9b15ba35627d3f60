"""Secrets that are planted, and the search for them in everything that was written."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from chatops.kernel.accidents import Foreseen
from chatops.kernel.masking import LogMask


def traces(value: str) -> set[bytes]:
    """A value as it could show up: as it is, in JSON, in an address, in hex, or in base64 at each of three offsets."""
    raw = value.encode()
    inside = [base64.b64encode(b" " * pad + raw)[4:-4] for pad in range(3)]
    inside += [base64.urlsafe_b64encode(b" " * pad + raw)[4:-4] for pad in range(3)]
    return {raw, json.dumps(value)[1:-1].encode(), quote(value, safe="").encode(), quote_plus(value).encode(),
            raw.hex().encode(), *inside}  # fmt: skip


def random_letters(name: str, count: int = 36) -> str:
    """The same ones for the same name, without the shape of anything."""
    found = base64.b64encode(hashlib.sha512(name.encode()).digest()).decode()
    return found.replace("+", "x").replace("/", "y")[:count]


@dataclass
class Canaries:
    """``secrets``: what nobody but us holds. ``shaped``: what somebody types, sends or logs and looks like a token.

    Each shaped one stands beside a word of its own, which must be found where the canary is not: it had come that far.
    """

    secrets: dict[str, str] = field(default_factory=dict)
    shaped: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)  # shaped ones without a word

    def secret(self, name: str) -> str:
        """A new one that looks like nothing."""
        return self.secrets.setdefault(name, f"canary-{random_letters(name, 20)}")

    def token(self, name: str) -> str:
        """A new one that looks like a token of GitHub, with its word before it."""
        self.shaped[name] = "ghp_" + random_letters(name)
        return f"{self.word(name)} {self.shaped[name]}"

    def bare(self, name: str) -> str:
        """The same without a word, for where none can stand or nothing is kept."""
        self.silent.add(name)
        return self.token(name).split()[1]

    @staticmethod
    def word(name: str) -> str:
        """What stands beside a shaped one."""
        return "beside-" + "".join(letter for letter in name if letter.isalnum())

    def found_in(self, written: dict[str, bytes]) -> list[str]:
        """Which of them show up where, also encoded."""
        every = {**self.secrets, **self.shaped}
        return [
            f"{name} in {where}"
            for name, value in every.items()
            for where, content in written.items()
            if any(trace in content for trace in traces(value))
        ]

    def never_came(self, written: dict[str, bytes]) -> list[str]:
        """The shaped ones whose word shows up nowhere: nothing was tried with them."""
        heard = b"\0".join(written.values())
        return [name for name in self.shaped.keys() - self.silent if self.word(name).encode() not in heard]


class _Keep(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


@contextmanager
def everything_logged() -> Iterator[list[str]]:
    """Every line of every logger at DEBUG, as the program's own handler writes it, tracebacks too."""
    lines: list[str] = []
    handler, root = _Keep(lines), logging.getLogger()
    handler.addFilter(Foreseen())
    handler.addFilter(LogMask())
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


def said(thing: Any) -> bytes:
    """Anything as text, to be searched."""
    return json.dumps(thing, default=str, ensure_ascii=False).encode()
