"""Finds names while somebody types: prefix first, then word, then inside, then nearly. Quick for 5,000 names."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, islice

MOST = 100  # options that Slack takes: https://docs.slack.dev/reference/block-kit/composition-objects/option-object
_WORDS = re.compile(r"[^a-z0-9]+")
_NEAR = 0.45  # of the pairs of letters in common (Dice); chekout and checkout share 0.77
_ENOUGH = 5  # matches
_LOOKED_AT, _LIKELY = 20_000, 200  # entries of the index, and names that are compared then, where a catalog has more
_LONGEST = 100  # characters of a query that are looked at


class Typeahead:
    """An index over names; building it is linear, a search looks only at names that can match."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = sorted(names, key=str.casefold)
        self._folded = [name.casefold() for name in self._names]
        self._words = sorted(
            (word, at) for at, name in enumerate(self._folded) for word in _WORDS.split(name)[1:] if word
        )
        self._pairs: dict[str, list[int]] = defaultdict(list)
        self._sizes: list[int] = []
        for at, name in enumerate(self._folded):
            pairs = _pairs(name)
            self._sizes.append(len(pairs))
            for pair in pairs:
                self._pairs[pair].append(at)

    def search(self, typed: str, first: Iterable[str] = (), most: int = MOST) -> list[str]:
        """At most ``most`` names for what was typed so far, best first; for nothing typed, ``first`` and then all."""
        query = typed.strip().casefold()[:_LONGEST]
        if not query:
            begun = dict.fromkeys(first)
            others = (name for name in self._names if name not in begun)
            return list(islice(chain(begun, others), most))
        found: dict[int, None] = {}
        for kind in (self._prefix, self._word, self._inside):
            for at in kind(query):
                found[at] = None
                if len(found) >= most:
                    return [self._names[at] for at in found]
        if len(found) < _ENOUGH:  # likely ones are for typos; below good matches they would only be noise
            found |= dict.fromkeys(self._near(query))
        return [self._names[at] for at in found][:most]

    def _prefix(self, query: str) -> Iterator[int]:
        at = bisect_left(self._folded, query)
        while at < len(self._folded) and self._folded[at].startswith(query):
            yield at
            at += 1

    def _word(self, query: str) -> Iterator[int]:
        at = bisect_left(self._words, (query, -1))
        while at < len(self._words) and self._words[at][0].startswith(query):
            yield self._words[at][1]
            at += 1

    def _inside(self, query: str) -> Iterator[int]:
        """Names that hold the query anywhere, looked for among those that hold its rarest pair of letters."""
        if len(query) >= 2:
            rarest = min((self._pairs.get(pair, []) for pair in _pairs(query)), key=len)
            yield from (at for at in rarest if query in self._folded[at])

    def _near(self, query: str) -> Iterator[int]:
        if len(query) < 3:
            return
        wanted = _pairs(query)
        close = self._close(wanted)
        scored = [(2 * count / (len(wanted) + self._sizes[at]), at) for at, count in close]
        near = sorted((-score, at) for score, at in scored if score >= _NEAR)
        yield from (at for _, at in near[:20])

    def _close(self, wanted: set[str]) -> list[tuple[int, int]]:
        """Names that may be near, with how many of the wanted pairs they have."""
        least = _NEAR * len(wanted) / 2  # of any name, however short: most fall out before they are scored
        common: Counter[int] = Counter()
        left = _LOOKED_AT
        for pair in sorted(wanted, key=lambda pair: len(self._pairs.get(pair, ()))):  # the most telling first
            holders = self._pairs.get(pair, ())
            common.update(islice(holders, left))
            left -= len(holders)
            if left < 0:
                likely = (at for at, _ in common.most_common(_LIKELY))
                counted = [(at, len(wanted & _pairs(self._folded[at]))) for at in likely]
                return [(at, count) for at, count in counted if count > least]
        return [(at, count) for at, count in common.items() if count > least]


def _pairs(text: str) -> set[str]:
    return {text[at : at + 2] for at in range(len(text) - 1)}
