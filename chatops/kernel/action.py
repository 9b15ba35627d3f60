"""An action.

Something the platform can do, as one record. Form, line, help and validation come from its inputs model.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Protocol, get_args

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from chatops.kernel.catalog import Environment, Platform, Service
from chatops.kernel.declaration import OptionsFrom, Rule
from chatops.kernel.people import Person
from chatops.kernel.plan import ObjectRef, Plan
from chatops.kernel.ports import ClusterReader, Clusters, ClusterWriter, EvaluateAll, Ledger
from chatops.kernel.rota import Overridden

Risk = Literal["read", "change", "danger"]


class InputKind(StrEnum):
    """How an input is asked for and understood."""

    SERVICE = "service"
    ENVIRONMENT = "environment"
    VERSION = "version"
    ACTION = "action"
    TEXT = "text"
    LONG_TEXT = "long_text"
    INTEGER = "integer"
    NUMBER = "number"
    CHOICE = "choice"
    CHOICES = "choices"  # several of the options
    BOOLEAN = "boolean"
    TEAM = "team"
    PERSON = "person"  # a Slack user id or an e-mail
    DURATION = "duration"  # 30m, 4h, 2d
    DATETIME = "datetime"


ServiceName = Annotated[str, InputKind.SERVICE]
EnvironmentName = Annotated[str, InputKind.ENVIRONMENT]
# An image tag, or a digest: https://github.com/opencontainers/distribution-spec (tags are at most 128 characters)
Version = Annotated[
    str, InputKind.VERSION, StringConstraints(pattern=r"^(sha256:[0-9a-f]{64}|[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})$")
]
Reason = Annotated[str, InputKind.LONG_TEXT, MaxLen(2000)]


class Inputs(BaseModel):
    """Base of every inputs model: frozen, no unknown keys, blanks around text taken off."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class ChangeInputs(Inputs):
    """Base of what changes something: carries the reason, shown to approvers as typed."""

    reason: Reason = Field(default="", title="Reason", description="Why; the approvers read it.")


