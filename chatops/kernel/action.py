"""An action.

Something the platform can do, as one record. Form, line, help and validation come from its inputs model.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from pydantic import BaseModel

from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.declaration import Rule
from chatops.kernel.helpdesk import Helpdesk
from chatops.kernel.inputs import (
    Asked,
    ChangeInputs,
    EnvironmentName,
    Input,
    InputKind,
    Inputs,
    Reason,
    ServiceName,
    Version,
    inputs_of,
)
from chatops.kernel.locks import Locks
from chatops.kernel.panels import Panels
from chatops.kernel.people import Person
from chatops.kernel.plan import ObjectRef, Plan
from chatops.kernel.ports import ClusterReader, Clusters, ClusterWriter, EvaluateAll, Ledger
from chatops.kernel.preferences import Preferring
from chatops.kernel.rota import Overridden
from chatops.kernel.schedules import Schedules
from chatops.kernel.usage import Asked as AskedFor
from chatops.kernel.usage import Forms

__all__ = [
    "Action",
    "Answer",
    "Answerer",
    "Applier",
    "Asked",
    "Button",
    "ChangeInputs",
    "Check",
    "Context",
    "Desks",
    "EnvironmentName",
    "File",
    "Giver",
    "Incidents",
    "Input",
    "InputKind",
    "Inputs",
    "Made",
    "Outcome",
    "Overrides",
    "Planner",
    "Questions",
    "Reason",
    "RequestList",
    "Risk",
    "ServiceName",
    "Silences",
    "Version",
    "inputs_of",
]

Risk = Literal["read", "change", "danger"]


@dataclass(frozen=True, slots=True)
class Context:
    """What a planner or a read action may know.

    ``cluster``, ``service`` and ``environment`` are those the inputs name.
    """

    platform: Platform
    requester: Person
    now: datetime
    ledger: Ledger
    questions: Questions
    clusters: Clusters | None = None
    cluster: ClusterReader | None = None
    environment: Environment | None = None
    service: Service | None = None
    frozen: Mapping[str, str] = field(default_factory=dict)  # what the first plan made up; keep it when planning again
    evaluate: EvaluateAll | None = None
    request: int = 0  # its number; 0 while nobody has asked yet
    served: Desks | None = None  # ask ``desks`` for them
    asked_at: float = 0.0  # when what is answered was typed (epoch seconds): the same when it is worked off again
    key: str = ""  # of what is answered: the same when it is worked off again, so that what it does is done once
    again: bool = False  # whether it is worked off again: what it did outside of the database may be there already

    @property
    def before(self) -> float:
        """What was done later (epoch seconds) is not undone: whoever typed a line that then waited did not mean it."""
        return self.asked_at if self.again else math.inf

    @property
    def desks(self) -> Desks:
        """What can be done here beside changing something in a cluster."""
        if self.served is None:
            raise TypeError("nobody is at the desks here")
        return self.served

    def needs(self) -> tuple[ClusterReader, Environment, Service]:
        """Cluster, environment and service, for actions whose inputs name them."""
        if self.cluster is None or self.environment is None or self.service is None:
            raise TypeError("this action's inputs name no service and environment")
        return self.cluster, self.environment, self.service


@dataclass(frozen=True, slots=True)
class Desks:
    """Where people do what needs no plan."""

    incidents: Incidents
    silences: Silences
    overrides: Overrides
    locks: Locks
    schedules: Schedules
    preferences: Preferring
    helpdesk: Helpdesk


@dataclass(frozen=True, slots=True)
class Button:
    """A button under an answer: the line it stands for is run (or its form opened, when ``form``) for who clicks."""

    label: str
    line: str
    form: bool = False
    style: Literal["", "primary", "danger"] = ""


@dataclass(frozen=True, slots=True)
class RequestList:
    """Requests in an answer under a heading of their own; rows as ``Questions.requests`` gives them."""

    heading: str
    rows: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class File:
    """What is too long for a message; sent to who asked, in their direct messages. Kept nowhere."""

    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read action says, free of Slack.

    A title, lines, lists of requests, an optional table, text in fixed width, buttons.
    """

    title: str
    lines: tuple[str, ...] = ()  # plain text; ``*bold*`` and `` `code` `` are understood, everything else is escaped
    lists: tuple[RequestList, ...] = ()
    table: tuple[tuple[str, ...], ...] = ()  # first row: headings
    buttons: tuple[Button, ...] = ()
    context: str = ""
    code: str = ""  # lines in fixed width; the last ones win where there is no room for all
    file: File | None = None
    panels: Panels | None = None  # a picture that is drawn of it
    image: tuple[str, ...] = ()  # a picture that Slack has: its file's id, and what is on it
    channel: str = ""  # the id of the channel it speaks of: shown as a link to it
    private: bool = False  # for who asked alone, also where they asked in public


