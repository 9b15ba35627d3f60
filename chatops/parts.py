"""Everything that the assistant is made of, built and handed to each other; ``chatops.main`` starts and ends it."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from typing import Any

from approvals.request import ENDED, Request
from chatops.adapters import databases
from chatops.adapters.alertmanager import Alertmanager
from chatops.adapters.anchor_file import AnchorFile
from chatops.adapters.cel import CelEvaluator
from chatops.adapters.clock import SystemClock
from chatops.adapters.configuration.discovering import Discovery
from chatops.adapters.configuration.folder import Load, load
from chatops.adapters.configuration.live import LiveConfiguration
from chatops.adapters.github import GitHubApi
from chatops.adapters.kubernetes.clusters import KubernetesClusters
from chatops.adapters.kubernetes.connection import Patience
from chatops.adapters.metrics import Metrics
from chatops.adapters.pagerduty import PagerDutyApi
from chatops.adapters.painter import ChartPainter
from chatops.adapters.prometheus import Prometheus
from chatops.bells import Bells
from chatops.http.deploys import DeployHooks
from chatops.http.hooks import Hooks
from chatops.http.pagerduty import PagerDutyHook
from chatops.http.server import HttpServer
from chatops.incidents import leading
from chatops.incidents import store as incident_store
from chatops.incidents.auditor import Auditor
from chatops.incidents.automating import Automations
from chatops.incidents.charts import Charts
from chatops.incidents.couriers import Couriers
from chatops.incidents.desk import Desk
from chatops.incidents.duty import Duty
from chatops.incidents.evidence import Evidence
from chatops.incidents.intake import Intake
from chatops.incidents.judging import Judge
from chatops.incidents.keeper import Keeper
from chatops.incidents.lifecycle import was_paged
from chatops.incidents.overrides import Overrides
from chatops.incidents.pagerduty import Mirror
from chatops.incidents.pagerduty_changes import Changes
from chatops.incidents.paging import Paging
from chatops.incidents.rooms import Rooms
from chatops.incidents.rules import Rules
from chatops.incidents.silencing import Silencing
from chatops.incidents.watcher import Watcher
from chatops.incidents.withdrawing import Withdrawals
from chatops.kernel import touched
from chatops.kernel.action import Desks
from chatops.kernel.background import Background
from chatops.kernel.catalog import Environment, Platform
from chatops.kernel.errors import PlatformError
from chatops.kernel.pages import PagePath
from chatops.kernel.ports import Clock, Tx
from chatops.notices.aftermath import Aftermaths
from chatops.notices.authors import Authors
from chatops.notices.changed import ChangedOutside
from chatops.notices.commits import Commits
from chatops.notices.configuration import Reconfigured
from chatops.notices.illustrating import Illustrator
from chatops.notices.ledger import DeployLedger
from chatops.notices.measuring import Measuring
from chatops.notices.outside import OutsideDeploys
from chatops.notices.telling import Teller, messages
from chatops.notices.weekly import Weekly
from chatops.points import OnPoint, PointedPath, cluster_points, commit_points, slack_points
from chatops.requests.anchors import Anchors
from chatops.requests.deadlines import Deadlines
from chatops.requests.engine import Engine
from chatops.requests.expiry import Expiry
from chatops.requests.health import Health
from chatops.requests.helpdesk import Questioner
from chatops.requests.locks import LockDesk
from chatops.requests.pages import Pages
from chatops.requests.planning import Planner
from chatops.requests.preferences import Wishes
from chatops.requests.questions import Answers
from chatops.requests.register import Register
from chatops.requests.reviews import Reviews
from chatops.requests.reviews import ask as ask_review
from chatops.requests.road import Road
from chatops.requests.run import Runner
from chatops.requests.schedules import Timetable
from chatops.requests.steps import Steps
from chatops.requests.taking import Taker
from chatops.settings import Settings
from chatops.slack import front
from chatops.slack.channels import attend, channels_of
from chatops.slack.client import SlackClient, session
from chatops.slack.directory import Home
from chatops.slack.files import SlackPictures
from chatops.slack.homes import Homes
from chatops.slack.messenger import Messenger
from chatops.slack.permalinks import Permalinks
from chatops.slack.rendering import renderers
from chatops.slack.rooms import SlackRooms
from commands import registry
from commands.declared import action_of

log = logging.getLogger("chatops")

Deployments = Callable[[Environment], Awaitable[list[dict[str, Any]]]]  # looks at an environment's


class Parts:
    """The parts as attributes, there once ``build`` has run; what has to be ended is on the stack.

    Only here does one half of the house learn of the other: what is told of a request that moved, of an incident that
    changed, of what runs in the clusters.
    """

    http: HttpServer  # made when it starts

    def __init__(
        self, settings: Settings, *, clock: Clock | None = None, on_point: OnPoint | None = None, burst: int = 1,
        patience: Patience | None = None, evaluator: CelEvaluator | None = None, lease: float | None = None,
        load: Load = load,
    ) -> None:  # fmt: skip
        self.settings = settings
        self.clock: Clock = clock or SystemClock()
        self.metrics = Metrics()
        self._on_point = on_point
        self.evaluator = evaluator or CelEvaluator()
        self._burst = burst
        self._patience = patience
        self._lease = lease
        self._load = load
        self._stack = AsyncExitStack()

    async def build(self) -> None:
        """Makes everything; nothing runs yet but what opens on entering: the database, the clusters, one session."""
        enter, hook, settings = self._stack.enter_async_context, self._on_point, self.settings
        built_in = registry.load(refused=_left_out)
        self.configuration = LiveConfiguration(settings.config, built_in, self.clock, action_of, load=self._load)
        self.actions = self.configuration.actions
        points = hook and commit_points(hook)
        self.database = await enter(databases.database(settings.database, on_commit_point=points, lease=self._lease))
        self.replicas = replicas = self.database.replicas
        self.bells = Bells(replicas)
        on_call, on_answer = cluster_points(hook, replicas.check), self.metrics.cluster_answered
        self.clusters = await enter(
            KubernetesClusters(settings.kubeconfig, on_call=on_call, on_answer=on_answer, patience=self._patience)
        )
        self._stack.push_async_callback(self.evaluator.close)
        shared = await enter(session())
        self.client = SlackClient(settings.bot_token, settings.slack_api_url, shared, self.metrics)
        self.directory = front.directory(self.client, self.configuration, self.database, self.clock, Home())
        self.permalinks = Permalinks(self.directory.home)
        self.messenger = Messenger(
            self.database, self.client, self.clock, renderers(self.clock, self.permalinks, self.configuration),
            burst=self._burst, on_call=slack_points(hook, replicas.check),
            outcome=lambda tx, post, error: self.couriers.outcome(tx, post, error),
            elsewhere=self.bells.led("post", lambda post: self.front.background.spawn(self.messenger.heard(post))),
            unnoted=self._tell_unnoted,
        )  # fmt: skip
        self._build_road()
        self._build_incidents()
        self.homes = Homes(self.client, self.road, self.directory, self.database, self.health, self.clock)
        self._home = self.bells.led("home", lambda user: self.front.background.spawn(self.homes.show(user)))
        self._homes_changed = self.bells.led("homes", lambda users: self.homes.changed(users.split()))
        self.front = front.Front(
            road=self.road, directory=self.directory, configuration=self.configuration, database=self.database,
            outbox=self.messenger, client=self.client, clock=self.clock, metrics=self.metrics,
            show_home=self._show_home, home_changed=lambda users: self._homes_changed(" ".join(users)),
            illustrator=self.illustrator, replicas=replicas,
        )  # fmt: skip
        self.reconfigured = Reconfigured(
            self.database, self.messenger, self.directory, self.configuration, self.clock, self.bells.leads
        )
        self.discovery = Discovery(
            self.database, self.configuration, self.clusters, self.clock, self._changed, self.reconfigured.left_out,
            replicas,
        )  # fmt: skip
        self._discover = self.bells.led("discover", lambda _: self._look_for_entries())
        replicas.on("catalog", lambda _: self._look_for_entries())
        replicas.on("request", self.engine.heard)
        replicas.on("late", self._heard_late)
        replicas.on("look", lambda _: self._look_for_work())

    def _build_road(self) -> None:
        database, configuration, clock = self.database, self.configuration, self.clock
        self.teller = Teller(database, self.messenger, configuration, clock)
        self.ledger = ledger = DeployLedger(database, self.messenger, configuration, self.teller)
        register = Register(self.messenger, configuration, clock, ledger.ended, ask_review)
        planner = Planner(
            self.actions, configuration, self.clusters, self.directory, self.evaluator.evaluate_all, ledger, clock,
            build=action_of,
        )  # fmt: skip
        self.pages = Pages(self.actions, database, register, self.messenger, planner, clock, self._public_url)
        self.expiry = Expiry(database, register, self.clusters, configuration, clock)
        self.reviews = reviews = Reviews(database, register, configuration, clock)
        questions = Answers(
            self.actions, database, planner, configuration, clock, self.pages, self.expiry, reviews, self.permalinks.of
        )
        planner.questions = questions
        self.planner = planner
        self.wishes = Wishes(database, self.messenger, self.directory, questions.home, clock)
        self.health = Health(configuration, self.clusters, clock, self._services_changed, lambda: self.homes.looked())
        planner.health = self.health
        runner = Runner(self.actions, database, register, planner, clock, self.pages)
        steps = Steps(database, register, planner, clock, Taker(database, register, planner, configuration, clock))
        self.engine = Engine(database, register, planner, runner, steps, clock, self.replicas)
        register.wake = self.engine.wake
        self.register = register
        github = GitHubApi(lambda: configuration.platform.github.api, lambda: self.client.session, now=clock.now)
        authors = Authors(
            database, self.messenger, configuration, self.directory, clock,
            Background(self.bells.here("authors", lambda: authors.wake())),
        )  # fmt: skip
        self.commits = Commits(
            database, self.messenger, configuration, github, authors, clock,
            Background(self.bells.here("commits", lambda: self.commits.wake())),
        )  # fmt: skip
        self.deadlines = Deadlines(database, register, clock)
        add = AnchorFile(self.settings.anchors).add if self.settings.anchors else None
        self.anchors = Anchors(database, self.messenger, configuration, clock, self.settings.signer, add)
        self.road = Road(self.actions, database, register, planner, questions, configuration, self.directory, clock)
        self.timetable = Timetable(database, self.road, register, self.messenger, configuration, clock)

    def _build_incidents(self) -> None:
        database, configuration, clock, directory = self.database, self.configuration, self.clock, self.directory
        keeper = Keeper(self.messenger, configuration, clock)
        rules = Rules(self.evaluator.evaluate_all, clock)
        judge = Judge(configuration, rules)
        self.automations = Automations(
            database, keeper, rules, self.evaluator.evaluate_all, self.road, Withdrawals(database, self.register),
            clock, self.metrics.automated,
        )  # fmt: skip
        self.register.moved, self.road.choices.holds = self._moved, self.automations.holds
        self.alerts = Intake(database, keeper, judge, clock, self.metrics.alerts_ignored.inc)
        self._build_pagerduty(keeper)
        self.couriers = Couriers(
            database, keeper, self._page_paths(), clock, self.metrics.paged,
            Background(self.bells.here("couriers", lambda: self.couriers.wake())),
        )  # fmt: skip
        overrides = Overrides(database, self.messenger, configuration, directory, clock)
        self.locks = LockDesk(database, self.messenger, configuration, clock)
        duty = Duty(configuration, clock, overrides)
        self.paging = Paging(database, keeper, directory, duty, judge, self.couriers, clock)
        self.evidence = Evidence(database, keeper, configuration, self.clusters, self.planner.ledger, clock)
        painter = ChartPainter()
        self._stack.callback(painter.close)
        asked = self.settings.prometheus
        prometheus = Prometheus(lambda: configuration.platform.prometheus or asked, lambda: self.client.session)
        pictures = SlackPictures(self.client)
        self.illustrator = Illustrator(painter, pictures)
        self.weekly = Weekly(database, self.messenger, configuration, self.planner.ledger, self.illustrator, clock)
        self.measuring = Measuring(self.planner.ledger, configuration, clock, self.metrics.delivered)
        self.charts = Charts(database, keeper, configuration, prometheus, painter, pictures, clock)
        self.aftermaths = Aftermaths(
            database, self.messenger, configuration, prometheus, painter, pictures, messages, clock
        )
        self.ledger.over = self.aftermaths.over
        on_call = slack_points(self._on_point, self.replicas.check)
        channels = SlackRooms(self.client, database, self.directory.home, on_call)
        self.rooms = Rooms(database, keeper, configuration, directory, channels, clock, self.charts.looked_back)
        incident_changed = self.bells.led("incident", lambda number: self._incident_changed(int(number)))
        keeper.wake = lambda number: incident_changed(str(number))
        self.auditor = Auditor(database, keeper, clock)
        changed = ChangedOutside(database, self.messenger, configuration, clock)
        self.watcher = Watcher(
            database, configuration, self.clusters, self.alerts.take, clock, self._deployments(changed)
        )  # fmt: skip
        take = self.alerts.take
        desk = Desk(database, keeper, configuration, directory, clock, take, self.couriers, leading.VERBS)
        alertmanager = Alertmanager(lambda: configuration.platform.alertmanager, lambda: self.client.session)
        silencing = Silencing(database, keeper, configuration, alertmanager, clock)
        helpdesk = Questioner(database, self.messenger, directory, configuration)
        self.planner.judge.desks = Desks(desk, silencing, overrides, self.locks, self.timetable, self.wishes, helpdesk)

    def _page_paths(self) -> dict[str, PagePath]:
        paths = self.settings.page_paths(lambda: self.client.session, self.clock)
        return {name: PointedPath(name, path, self._on_point, self.replicas.check) for name, path in paths.items()}

    def _build_pagerduty(self, keeper: Keeper) -> None:
        configuration, token = self.configuration, self.settings.pagerduty_token
        api = PagerDutyApi(lambda: configuration.platform.pagerduty.url, token, lambda: self.client.session)
        self.pagerduty_changes = Changes(
            self.database, keeper, configuration, api, self.clock,
            Background(self.bells.here("pagerduty", lambda: self.pagerduty_changes.wake())),
        )  # fmt: skip
        self.pagerduty = Mirror(
            self.database, keeper, self.alerts, self.alerts.judge, self.directory, configuration, api, self.clock,
            bool(token), self.pagerduty_changes.wake,
        )  # fmt: skip
        keeper.heard = self.pagerduty.heard

    async def _changed(self, platform: Platform) -> None:
        log.info("the configuration changed, its digest is %s", platform.digest[:12])
        self.front.picking.index()
        if not self.bells.leads():
            return
        self.front.background.spawn(attend(self.client, channels_of(platform)))
        self.front.background.spawn(self.paging.reconsider())

    def _moved(self, tx: Tx, request: Request) -> None:
        self.automations.moved(tx, request)
        self.commits.moved(tx, request)
        if request.state in ENDED and touched.writes_in(request.plan, self.configuration.platform.catalog_namespace):
            tx.after_commit(lambda: self._discover(""))
        concerned = " ".join([request.requester_id, *(one.id for one in request.approvers)])
        tx.after_commit(lambda: self._homes_changed(concerned))

    async def _show_home(self, user: str) -> None:
        """Who leads shows it, and keeps it up to date: it has seen how everything does."""
        if self.bells.leads():
            await self.homes.show(user)
        else:
            self._home(user)

    def _tell_unnoted(self, post: str, channel: str, ts: str) -> None:
        """Given up meanwhile: who leads now sees to it. Else the row says that it is not known, as after a crash."""
        if self.replicas.lost.is_set():
            self.replicas.ring("late", f"{post} {channel} {ts}")

    def _heard_late(self, what: str) -> None:
        if self.bells.leads():
            self.front.background.spawn(self.messenger.late.mend(*what.rsplit(" ", 2)))

    def _look_for_entries(self) -> None:
        self.front.background.spawn(self.discovery.look(), key="entries of the catalog")

    def _look_for_work(self) -> None:
        """Another replica has gone, and what it was at is free; or it was not heard what others had to tell."""
        for look in (self.engine.look, self.front.intake.look, self.messenger.look):
            self.front.background.spawn(look(), key=look.__qualname__)

    def _deployments(self, changed: ChangedOutside) -> Deployments:
        async def look(environment: Environment) -> list[dict[str, Any]]:
            found = await self.health.look_at(environment)
            await changed.saw(environment, found)
            return found

        return look

    def _services_changed(self, names: Collection[str]) -> None:
        services = self.configuration.platform.services
        teams = {services[name].team for name in names if name in services}
        self.homes.concerns(lambda person: not teams.isdisjoint(person.teams))

    def _incident_changed(self, number: int) -> None:
        self.paging.wake(number)
        self.evidence.wake(number)
        self.charts.wake(number)
        self.rooms.wake(number)
        self.automations.wake(number)
        if self.homes.watched:
            self.front.background.spawn(self._show_incident(number))

    async def _show_incident(self, number: int) -> None:
        """On the homes of those who have it or were paged for it, and of its team."""
        incident = await self.database.read(incident_store.load, number)
        had = incident.holder.id if incident.holder is not None else ""
        self.homes.concerns(
            lambda person: person.id == had or incident.team in person.teams or was_paged(incident, person)
        )

    def _hooks(self) -> Hooks:
        tokens, unread = self.settings.hook_tokens, self.alerts.unread
        signed = PagerDutyHook(tokens, self.pagerduty.take, unread)
        deploys = OutsideDeploys(
            self.database, self.configuration, self.clock, self.commits, self.teller, self.aftermaths.over
        )
        doors = DeployHooks(tokens, deploys.take, lambda: self.configuration.platform)
        return Hooks(tokens, self.alerts.take, unread, (signed.route(), *doors.routes()))

    def _public_url(self) -> str:
        return self.settings.public_url or self.http.address


def _left_out(broken: PlatformError) -> None:
    log.error("%s; the assistant goes on without it", broken.message)
