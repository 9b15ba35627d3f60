"""What exists and who owns it: the frozen picture of one configuration folder."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, time
from difflib import get_close_matches
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr

from chatops.kernel.alerting import AlertRule, Automation, Maintenance
from chatops.kernel.escalation import SEVERITIES, Escalation, Severity
from chatops.kernel.indexed import Indexed
from chatops.kernel.people import Identity, Person, Standing
from chatops.kernel.record import Record as Record
from chatops.kernel.rota import Rota
from chatops.kernel.spans import zone_of

_COMMIT = re.compile(r"(?=.*[a-f])[0-9a-f]{7,40}|[0-9a-f]{40}")


class Channels(Record):
    """Where messages go; what is empty falls back to the next wider one."""

    requests: str = ""
    deploys: str = ""
    incidents: str = ""


class Environment(Record):
    """A place to run things: a namespace of a cluster (``cluster`` is a kubeconfig context; empty: the current one)."""

    name: str
    tier: str
    namespace: str
    cluster: str = ""
    promote_from: str = ""
    rollback: Literal["automatic", "manual", ""] = ""  # empty: automatic where tier is production
    max_replicas: int = Field(default=100, ge=1)
    impersonate: bool = False  # what a person asks for is asked of the cluster as that person
    channels: Channels = Channels()

    @property
    def rolls_back(self) -> bool:
        """Whether a failed rollout is undone without asking."""
        return self.rollback == "automatic" or (not self.rollback and self.tier == "production")


class Group(Record):
    """Named people: e-mails or Slack ids, and/or the members of a Slack usergroup handle."""

    name: str
    members: tuple[str, ...] = ()
    usergroup: str = ""


class Team(Record):
    """People who own services; ``leads`` approve as ``team-leads``."""

    name: str
    channel: str = ""
    members: tuple[str, ...] = ()
    leads: tuple[str, ...] = ()
    oncall: str = ""
    timezone: str = ""  # empty: that of its rota, else that of ``Weekly``
    channels: Channels = Channels()


class Weekly(Record):
    """When each team's week is told in its channel: a local time of the team's time zone."""

    enabled: bool = True
    weekday: int = Field(default=0, ge=0, le=6)  # 0: Monday
    at: time = time(9)
    timezone: str = "UTC"  # of teams that have neither their own nor a rota, and of what is no team's


class Workload(Record):
    """The object that runs a service; an empty name or container means the service's name."""

    kind: Literal["Deployment"] = "Deployment"
    name: str = ""
    container: str = ""


class Service(Record):
    """Something that is deployed; image = ``image:version`` (``image@digest`` for a digest)."""

    name: str
    team: str
    description: str = ""
    workload: Workload = Workload()
    image: str = ""
    runbook: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    repository: str = ""  # on GitHub: acme/checkout
    tag: str = "{version}"  # what a version is called there: v{version}
    channels: Channels = Channels()
    entry: str = ""  # where it stands when not in the file: ConfigMap platform-catalog/gift-cards.staging (R-1042)

    @property
    def workload_name(self) -> str:
        """The workload object's name."""
        return self.workload.name or self.name

    @property
    def container(self) -> str:
        """The container that carries the version."""
        return self.workload.container or self.name

    def image_for(self, version: str) -> str:
        """The full image reference of a version or digest."""
        return f"{self.image}@{version}" if version.startswith("sha256:") else f"{self.image}:{version}"

    def version_of(self, image: str) -> str:
        """The version part of an image reference; the whole reference when it is another repository's."""
        for mark in ("@", ":"):
            if image.startswith(self.image + mark):
                return image[len(self.image) + 1 :].removeprefix("@")
        return image

    def tag_of(self, version: str) -> str:
        """What a version is called in the repository: its tag, or itself when it names a commit."""
        return version if _COMMIT.fullmatch(version) else self.tag.replace("{version}", version)

    def version_tagged(self, tag: str) -> str:
        """The version that a tag names; empty when it is none of this service's."""
        before, _, behind = self.tag.partition("{version}")
        fits = tag.startswith(before) and tag.endswith(behind) and len(tag) > len(before) + len(behind)
        return tag[len(before) : len(tag) - len(behind)] if fits else ""


