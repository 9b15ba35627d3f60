"""What policy would say, and why, before anybody asks for it.

/platform why ACTION [SERVICE] [VERSION] [ENVIRONMENT]
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, InputKind, Inputs, ServiceName


class Why(Inputs):
    """The action and as many of its inputs as one knows; the more, the exacter the answer."""

    action: Annotated[str, InputKind.ACTION] = Field(title="Action")
    service: ServiceName = Field(default="", title="Service")
    version: Annotated[str, InputKind.VERSION] = Field(default="", title="Version", description="May be left out.")
    environment: EnvironmentName = Field(default="", title="Environment")
    replicas: int | None = Field(default=None, title="Replicas", description="For scale.")


async def answer(inputs: Why, ctx: Context) -> Answer:
    """A sentence for each rule that has a say."""
    given = {name: value for name, value in inputs.model_dump().items() if name != "action" and value not in ("", None)}
    lines = await ctx.questions.why(ctx.requester, inputs.action, given)
    words = [inputs.action, *(f"{name}={value}" for name, value in given.items())]
    place = f" in {inputs.environment}" if inputs.environment else ""
    title = f"{inputs.action} {inputs.service}".strip() + place
    return Answer(title, lines, buttons=(Button("Open the form", " ".join(words), form=True),))


RECORD = Action(
    name="why",
    title="Why",
    risk="read",
    inputs=Why,
    usage="why ACTION [SERVICE] [VERSION] [ENVIRONMENT]",
    summary="What policy would say to an action, and which rule says it",
    positionals=("action", "service", "version", "environment"),
    answer=answer,
)
