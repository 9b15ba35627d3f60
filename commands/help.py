"""What one can ask for here, or how to ask for one thing; ``incident`` stands for all that begins with it.

/platform help [ACTION]
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, Input, InputKind, Inputs, inputs_of
from chatops.kernel.errors import Refused
from chatops.kernel.families import collapsed, families, listed

WAYS = (
    "Type `/platform` alone for buttons, or an action alone for its form.",
    "In a thread, where commands don't work, mention me with the same line; in our direct messages, just type it.",
)

MORE = "/platform help ACTION tells more about one"
_SHOWN = 12  # options of an input
_KEYS = re.compile(r"\[\w+=[^\]]*\](?: \[\w+=[^\]]*\])*")  # [since=15m] [grep=TEXT]: told when one asks for the action
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
        lines = [_line(one) for one in collapsed(allowed.values())]
        return Answer("What you can ask for", (*lines, *WAYS), context=MORE)
    action, kin = allowed.get(inputs.action), families(allowed.values()).get(inputs.action, ())
    if action is not None:
        return _one(action, kin)
    if not kin:
        raise Refused(f"You can't ask for {inputs.action!r}.", hint="`/platform help` says for what.")
    return Answer(inputs.action.capitalize(), tuple(_whole(one) for one in kin), context=MORE)


def _line(one: Action | tuple[str, tuple[Action, ...]]) -> str:
    if isinstance(one, Action):
        return f"`{_KEYS.sub('[…]', one.usage)}`  {one.summary}"
    first, kin = one
    return f"`{first} …`  {listed(kin)}: see `/platform help {first}`"


def _whole(one: Action) -> str:
    return f"`{one.usage}`  {one.summary}"


def _one(action: Action, kin: tuple[Action, ...]) -> Answer:
    fields = inputs_of(action.inputs)
    lines = [action.summary, f"`/platform {action.usage}`", *(f"• *{one.title}*: {_about(one)}" for one in fields)]
    keys = [f"{one.name}=…" for one in fields if one.name not in action.positionals and one.name != "reason"]
    if keys:
        lines.append(f"On the line, also: `{' '.join(keys)}`")
    if kin:
        lines += ["*See also*", *(_whole(one) for one in kin)]
    button = Button("Open the form", action.name, form=True)
    return Answer(action.title, tuple(lines), buttons=(button,) if fields else ())


def _about(one: Input) -> str:
    needed = "" if one.required else "may be left out"
    if one.asked.show_when:
        needed = f"{'needed' if one.asked.needed else 'asked for'} only when `{one.asked.show_when}`"
    limits = [f"at least {one.minimum:g}" if one.minimum is not None else ""]
    limits += [f"at most {one.maximum:g}" if one.maximum is not None else "", " or ".join(one.options[:_SHOWN])]
    if len(one.options) > _SHOWN:
        limits[-1] += f" or one of {len(one.options) - _SHOWN} more"
    facts = ", ".join(fact for fact in (one.help.rstrip("."), *limits, _TYPED.get(one.kind, "")) if fact)
    return f"{facts} ({needed})" if facts and needed else facts or needed or "needed"


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
