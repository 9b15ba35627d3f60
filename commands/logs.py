"""What the pods of a service wrote, newest last; only who asks sees it.

/platform logs SERVICE ENVIRONMENT [since=15m] [grep=TEXT] [previous=yes] [container=NAME] [lines=N]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic.types import StringConstraints

from chatops.kernel.action import Action, Answer, Button, Context, EnvironmentName, File, InputKind, Inputs, ServiceName
from chatops.kernel.errors import InputError, Refused
from chatops.kernel.plan import ObjectRef
from commands.declared.inputs import seconds
from commands.logbook import Asked, Book, read
from commands.watching import selector_of

LONGEST = 7 * 86400  # seconds
INLINE = 2400  # characters that stand in the message; a phone shows them in two screens
LAST = 12  # lines that stand in the message when the rest is in the file


def _span(text: str) -> str:
    if not 1 <= seconds(text) <= LONGEST:
        raise ValueError("Since is at most 7d.")
    return text


class Logs(Inputs):
    """Whose log, and which part of it."""

    service: ServiceName = Field(title="Service")
    environment: EnvironmentName = Field(title="Environment")
    since: Annotated[str, InputKind.DURATION, AfterValidator(_span)] = Field(
        default="15m", title="Since", description="How far back: 15m, 2h, 1d."
    )
    grep: Annotated[str, StringConstraints(max_length=200)] = Field(
        default="", title="Lines with", description="Plain text, not a pattern; capitals don't matter."
    )
    previous: bool = Field(
        default=False, title="Previous container", description="What was written before the last restart."
    )
    container: Annotated[str, StringConstraints(max_length=63)] = Field(
        default="", title="Container", description="Empty: the one that carries the version."
    )
    lines: int = Field(default=500, ge=1, le=5000, title="Lines", description="At most so many, the newest.")


async def answer(inputs: Logs, ctx: Context) -> Answer:
    """The lines of all pods in the order of their times; what is long comes as a file. Secrets are masked."""
    cluster, environment, service = ctx.needs()
    ref = ObjectRef(kind=service.workload.kind, namespace=environment.namespace, name=service.workload_name)
    live = await cluster.get(ref)
    if live is None:
        raise Refused(f"There is no {ref} in {environment.name} (namespace {ref.namespace}).")
    pods = await cluster.find("v1", "Pod", ref.namespace, selector_of(live))
    container = inputs.container or service.container
    _check_container(inputs, container, pods)
    back = 0 if inputs.previous else seconds(inputs.since)  # the previous container may have ended long ago
    asked = Asked(container, back, inputs.grep, inputs.previous, inputs.lines)
    return _said(inputs, await read(cluster, ref.namespace, pods, asked), len(pods))


def _check_container(inputs: Logs, container: str, pods: Sequence[Mapping[str, Any]]) -> None:
    known = {one["name"] for pod in pods for group in ("containers", "initContainers")
             for one in pod["spec"].get(group) or []}  # fmt: skip
    if pods and container not in known:
        said = f"No pod of {inputs.service} has a container called {container}."
        raise InputError(said, field="container", hint=f"There are {', '.join(sorted(known))}.")


def _said(inputs: Logs, book: Book, pods: int) -> Answer:
    title = f"Logs of {inputs.service} in {inputs.environment}"
    buttons = _buttons(inputs, book)
    if not book.lines:
        return Answer(title, (_nothing(inputs, book, pods), *book.silent), buttons=buttons, private=True)
    whole = book.text(full=False)
    here = f", the last {LAST} of them here" if len(whole) > INLINE and len(book.lines) > LAST else ""
    lines = [f"{_count(book)}{_which(inputs)}{here}; times are UTC"]
    lines += ["Something looked like a secret and was masked."] if book.masked else []
    if len(whole) <= INLINE:
        return Answer(title, (*lines, *book.silent), code=whole, buttons=buttons, private=True)
    name = f"{inputs.service}-{inputs.environment}{'-previous' if inputs.previous else ''}.log"
    code, file = book.text(full=False, last=LAST), File(name, book.text(full=True) + "\n")
    return Answer(title, (*lines, *book.silent), code=code, file=file, buttons=buttons, private=True)


def _count(book: Book) -> str:
    lines, pods = len(book.lines), len({line.pod for line in book.lines})
    more = " (there are more; give lines= or a shorter since=)" if book.cut else ""
    return f"{lines:,} line{'' if lines == 1 else 's'}{more} of {pods} pod{'' if pods == 1 else 's'}"


def _which(inputs: Logs) -> str:
    words = " before the last restart" if inputs.previous else f" of the last {inputs.since}"
    return f"{words} with “{inputs.grep}”" if inputs.grep else words


def _nothing(inputs: Logs, book: Book, pods: int) -> str:
    if not pods:
        return f"No pod of {inputs.service} runs there."
    if book.unread:
        return f"Nothing{_which(inputs)} in the logs that could be read." if book.heard else "No log could be read."
    if inputs.previous and not inputs.grep:
        return "No container was restarted, so there is nothing from before."
    return f"Nothing{_which(inputs)}."


def _buttons(inputs: Logs, book: Book) -> tuple[Button, ...]:
    place = f"{inputs.service} {inputs.environment}"
    errors = Button("Errors", f"logs {place} since={inputs.since} grep=error")
    found = [errors] if book.lines and not inputs.grep and not inputs.previous else []
    if not inputs.previous:
        longer = "1h" if seconds(inputs.since) < 3600 else "1d"
        if seconds(inputs.since) < seconds(longer) and not inputs.grep:
            found.append(Button(f"Last {longer}", f"logs {place} since={longer}"))
        if book.restarted:
            found.append(Button("Before the restart", f"logs {place} previous=yes"))
    return (*found, Button("Diagnose", f"diagnose {place}"))


RECORD = Action(
    name="logs",
    title="Logs",
    risk="read",
    inputs=Logs,
    usage="logs SERVICE ENVIRONMENT [since=15m] [grep=TEXT] [previous=yes] [container=NAME] [lines=N]",
    summary="What the pods of a service wrote, for your eyes alone; secrets are masked",
    positionals=("service", "environment"),
    answer=answer,
    button="Logs",
)