class Requirement(Record):
    """``approvals`` different people out of ``sources`` (``group:NAME``, ``team-leads``, ``user:EMAIL_OR_ID``)."""

    approvals: int = Field(default=1, ge=1)
    sources: tuple[str, ...]
    expires: float = 86400.0  # seconds


class BreakGlass(Record):
    """Who may lift a denial with a reason."""

    group: str


class PolicyRule(Record):
    """One policy; neither ``require`` nor ``deny`` allows."""

    name: str
    when: str  # CEL
    require: tuple[Requirement, ...] = ()
    deny: str = ""
    break_glass: BreakGlass | None = None
    review: tuple[str, ...] = ()  # who looks afterwards at what it allowed, or at what breaking its glass allowed
    where: str = ""  # file:line, for explanations


class Freeze(Record):
    """A time at which nothing is changed: local wall-clock times; ``rrule`` (iCalendar) repeats it from ``start`` on.

    Where: what each list names that is not empty; all empty: everywhere.
    """

    name: str
    start: datetime
    end: datetime
    timezone: str
    rrule: str = ""
    environments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    message: str = ""
    break_glass: BreakGlass | None = None


class Route(Record):
    """Which other channels hear of deploys at a place (as of a freeze); ``quiet``: of successes in a digest only.

    ``quiet`` is the local time at which the digest comes, such as ``17:00``; empty: everything is told at once.
    """

    channels: tuple[str, ...]
    quiet: str = ""
    timezone: str = "UTC"
    environments: tuple[str, ...] = ()
    tiers: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    services: tuple[str, ...] = ()


class Lifting(Record):
    """Who may do all the same what the platform itself keeps people from."""

    break_glass: BreakGlass | None = None


class Allowed(Record):
    """What declared actions may touch (``actions:`` in platform.yml); None: the default.

    The default is namespaced kinds other than RBAC and Secrets, in the environments' own namespaces. A namespace may
    end with ``*``.
    """

    kinds: tuple[str, ...] | None = None  # Kind or Kind.group
    namespaces: tuple[str, ...] | None = None


class Watching(Record):
    """Whether the clusters themselves are watched for trouble, and whether that pages anybody."""

    enabled: bool = True
    pages: bool = False


class Reference(Record):
    """Where a secret stands, an environment variable or a file: never the secret itself."""

    env: str = ""
    file: str = ""


class Endpoint(Record):
    """A service that the assistant calls, with a login (a bearer token, or user and password) or without one."""

    name: str  # the key in platform.yml
    url: str
    token: Reference | None = None
    user: str = ""
    password: Reference | None = None
    ca: str = ""  # the file of the authority that signed its certificate; empty: the system's


class Measure(Record):
    """What is measured of a service before and after a deploy: PromQL with ``${service.name}`` and the like."""

    name: str  # what people read: errors (%)
    expression: str


class PagerDutyService(Record):
    """What a service of PagerDuty is here."""

    service: str
    environment: str = ""


class PagerDuty(Record):
    """How PagerDuty is spoken to, and what its services are here (by their id or name there)."""

    url: str = "https://api.pagerduty.com"
    sender: str = ""  # the e-mail in whose name it is told what somebody did whom it does not know
    pages: bool = False  # whether its incidents page people here as well
    services: dict[str, PagerDutyService] = Field(default_factory=dict)


class Workflow(Record):
    """A workflow of GitHub Actions that deploys; no repository: in all; no service: the repository's."""

    name: str
    environment: str
    repository: str = ""
    service: str = ""


class GitHub(Record):
    """How GitHub is spoken to, and which of its workflows deploy."""

    api: Endpoint = Endpoint(name="github", url="https://api.github.com")
    workflows: tuple[Workflow, ...] = ()

    @property
    def web(self) -> str:
        """Where people look, of github.com, GitHub Enterprise Cloud (``api.acme.ghe.com``) or Server (``…/api/v3``)."""
        return self.api.url.rstrip("/").removesuffix("/api/v3").replace("://api.", "://", 1)


class Elsewhere(Record):
    """What a person is called in other systems."""

    github: str = ""