@dataclass(frozen=True, slots=True)
class Outcome:
    """What writing gave: the generation each written object must be observed at."""

    generations: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Made:
    """What one request made in a cluster and is still there. Times: epoch seconds."""

    request: int
    by: str  # who asked for it
    requester_id: str
    team: str  # that owns it
    environment: str
    service: str
    objects: tuple[tuple[ObjectRef, str], ...]  # each with its uid, the newest first
    made_at: float
    expires_at: float  # 0: it stays
    period: float  # seconds that an extension gives; 0: it cannot be extended
    link: str = ""  # of the request's card

    def is_of(self, person: Person) -> bool:
        """Whether this person asked for it, or is of the team that owns it."""
        return person.id == self.requester_id or self.team in person.teams


class Questions(Protocol):
    """What ``why``, ``help``, ``requests``, ``mine``, ``pause`` and the first page ask of the road."""

    async def allowed(self, person: Person) -> tuple[Action, ...]:
        """The actions this person could ask for in at least one environment."""
        ...

    async def why(self, person: Person, action: str, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Policy's answer for an action, in sentences, before asking."""
        ...

    async def requests(
        self, person: Person, whose: Literal["mine", "waiting", "recent"]
    ) -> tuple[Mapping[str, Any], ...]:
        """Requests as rows: id, title, state, by, at, link; newest first, at most 20."""
        ...

    async def asked_since(self, moment: float) -> Sequence[AskedFor]:
        """Every request that was asked for since then (epoch seconds)."""
        ...

    async def forms_since(self, moment: float) -> Mapping[str, Forms]:
        """By action, the forms that were opened since then (epoch seconds)."""
        ...

    async def made(self, person: Person) -> tuple[Made, ...]:
        """What this person asked for or their teams own, by request, newest first."""
        ...

    async def made_by(self, request: int) -> Made | None:
        """What a request made and is still there."""
        ...

    async def review(self, person: Person, request: int, text: str, key: str = "") -> str:
        """Keeps what somebody says of a change that nobody had to approve, the same ``key`` once; returns a sentence.

        Raises ``Refused`` for the requester and for whoever is not asked, ``TooLate`` when there is nothing to review.
        """
        ...

    async def extend(self, person: Person, request: int, key: str = "") -> str:
        """Lets what a request made stay for its whole time once more, the same ``key`` once; returns a sentence.

        Raises ``Refused`` for everybody but the requester and the owning team, ``TooLate`` when nothing is left.
        """
        ...

    async def confirm_page(self, person: Person, request: int, code: str, mine: bool, key: str = "") -> str:
        """Whether the browser that shows this code is the person's, the same ``key`` once; returns a sentence.

        Raises ``Refused`` for everybody but the requester, ``TooLate`` when the page is gone.
        """
        ...

    async def pause(self, person: Person, paused: bool, reason: str, key: str = "", before: float = math.inf) -> str:
        """Stops or resumes new writes, the same ``key`` once; returns what stands now.

        Raises ``Refused`` for people outside the platform team, ``TooLate`` for what was not paused ``before``.
        """
        ...


class Overrides(Protocol):
    """Who takes whose place on call for a while."""

    async def of(self, rota: str, start: float, end: float) -> list[Overridden]:
        """What holds between two moments, in the order in which it was made."""
        ...

    async def called(self, people: Collection[str]) -> Mapping[str, str]:
        """What those are called whom the configuration names by e-mail or id, as far as that is known in time."""
        ...

    async def put(
        self, asker: Person, rota: str, who: str, start: float, end: float, reason: str, key: str = ""
    ) -> Overridden:
        """Puts somebody on call, the same ``key`` once; raises ``TooLate`` or ``Refused``."""
        ...

    async def remove(self, asker: Person, number: int, key: str = "") -> Overridden:
        """The rota holds again, the same ``key`` once; raises ``TooLate``, ``Refused``."""
        ...


class Silences(Protocol):
    """Keeps the monitor of an incident's alerts quiet."""

    async def silence(
        self, person: Person, number: int, until: float, text: str, key: str = "", again: bool = False
    ) -> Answer:
        """Keeps the monitor of its alerts quiet until then (epoch seconds), the same ``key`` once.

        ``again``: it may be quiet already, by what was cut off. Raises ``TooLate`` or ``Refused``.
        """
        ...

    async def unsilence(self, person: Person, number: int, key: str = "", before: float = math.inf) -> Answer:
        """Ends what ``silence`` made ``before``, the same ``key`` once; raises ``TooLate`` or ``Refused``."""
        ...


class Incidents(Protocol):
    """What people do with incidents, and see of them."""

    async def act(
        self, person: Person, verb: str, number: int, given: Mapping[str, str], key: str = "", before: float = math.inf
    ) -> Answer:
        """The same ``key`` once, and nothing to what began anew after ``before``; raises ``TooLate`` or ``Refused``."""
        ...

    async def report(self, person: Person, given: Mapping[str, str], key: str = "") -> Answer:
        """Opens an incident in a person's words: text, and team, or service, environment and severity.

        The same ``key`` once. Raises ``TooLate`` or ``Refused``.
        """
        ...

    async def listed(self, person: Person, whose: str) -> Answer:
        """Open incidents: ``open``, ``mine``, or a team's."""
        ...

    async def concerning(self, person: Person, service: str, environment: str) -> Mapping[str, Any]:
        """The open incident of a service there: the fields of CEL's ``incident``, among them whether it is ``mine``.

        It is who acknowledged it and was paged for it: whoever only tells of one, or takes it over, gains no rights.
        """
        ...

    async def timeline(self, person: Person, number: int) -> Answer:
        """Everything that happened in an incident, oldest first."""
        ...

    async def test_page(self, person: Person, key: str = "") -> Sequence[str]:
        """Pages who asks, the same ``key`` once, so that they know what a page looks and sounds like."""
        ...


Planner = Callable[[Any, Context], Awaitable[Plan]]
Applier = Callable[[Plan, ClusterWriter], Awaitable[Outcome]]
Answerer = Callable[[Any, Context], Awaitable[Answer]]
Check = Callable[[Any, Platform], None]
Reader = Callable[[str, str], Mapping[str, str]]
Giver = Callable[[Plan, str, ClusterWriter], Awaitable[Outcome]]


@dataclass(frozen=True, slots=True)
class Action:
    """Something the platform can do. ``plan`` and ``apply`` for changes, ``answer`` for reads."""

    name: str
    title: str
    risk: Risk
    inputs: type[BaseModel]
    usage: str  # deploy SERVICE VERSION ENVIRONMENT because REASON
    summary: str
    positionals: tuple[str, ...] = ()
    plan: Planner | None = None
    apply: Applier | None = None
    answer: Answerer | None = None
    check: Check | None = None  # raises InputError for what only the catalog can tell, so that it shows at its field
    button: str = ""  # label of the button on the first page; empty: none
    operators_only: bool = False
    rules: tuple[Rule, ...] = ()  # what the inputs have to fulfil together
    variables: Callable[[Any], dict[str, Any]] | None = None  # how CEL sees the inputs; default: as they are
    give: Giver | None = None  # instead of apply: writes a value that a person gives on a one-time page
    fillers: tuple[str, ...] = ()  # words of a line that say nothing: `for` in `override tomorrow for @olu`
    reads: Reader | None = None  # what a line says, from its words and its reason; default: word by word
    promoted: bool = False  # its version has to run well in the environment before (`promote_from`)
    hidden: bool = False  # asked for by buttons alone: in no list, no help
    pinned: str = ""  # what a request keeps, so that it goes on with the version it began with
