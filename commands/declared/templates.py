"""Filling in the templates of a plan: every expression of all its steps in one round trip.

What only an earlier step's outputs can fill in stays as it is (``deferred``) and is filled in during the run by
``chatops.kernel.cel.render.rendered``; everything else is filled in here, once, and never read as a template again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from chatops.kernel.cel import CelError, EvaluateAll, has_cel, spoken_of
from chatops.kernel.cel.leaf import Part
from chatops.kernel.cel.render import ABSENT, filled, joined, leaves_of, parts_of
from chatops.kernel.cel.syntax import CelSyntaxError
from chatops.kernel.errors import PlatformError, Refused
from chatops.kernel.masking import mask
from chatops.kernel.plan import canonical

LARGEST = 512 * 1024  # characters of one template filled in; a cluster takes objects of up to 1.5 MB
DEEPEST = 40  # maps and lists within each other


@dataclass(slots=True)
class Sheet:
    """What is to be filled in: ``write`` everything down, ``work_out`` all expressions, then take what was ``made``."""

    values: dict[str, Any] = field(default_factory=dict)  # what the expressions give
    _asked: dict[str, str] = field(default_factory=dict)  # expression → where it stands first

    def write(self, value: Any, where: str) -> None:
        """Notes the expressions of a template; ``where`` is said in messages: ``step 1, apply``."""
        if _depth(value) > DEEPEST:
            raise Refused(f"The template in {where} is nested more than {DEEPEST} deep.")
        for path, leaf in leaves_of(value):
            at = f"{where}, {path}" if path else where
            for part in _pieces(leaf, at):
                if part.cel and not is_deferred(leaf):
                    self._asked.setdefault(part.text, at)

    def ask(self, expression: str, where: str) -> None:
        """Notes one expression alone: a rule."""
        self._asked.setdefault(expression, where)

    async def work_out(self, variables: Mapping[str, Any], evaluate: EvaluateAll) -> None:
        """Evaluates everything; raises ``Refused`` naming step, leaf and expression of the first that has no value."""
        asked = list(self._asked)
        found = await evaluate([(expression, variables) for expression in asked]) if asked else []
        self.values = dict(zip(asked, found, strict=True))
        for expression, value in self.values.items():
            if isinstance(value, CelError):
                said = mask(value.message)[0]
                raise Refused(f"{self._asked[expression]}: ${{{expression}}} has no value: {said}.", rule="template")

    def made(self, value: Any, where: str, *, again: bool = False) -> Any:
        """The template filled in, as far as it can be now; ``again``: the rest will be filled in during the run.

        Raises ``Refused`` for what cannot stand where it is, or is too large.
        """
        leaves = {
            leaf: self._leaf(leaf, f"{where}, {path}" if path else where, again=again)
            for path, leaf in leaves_of(value)
            if has_cel(leaf)
        }
        made = filled(value, leaves)
        if len(canonical(made)) > LARGEST:
            raise Refused(f"What {where} comes to is larger than {LARGEST // 1024} KiB.", rule="template")
        return None if made is ABSENT else made

    def text(self, value: str, where: str) -> str:
        """A template that has to be a text; nothing in it may be known only during the run."""
        if is_deferred(value):
            raise Refused(f"{where}: {value} would only be known during the run, so nobody could judge it.")
        return _as_text(self.made(value, where), where)

    def _leaf(self, leaf: str, at: str, *, again: bool) -> Any:
        if is_deferred(leaf):
            if again:
                return leaf
            raise Refused(f"{at}: {leaf} would only be known during the run, so nobody could judge it.")
        try:
            value = joined(_pieces(leaf, at), self.values)
        except PlatformError as wrong:
            raise Refused(f"{at}: {wrong.message}", rule="template") from wrong
        if isinstance(value, float) and not isfinite(value):
            raise Refused(f"{at}: {leaf} gives no number that can be written down.", rule="template")
        # What came out of the inputs must not be read as a template when the rest is filled in.
        return _escaped(value) if again else value


def is_deferred(value: Any) -> bool:
    """Whether something in a template can only be filled in with what an earlier step gives."""
    return any(_speaks_of_steps(leaf) for _, leaf in leaves_of(value) if has_cel(leaf))


def _speaks_of_steps(leaf: str) -> bool:
    try:
        spoken = [name for part in parts_of(leaf) if part.cel for name in spoken_of(part.text)]
    except (PlatformError, CelSyntaxError):  # said where it is filled in
        return False
    return any(name == "steps" or name.startswith("steps.") for name in spoken)


def _pieces(leaf: str, at: str) -> tuple[Part, ...]:
    if not has_cel(leaf):
        return ()
    try:
        return parts_of(leaf)
    except PlatformError as wrong:
        raise Refused(f"{at}: {wrong.message}", rule="template") from wrong


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: _escaped(one) for key, one in value.items()}
    return [_escaped(one) for one in value] if isinstance(value, list) else value


def unescaped(value: Any) -> Any:
    """For people's eyes: what is still to be filled in as written, everything else as it will be."""
    if isinstance(value, str):
        return value.replace("$${", "${")
    if isinstance(value, Mapping):
        return {key: unescaped(one) for key, one in value.items()}
    return [unescaped(one) for one in value] if isinstance(value, list) else value


def _as_text(value: Any, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    raise Refused(f"{where}: it has to be a text, not {type(value).__name__}.", rule="template")


def _depth(value: Any) -> int:
    deep, left = 0, [(value, 1)]
    while left:
        one, depth = left.pop()
        deep = max(deep, depth)
        if depth > DEEPEST:
            return deep
        inner = one.values() if isinstance(one, Mapping) else one if isinstance(one, list | tuple) else ()
        left += [(each, depth + 1) for each in inner]
    return deep