class Retention(Record):
    """How long after its end something is kept, in seconds; 0: for ever."""

    requests: float = 0.0


class Anchoring(Record):
    """Where the audit trail's anchors are posted; empty: in no channel."""

    channel: str = ""


class Platform(Record):
    """One whole configuration; ``digest`` names it in the audit trail (sha256 of its files)."""

    channels: Channels = Channels(requests="platform-requests", deploys="deploys", incidents="incidents")
    environments: dict[str, Environment] = Field(default_factory=dict)
    groups: dict[str, Group] = Field(default_factory=dict)
    people: dict[str, Elsewhere] = Field(default_factory=dict)  # by e-mail or Slack user id
    teams: dict[str, Team] = Field(default_factory=dict)
    services: dict[str, Service] = Field(default_factory=dict)
    catalog_namespace: str = ""  # where the clusters name more services; empty: they don't
    policies: tuple[PolicyRule, ...] = ()
    operators: tuple[str, ...] = ()  # the platform team: sources like a requirement's
    allowed: Allowed = Allowed()
    rotas: dict[str, Rota] = Field(default_factory=dict)
    escalations: dict[str, Escalation] = Field(default_factory=dict)
    severities: dict[str, Severity] = Field(default_factory=lambda: dict(SEVERITIES))  # the worst first
    alerts: tuple[AlertRule, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    automations: tuple[Automation, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    routes: tuple[Route, ...] = ()
    locks: Lifting = Lifting()  # who may unlock what is somebody else's, and change it all the same
    promotion: Lifting = Lifting()  # who may deploy what has not run well in the environment before
    watcher: Watching = Watching()
    weekly: Weekly = Weekly()
    alertmanager: Endpoint | None = None  # where silences are made
    prometheus: Endpoint | None = None  # where charts get their numbers
    after_deploys: tuple[Measure, ...] = ()  # what is drawn of the minutes before and after a deploy
    pagerduty: PagerDuty = PagerDuty()
    github: GitHub = GitHub()
    audit: Anchoring = Anchoring()
    retention: Retention = Retention()
    digest: str = ""
    _indexed: Indexed[Service] | None = PrivateAttr(default=None)

    @property
    def indexed(self) -> Indexed[Service]:
        """The services by workload and by team; a copy with other services gets an index of its own."""
        if self._indexed is None or self._indexed.catalog is not self.services:
            self._indexed = Indexed(self.services)
        return self._indexed

    def channel(
        self, purpose: Literal["requests", "deploys", "incidents"], env: str = "", service: str = "", owner: str = ""
    ) -> str:
        """The channel name for a purpose: the service's own, its team's, the environment's, else the platform's.

        ``owner`` is the team of what belongs to no service.
        """
        found = self.services.get(service)
        team = self.teams.get(found.team if found else owner)
        environment = self.environments.get(env)
        candidates = (found, team, environment)
        for holder in candidates:
            if holder is not None and (name := str(getattr(holder.channels, purpose))):
                return name
        return str(getattr(self.channels, purpose))

    def zone_of(self, team: str) -> ZoneInfo:
        """A team's own time zone, else that of its rota, else the one of ``weekly``; no team: that one."""
        found = self.teams.get(team)
        rota = self.rotas.get(found.oncall) if found else None
        return zone_of((found.timezone if found else "") or (rota.timezone if rota else "") or self.weekly.timezone)

    def person_called(self, login: str) -> str:
        """Whose login on GitHub that is, by e-mail or Slack user id; empty when nobody's is known."""
        called = (name for name, one in self.people.items() if one.github and one.github.casefold() == login.casefold())
        return next(called, "")

    def identity(self, person: Person) -> Identity:
        """As whom a cluster is asked for a person.

        The groups are those whose ``members`` name the person: who can edit a Slack usergroup must not be able to hand
        out rights in a cluster.
        """
        named = [one.name for one in self.groups.values() if any(map(person.is_named, one.members))]
        groups = tuple(sorted(named)) if person.is_member else ()
        known = person.standing is not Standing.UNKNOWN
        return Identity(user=person.email.lower(), groups=groups, name=person.name or person.id, known=known)


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or ``""``."""
    matches = get_close_matches(word.casefold(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""
