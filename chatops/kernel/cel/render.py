"""Filling in ``${CEL}``: templates are values whose string leaves are looked at, so an input can add no key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from chatops.kernel.cel.leaf import LeafError, Part, parts
from chatops.kernel.errors import PlatformError
from chatops.kernel.masking import mask
from chatops.kernel.ports import EvaluateAll


async def rendered(value: Any, variables: Mapping[str, Any], evaluate: EvaluateAll) -> Any:
    """The value with every string leaf filled in, in one round trip; keys stay as they are.

    A leaf that is one expression keeps the expression's type. Raises ``PlatformError`` naming the expression that has
    no value, or none that can stand among text.
    """
    leaves = {leaf: _parts(leaf) for leaf in _leaves(value) if "${" in leaf}
    asked = list(dict.fromkeys(part.text for pieces in leaves.values() for part in pieces if part.cel))
    values = dict(zip(asked, await evaluate([(one, variables) for one in asked]), strict=True)) if asked else {}
    for expression, found in values.items():
        if isinstance(found, PlatformError):
            raise PlatformError(f"${{{expression}}} has no value: {mask(found.message)[0]}")
    return _filled(value, {leaf: _joined(pieces, values) for leaf, pieces in leaves.items()})


def _parts(leaf: str) -> tuple[Part, ...]:
    try:
        return parts(leaf)
    except LeafError as wrong:
        raise PlatformError(f"A template cannot be read: {wrong.message}.") from wrong


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _leaves(one)


def _filled(value: Any, leaves: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return leaves.get(value, value)
    if isinstance(value, Mapping):
        return {key: _filled(one, leaves) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_filled(one, leaves) for one in value]
    return value


def _joined(pieces: tuple[Part, ...], values: Mapping[str, Any]) -> Any:
    if len(pieces) == 1 and pieces[0].cel:
        return _plain(values[pieces[0].text])
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
