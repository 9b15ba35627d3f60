"""Actions whose names begin with the same word: ``incident open``, ``incident ack``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from chatops.kernel.action import Action


def families(actions: Iterable[Action]) -> Mapping[str, tuple[Action, ...]]:
    """By first word, the actions that have it and another one behind it; one that stands alone is no family.

    What only buttons ask for is left out.
    """
    found: dict[str, tuple[Action, ...]] = {}
    for one in actions:
        first, dot, _ = one.name.partition(".")
        if dot and not one.hidden:
            found[first] = (*found.get(first, ()), one)
    return {first: members for first, members in found.items() if len(members) > 1}


def spoken(name: str) -> str:
    """A name as people type it: ``incident.open`` is ``incident open``."""
    return name.replace(".", " ")


def listed(members: Iterable[Action]) -> str:
    """Their names as people type them, with commas between."""
    return ", ".join(spoken(one.name) for one in members)


def collapsed(actions: Iterable[Action]) -> Iterator[Action | tuple[str, tuple[Action, ...]]]:
    """Every action in its order; of a family only its word and members, where the first of them would be."""
    every = [one for one in actions if not one.hidden]
    kin = families(every)
    told = set()
    for one in every:
        first, dot, _ = one.name.partition(".")
        if not dot or first not in kin:
            yield one
        elif first not in told:
            told.add(first)
            yield first, kin[first]
