"""Options that are looked up: out of the catalog, or among the objects of the chosen environment's cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from chatops.kernel.action import Context
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import CelError, EvaluateAll, catalog_variables
from chatops.kernel.cel.syntax import Call, CelSyntaxError, Name, Select, parse
from chatops.kernel.declaration import OptionsFrom
from chatops.kernel.errors import ClusterError, PlatformError, Unavailable

LONGEST_LABEL, LONGEST_VALUE = 75, 150  # characters: https://docs.slack.dev/reference/block-kit/composition-objects
MOST_OBJECTS = 1000
KEPT = 30.0  # seconds that a cluster's answer serves who goes on typing
_MOST_KEPT = 200
_PART = 25  # rows of the catalog in one question

Options = Mapping[str, str]  # what people choose → what the request keeps


def options_of(given: Any) -> Options:
    """The options in what an expression gave: a list of texts, or a map of labels to values; raises ``ValueError``."""
    if isinstance(given, Mapping):
        pairs: Iterable[tuple[Any, Any]] = given.items()
    elif isinstance(given, list | tuple):
        pairs = ((one, one) for one in given)
    else:
        raise ValueError("it gives neither a list nor a map")
    found: dict[str, str] = {}
    values = set()
    for label, value in pairs:
        text, kept = _line(label), _line(value)
        if text and kept and kept not in values and len(kept) <= LONGEST_VALUE:
            shown = text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"
            found.setdefault(shown, kept)
            values.add(kept)
    return found


def _line(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(str(value).split()) if isinstance(value, str | int | float) else ""


class Catalog:
    """What expressions see of the catalog: the lists they speak of, no more, for there may be 5,000 services."""

    def __init__(self, platform: Platform) -> None:
        self._whole = catalog_variables(platform)
        self._bare = [
            {name: value for name, value in service.items() if name != "labels"} for service in self._whole["services"]
        ]

    def variables(self, expression: str, variables: Mapping[str, Any]) -> Mapping[str, Any]:
        """The variables, and with them ``catalog`` where an expression speaks of it."""
        if "catalog" not in expression:
            return variables
        return {
            **variables,
            "catalog": {name: self._list(name, expression) for name in self._whole if name in expression},
        }

    def pairs(self, expression: str, variables: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
        """What has to be evaluated for one expression; the lists that it gives, one after the other, are its own.

        The library's ``map`` and ``filter`` take time with the square of a list's length, so that a chain of them over
        one of the catalog's lists is asked of a part of it at a time.
        """
        whole = self.variables(expression, variables)
        name = _filtered(expression)
        rows = whole["catalog"].get(name, []) if name else []
        if len(rows) <= _PART:
            return [(expression, whole)]
        parts = [rows[at : at + _PART] for at in range(0, len(rows), _PART)]
        return [(expression, {**variables, "catalog": {name: part}}) for part in parts]

    def _list(self, name: str, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._whole[name]
        return self._bare if name == "services" and "labels" not in expression else found


def _filtered(expression: str) -> str:
    """The catalog's list that an expression is a chain of ``filter`` and ``map`` over, or ``""``."""
    try:
        node = parse(expression)
    except CelSyntaxError:
        return ""
    while isinstance(node, Call) and node.target is not None and node.name in ("filter", "map"):
        if any("catalog" in expression[arg.at : arg.end] for arg in node.args):
            return ""
        node = node.target
    whole = isinstance(node, Select) and isinstance(node.of, Name) and node.of.name == "catalog"
    return node.name if isinstance(node, Select) and whole else ""


@dataclass(slots=True)
class Objects:
    """Lists the objects of a kind and asks an expression of each; remembers the answer for half a minute."""

    evaluate: EvaluateAll
    _kept: dict[tuple[str, ...], tuple[float, Options]] = field(default_factory=dict)

    def remembered(self, key: tuple[str, ...], now: float) -> Options | None:
        """What was found under this key lately."""
        at, options = self._kept.get(key, (0.0, {}))
        return options if key in self._kept and now - at < KEPT else None

    async def look(
        self, key: tuple[str, ...], asked: OptionsFrom, variables: Mapping[str, Any], ctx: Context
    ) -> Options:
        """The options; raises ``Unavailable``, a ``ClusterError`` or ``CelError``."""
        now = ctx.now.timestamp()
        if (known := self.remembered(key, now)) is not None:
            return known
        objects = await _objects(asked.kind, ctx)
        given = await self.evaluate([(asked.cel, {**variables, "object": one}) for one in objects[:MOST_OBJECTS]])
        names = sorted(one for one in given if isinstance(one, str))  # an object without such a field offers nothing
        errors = [one for one in given if isinstance(one, CelError)]
        if errors and not names:
            raise errors[0]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (now, options_of(names))
        return self._kept[key][1]


async def _objects(kind: str, ctx: Context) -> list[dict[str, Any]]:
    if ctx.cluster is None or ctx.environment is None:
        raise Unavailable("there is no environment yet")
    name, _, group = kind.partition(".")
    version, namespaced = await ctx.cluster.resolve(name, group)
    found = await ctx.cluster.find(version, name, ctx.environment.namespace if namespaced else "")
    return [_bare(one, secret=kind == "Secret") for one in found]


def _bare(one: Mapping[str, Any], *, secret: bool) -> dict[str, Any]:
    """The object without what nobody chooses by; of a Secret, what is no secret."""
    metadata = {name: value for name, value in one.get("metadata", {}).items() if name != "managedFields"}
    rest = {} if secret else {name: value for name, value in one.items() if name != "metadata"}
    return {**rest, "metadata": metadata}


def why_silent(error: BaseException) -> str:
    """Why there are no options, in a sentence for under the field."""
    if isinstance(error, Unavailable | ClusterError):
        return f"What there is can't be asked now ({error.message}): type it."
    if isinstance(error, PlatformError):
        return f"What there is can't be worked out ({error.message}): type it."
    return "What there is can't be asked in time: type it."
