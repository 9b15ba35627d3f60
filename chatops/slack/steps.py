"""A form that is more than one view of Slack's holds, in steps."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache

from pydantic import BaseModel

from chatops.kernel.action import Action, Input, InputKind, inputs_of
from chatops.slack import elements

# Limits: https://docs.slack.dev/reference/block-kit, https://docs.slack.dev/reference/views
MOST_INPUTS = 90  # of a view's 100 blocks; the others say what the form is about
_MOST_BYTES = 180_000  # of a view's 250,000, for what will stand in its fields is not known yet
_LOOKED_UP = 20_000  # bytes that options may have which are not known yet
_TEXT = 3000  # characters of a field


def steps_of(action: Action) -> list[list[Input]]:
    """The inputs in steps that Slack can hold, in order; what is hidden has its place all the same, so that steps stay
    what they are while people fill them in."""
    return _steps(action.inputs)


@lru_cache(maxsize=1024)  # asked for whenever a form is shown
def _steps(model: type[BaseModel]) -> list[list[Input]]:
    inputs = inputs_of(model)
    steps = _split(inputs, MOST_INPUTS)
    even = _split(inputs, -(-len(inputs) // len(steps)) or 1)  # of about the same length, where that is no step more
    return even if len(even) == len(steps) else steps


def _split(inputs: Sequence[Input], most: int) -> list[list[Input]]:
    steps: list[list[Input]] = [[]]
    weight = 0
    for one in inputs:
        own = _weight(one)
        if steps[-1] and (len(steps[-1]) >= most or weight + own > _MOST_BYTES):
            steps.append([])
            weight = 0
        steps[-1].append(one)
        weight += own
    return steps


def _weight(one: Input) -> int:
    """Bytes of an input's block, about."""
    looked_up = one.asked.options_from is not None or one.kind in (InputKind.ENVIRONMENT, InputKind.TEAM)
    offered = _LOOKED_UP if looked_up else min(_LOOKED_UP, len(json.dumps(elements.options(one.options))))
    written = min(one.max_length or _TEXT, _TEXT) if one.kind in (InputKind.TEXT, InputKind.LONG_TEXT) else 0
    return 500 + len(json.dumps([one.title, one.help])) + offered + written


def step_of(action: Action, name: str) -> int:
    """The step on which an input is asked for; the first one for what is no input."""
    return next((at for at, step in enumerate(steps_of(action)) if any(one.name == name for one in step)), 0)
