"""What is counted, for ``/metrics``; a registry of its own, so that two assistants in one process don't mix."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from chatops.kernel.dora import Figures

_QUICK = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 30.0)


class Metrics:
    """Counters handed to whoever does the counted thing."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.acks = Histogram(
            "chatops_ack_seconds",
            "From a delivery's arrival to its acknowledgement",
            ["kind"],
            buckets=_QUICK,
            registry=self.registry,
        )
        self.intake = Histogram(
            "chatops_intake_seconds",
            "From a delivery's commit to its work being done",
            ["kind"],
            buckets=_QUICK,
            registry=self.registry,
        )
        self.repeated = Counter(
            "chatops_intake_repeated", "Deliveries that were there before", ["kind"], registry=self.registry
        )
        self.waiting = Gauge(
            "chatops_intake_waiting_seconds", "How long the oldest of the acknowledged deliveries waits to be done",
            registry=self.registry,
        )  # fmt: skip
        self.calls = Histogram(
            "chatops_call_seconds",
            "Calls to outside systems by what came of them",
            ["system", "call", "result"],
            buckets=_QUICK,
            registry=self.registry,
        )
        self.requests = Gauge(
            "chatops_requests_open", "Requests under way by their state", ["state"], registry=self.registry
        )
        self.posts = Gauge(
            "chatops_posts_waiting", "Messages that wait to be sent by their lane", ["lane"], registry=self.registry
        )
        self.incidents = Gauge(
            "chatops_incidents_open", "Incidents that are not resolved, by state", ["state"], registry=self.registry
        )
        self.alerts_ignored = Counter(
            "chatops_alerts_ignored", "Alerts that a rule of the configuration ignores", registry=self.registry
        )
        self.automations = Counter(
            "chatops_automations", "What came of automations whose rule held", ["rule", "outcome"],
            registry=self.registry,
        )  # fmt: skip
        self.pages = Counter(
            "chatops_pages", "Pages beside Slack by what came of them", ["path", "outcome"], registry=self.registry
        )
        self.overdue = Gauge(
            "chatops_paging_overdue", "Steps of an escalation that are more than a minute late", registry=self.registry
        )
        place = ["team", "service", "environment"]
        self.deploys = Gauge(
            "chatops_dora_deploys", "Deploys that succeeded in thirty days", place, registry=self.registry
        )
        self.deploys_failed = Gauge(
            "chatops_dora_deploys_failed", "Deploys that failed in thirty days", place, registry=self.registry
        )
        self.deploys_ended = Gauge(
            "chatops_dora_deploys_ended", "Deploys that succeeded or failed in thirty days", place,
            registry=self.registry,
        )  # fmt: skip
        self.lead = Gauge(
            "chatops_dora_lead_seconds", "Lead time for changes, the median of thirty days", place,
            registry=self.registry,
        )  # fmt: skip
        self.recovery = Gauge(
            "chatops_dora_recovery_seconds", "Failed deployment recovery time, the median of thirty days", place,
            registry=self.registry,
        )  # fmt: skip
        self.leads = Gauge("chatops_leads", "1 in the replica that leads; one does", registry=self.registry)
        self.sockets = Gauge("chatops_socket_connections", "Socket Mode connections that stand", registry=self.registry)

    def cluster_answered(self, context: str, verb: str, result: str, seconds: float) -> None:
        """One exchange with a cluster; its labels are the configuration's contexts, our verbs and HTTP statuses."""
        system = f"kubernetes/{context}" if context else "kubernetes"
        self.calls.labels(system, verb, result).observe(seconds)

    def automated(self, rule: str, outcome: str) -> None:
        """A rule ``asked``, found the ``same`` under way, was ``limited``, ``failed``, or made a dry run."""
        self.automations.labels(rule, outcome).inc()

    def delivered(self, figures: Mapping[tuple[str, str, str], Figures]) -> None:
        """The figures of each team, service and environment; what is not among them any more goes."""
        for gauge in (self.deploys, self.deploys_failed, self.deploys_ended, self.lead, self.recovery):
            gauge.clear()
        for place, one in figures.items():
            for gauge, value in (
                (self.deploys, one.deploys), (self.deploys_failed, one.failed), (self.deploys_ended, one.ended),
                (self.lead, one.lead), (self.recovery, one.recovery),
            ):  # fmt: skip
                if value is not None:
                    gauge.labels(*place).set(value)

    def paged(self, path: str, outcome: str) -> None:
        """A page beside Slack was ``sent``, ``refused``, ``given up`` or ``not needed``."""
        self.pages.labels(path, outcome).inc()
