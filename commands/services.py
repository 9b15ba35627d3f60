"""What services there are, whose they are and what they do.

/platform services [TEXT] [team=TEAM] [page=N]
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import Field
from pydantic.types import StringConstraints

from chatops.kernel.action import Action, Answer, Button, Context, InputKind, Inputs
from chatops.kernel.catalog import Service

PAGE = 12  # services; about as many fit on a phone's screen
FEW = 8  # so many get a button each


class Services(Inputs):
    """Which services; everything may be left out."""

    find: Annotated[str, StringConstraints(max_length=80)] = Field(
        default="", title="Find", description="In the name, the team, the description or the labels."
    )
    team: Annotated[str, InputKind.TEAM] = Field(default="", title="Team", description="Empty: every team's.")
    page: int = Field(default=1, ge=1, le=10_000, title="Page")


async def answer(inputs: Services, ctx: Context) -> Answer:
    """One page of the catalog, by name; it asks no cluster, so it costs the same with five services and 5,000."""
    found = sorted(name for name, one in ctx.platform.services.items() if _is_meant(one, inputs))
    if not found:
        every = Button("All services", "services")
        return Answer("Services", (f"Nothing{_which(inputs)} is in the catalog.",), buttons=(every,))
    pages = -(-len(found) // PAGE)
    page = min(inputs.page, pages)
    shown = [ctx.platform.services[name] for name in found[(page - 1) * PAGE : page * PAGE]]
    count = f"{len(found):,} service{'' if len(found) == 1 else 's'}{_which(inputs)}"
    context = count if pages == 1 else f"Page {page} of {pages:,}: {count}"
    buttons = [Button(one.name, f"service {one.name}") for one in shown] if len(shown) <= FEW else []
    buttons += [Button("Previous", _line(inputs, page - 1))] if page > 1 else []
    buttons += [Button("Next", _line(inputs, page + 1))] if page < pages else []
    return Answer("Services", tuple(_row(one) for one in shown), buttons=tuple(buttons), context=context)


def _is_meant(service: Service, inputs: Services) -> bool:
    if inputs.team and service.team != inputs.team:
        return False
    word = inputs.find.casefold()
    return not word or any(word in text.casefold() for text in _texts(service))


def _texts(service: Service) -> Iterable[str]:
    yield from (service.name, service.team, service.description)
    yield from (f"{name}={value}" for name, value in service.labels.items())


def _row(service: Service) -> str:
    return f"*{service.name}* · {service.team}{f' · {service.description}' if service.description else ''}"


def _which(inputs: Services) -> str:
    of = f" of team {inputs.team}" if inputs.team else ""
    return f"{of} with “{inputs.find}”" if inputs.find else of


def _line(inputs: Services, page: int) -> str:
    quote = "'" if '"' in inputs.find else '"'
    words = [f"find={quote}{inputs.find}{quote}"] if inputs.find and quote not in inputs.find else []
    words += [f"team={inputs.team}"] if inputs.team else []
    return " ".join(["services", *words, f"page={page}"])


RECORD = Action(
    name="services",
    title="Services",
    risk="read",
    inputs=Services,
    usage="services [TEXT] [team=TEAM] [page=N]",
    summary="Which services there are, whose they are and what they do",
    positionals=("find",),
    answer=answer,
    button="Services",
)
