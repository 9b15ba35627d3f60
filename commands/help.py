"""What one can ask for here, or how to ask for one thing.

/platform help [ACTION]
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, Input, InputKind, Inputs, inputs_of
from chatops.kernel.errors import Refused

WAYS = (
    "Type `/platform` alone for buttons, or an action alone for its form.",
    "In a thread, where commands don't work, mention me with the same line; in our direct messages, just type it.",
)

_SHOWN = 12  # options of an input
_TYPED = {
    InputKind.CHOICES: "several with commas between",
    InputKind.PERSON: "as @name or e-mail",
    InputKind.DURATION: "like 30m, 4h, 2d",
    InputKind.DATETIME: 'like 2026-12-24T10:00 or "tomorrow 9:00"',
}


class Help(Inputs):
    """Which action; empty for all."""

    action: Annotated[str, InputKind.ACTION] = Field(default="", title="Action", description="Empty: all of them.")


async def answer(inputs: Help, ctx: Context) -> Answer:
    """Only what this person may do; a name outside of that is answered as one that does not exist."""
    allowed = {action.name: action for action in await ctx.questions.allowed(ctx.requester)}
    if not inputs.action:
        lines = [f"`{action.usage}`  {action.summary}" for action in allowed.values()]
        return Answer("What you can ask for", (*lines, *WAYS), context="/platform help ACTION tells more about one")
    action = allowed.get(inputs.action)
    if action is None:
        raise Refused(f"You can't ask for {inputs.action!r}.", hint="`/platform help` says for what.")
    return _one(action)


def _one(action: Action) -> Answer:
    fields = inputs_of(action.inputs)
    lines = [action.summary, f"`/platform {action.usage}`", *(f"• *{one.title}*: {_about(one)}" for one in fields)]
    keys = [f"{one.name}=…" for one in fields if one.name not in action.positionals and one.name != "reason"]
    if keys:
        lines.append(f"On the line, also: `{' '.join(keys)}`")
    button = Button("Open the form", action.name, form=True)
    return Answer(action.title, tuple(lines), buttons=(button,) if fields else ())


def _about(one: Input) -> str:
    needed = "needed" if one.required else "may be left out"
    if one.asked.show_when:
        needed = f"{'needed' if one.asked.needed else 'asked for'} only when `{one.asked.show_when}`"
    limits = [f"at least {one.minimum:g}" if one.minimum is not None else ""]
    limits += [f"at most {one.maximum:g}" if one.maximum is not None else "", " or ".join(one.options[:_SHOWN])]
    if len(one.options) > _SHOWN:
        limits[-1] += f" or one of {len(one.options) - _SHOWN} more"
    facts = [needed, one.help.rstrip("."), *limits, _TYPED.get(one.kind, "")]
    return ", ".join(fact for fact in facts if fact)


RECORD = Action(
    name="help",
    title="Help",
    risk="read",
    inputs=Help,
    usage="help [ACTION]",
    summary="What you can ask for, or how to ask for one thing",
    positionals=("action",),
    answer=answer,
)
