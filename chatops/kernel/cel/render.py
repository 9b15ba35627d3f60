"""Filling in ``${CEL}``: templates are values whose string leaves are looked at, so an input can add no key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from chatops.kernel.cel.leaf import LeafError, Part, has_cel, parts
from chatops.kernel.diff import step
from chatops.kernel.errors import PlatformError
from chatops.kernel.masking import mask
from chatops.kernel.ports import EvaluateAll

ABSENT = object()  # what a leaf becomes whose one expression gives null: its key, or its place in a list, is left out


async def rendered(value: Any, variables: Mapping[str, Any], evaluate: EvaluateAll) -> Any:
    """The value with every string leaf filled in, in one round trip; keys stay as they are.

    A leaf that is one expression keeps the expression's type; one that gives null leaves its key out. Raises
    ``PlatformError`` naming the expression that has no value, or none that can stand among text.
    """
    leaves = {leaf: parts_of(leaf) for _, leaf in leaves_of(value) if has_cel(leaf)}
    asked = list(dict.fromkeys(part.text for pieces in leaves.values() for part in pieces if part.cel))
    values = dict(zip(asked, await evaluate([(one, variables) for one in asked]), strict=True)) if asked else {}
    for expression, found in values.items():
        if isinstance(found, PlatformError):
            raise PlatformError(f"${{{expression}}} has no value: {mask(found.message)[0]}")
    made = filled(value, {leaf: joined(pieces, values) for leaf, pieces in leaves.items()})
    return None if made is ABSENT else made


def parts_of(leaf: str) -> tuple[Part, ...]:
    """The pieces of a leaf; raises ``PlatformError``."""
    try:
        return parts(leaf)
    except LeafError as wrong:
        raise PlatformError(f"A template cannot be read: {wrong.message}.") from wrong


def leaves_of(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every string leaf with its path: ``spec.storage.size``, ``spec.ports[0].name``."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from leaves_of(one, step(path, str(key)))
    elif isinstance(value, list | tuple):
        for place, one in enumerate(value):
            yield from leaves_of(one, f"{path}[{place}]")


def filled(value: Any, leaves: Mapping[str, Any]) -> Any:
    """The value with the leaves in the place of their texts."""
    if isinstance(value, str):
        return leaves.get(value, value)
    if isinstance(value, Mapping):
        made = {key: filled(one, leaves) for key, one in value.items()}
        return {key: one for key, one in made.items() if one is not ABSENT}
    if isinstance(value, list | tuple):
        return [one for one in (filled(each, leaves) for each in value) if one is not ABSENT]
    return value


def joined(pieces: tuple[Part, ...], values: Mapping[str, Any]) -> Any:
    """A leaf out of its pieces and the values of its expressions; raises ``PlatformError``."""
    if len(pieces) == 1 and pieces[0].cel:
        value = values[pieces[0].text]
        return ABSENT if value is None else _plain(value)
    return "".join(_text(part.text, values[part.text]) if part.cel else part.text for part in pieces)


def _text(expression: str, value: Any) -> str:
    value = _plain(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise PlatformError(f"${{{expression}}} stands among text, and is {type(value).__name__}, not a text or number.")


def _plain(value: Any) -> Any:
    """Times as Kubernetes writes them."""
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else value