@dataclass(frozen=True, slots=True)
class Asked:
    """How an input is asked for beyond its type; among the annotations of a model's field."""

    values: Mapping[str, Any] = field(default_factory=dict)  # choice: what people choose → what CEL sees
    options_from: OptionsFrom | None = None
    default_from: str = ""  # CEL
    show_when: str = ""  # CEL
    needed: bool = False  # while show_when shows it; the model cannot insist on it
    min_length: int = 0  # characters, where something is given
    minimum: float | None = None  # seconds of a duration, which is a text that no model compares
    maximum: float | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One input as forms and lines see it."""

    name: str
    title: str
    kind: InputKind
    required: bool
    default: Any = None
    help: str = ""
    minimum: float | None = None
    maximum: float | None = None
    min_length: int = 0
    max_length: int | None = None
    options: tuple[str, ...] = ()
    asked: Asked = Asked()


def inputs_of(model: type[BaseModel]) -> tuple[Input, ...]:
    """The inputs of a model in order, the reason last."""
    found = [_input(name, info) for name, info in model.model_fields.items()]
    return tuple(sorted(found, key=lambda one: one.name == "reason"))


def _without_none(annotation: Any) -> Any:
    """``int`` of ``int | None``: what may be left out is asked for like what may not."""
    left = [one for one in get_args(annotation) if one is not NoneType] if isinstance(annotation, UnionType) else []
    return left[0] if len(left) == 1 else annotation


def _input(name: str, info: FieldInfo) -> Input:
    meta = info.metadata
    kind = next((m for m in meta if isinstance(m, InputKind)), None)
    annotation = _without_none(info.annotation)
    asked = next((m for m in meta if isinstance(m, Asked)), Asked())
    options: tuple[str, ...] = ()
    if kind is None:
        if getattr(annotation, "__origin__", None) is Literal:
            kind, options = InputKind.CHOICE, tuple(str(o) for o in annotation.__args__)
        else:
            kinds = {int: InputKind.INTEGER, float: InputKind.NUMBER, bool: InputKind.BOOLEAN}
            kind = kinds.get(annotation, InputKind.TEXT) if annotation else InputKind.TEXT
    return Input(
        name=name,
        title=info.title or name.replace("_", " ").capitalize(),
        kind=kind,
        required=info.is_required(),
        default=None if info.is_required() else info.default,
        help=info.description or "",
        minimum=next((_number(m.ge) for m in meta if isinstance(m, Ge)), asked.minimum),
        maximum=next((_number(m.le) for m in meta if isinstance(m, Le)), asked.maximum),
        min_length=asked.min_length or next((m.min_length for m in meta if isinstance(m, MinLen)), 0),
        max_length=next((m.max_length for m in meta if isinstance(m, MaxLen)), None),
        options=options or tuple(asked.values),
        asked=asked,
    )


def _number(limit: Any) -> float:
    return limit if isinstance(limit, int | float) else float(limit)


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
    incidents: Incidents | None = None
    overrides: Overrides | None = None

    @property
    def instead(self) -> Overrides:
        """Who takes whose place on call."""
        if self.overrides is None:
            raise TypeError("nobody keeps overrides here")
        return self.overrides

    @property
    def desk(self) -> Incidents:
        """What people do with incidents."""
        if self.incidents is None:
            raise TypeError("nobody handles incidents here")
        return self.incidents

    def needs(self) -> tuple[ClusterReader, Environment, Service]:
        """Cluster, environment and service, for actions whose inputs name them."""
        if self.cluster is None or self.environment is None or self.service is None:
            raise TypeError("this action's inputs name no service and environment")
        return self.cluster, self.environment, self.service


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

    async def made(self, person: Person) -> tuple[Made, ...]:
        """What this person asked for or their teams own, by request, newest first."""
        ...

    async def made_by(self, request: int) -> Made | None:
        """What a request made and is still there."""
        ...

    async def review(self, person: Person, request: int, text: str) -> str:
        """Keeps what somebody says of a change that nobody had to approve; returns a sentence.

        Raises ``Refused`` for the requester and for whoever is not asked, ``TooLate`` when there is nothing to review.
        """
        ...

    async def extend(self, person: Person, request: int) -> str:
        """Lets what a request made stay for its whole time once more; returns a sentence.

        Raises ``Refused`` for everybody but the requester and the owning team, ``TooLate`` when nothing is left.
        """
        ...

    async def confirm_page(self, person: Person, request: int, code: str, mine: bool) -> str:
        """Whether the browser that shows this code is the person's; returns a sentence.

        Raises ``Refused`` for everybody but the requester, ``TooLate`` when the page is gone.
        """
        ...

    async def pause(self, person: Person, paused: bool, reason: str) -> str:
        """Stops or resumes new writes.

        Returns what stands now. Raises ``Refused`` for people outside the platform team.
        """
        ...


class Overrides(Protocol):
    """Who takes whose place on call for a while."""

    async def of(self, rota: str, start: float, end: float) -> list[Overridden]:
        """What holds between two moments, in the order in which it was made."""
        ...

    async def put(self, asker: Person, rota: str, who: str, start: float, end: float, reason: str) -> Overridden:
        """Puts somebody on call; raises ``Refused``."""
        ...

    async def remove(self, asker: Person, number: int) -> Overridden:
        """The rota holds again; raises ``TooLate``, ``Refused``."""
        ...


class Incidents(Protocol):
    """What people do with incidents, and see of them."""

    async def act(self, person: Person, verb: str, number: int, given: Mapping[str, str]) -> Answer:
        """Does something with an incident and says what stands; raises ``TooLate`` or ``Refused``."""
        ...

    async def report(self, person: Person, given: Mapping[str, str]) -> Answer:
        """Opens an incident in a person's words: text, and team, or service, environment and severity.

        Raises ``Refused``.
        """
        ...

    async def silence(self, person: Person, number: int, length: float, text: str) -> Answer:
        """Keeps the monitor of its alerts quiet for ``length`` seconds; raises ``TooLate`` or ``Refused``."""
        ...

    async def unsilence(self, person: Person, number: int) -> Answer:
        """Ends what ``silence`` made before its time; raises ``TooLate`` or ``Refused``."""
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

    async def test_page(self, person: Person) -> Sequence[str]:
        """Pages who asks, so that they know what a page looks and sounds like."""
        ...


Planner = Callable[[Any, Context], Awaitable[Plan]]
Applier = Callable[[Plan, ClusterWriter], Awaitable[Outcome]]
Answerer = Callable[[Any, Context], Awaitable[Answer]]
Check = Callable[[Any, Platform], None]
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
    hidden: bool = False  # asked for by buttons alone: in no list, no help
    pinned: str = ""  # what a request keeps, so that it goes on with the version it began with
