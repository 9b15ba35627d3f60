"""What rules say about alerts, how little is evaluated for it, and that nothing they do wrong loses an alert."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from chatops.incidents.judging import Judge, Judged, quiet_of
from chatops.incidents.rules import LONGEST_KEY, Rules
from chatops.kernel.alert import PERSON, Alert
from chatops.kernel.alerting import AlertRule, Maintenance
from chatops.kernel.catalog import Channels, Environment, Platform, Service, Team
from tests.support.clock import MONDAY, MovableClock
from tests.support.evaluator import LentEvaluator


def platform(*rules: AlertRule, maintenance: tuple[Maintenance, ...] = ()) -> Platform:
    return Platform(
        environments={"production": Environment(name="production", tier="production", namespace="shop")},
        teams={"shop": Team(name="shop"), "web": Team(name="web", channels=Channels(incidents="web-alarms"))},
        services={"checkout": Service(name="checkout", team="shop", labels={"pci": "yes"})},
        alerts=rules, maintenance=maintenance,
    )  # fmt: skip


def rule(when: str, place: int = 1, **says: Any) -> AlertRule:
    return AlertRule(name=f"alert rule {place}", when=when, **says)


def alert(name: str = "ErrorRate", source: str = "alertmanager", severity: str = "critical", **labels: str) -> Alert:
    given = {"environment": "production", "service": "checkout", **labels}
    return Alert(
        source=source, fingerprint=f"{name}{labels}", status="firing", name=name, severity=severity, labels=given
    )


@dataclass
class Configured:
    platform: Platform


@dataclass
class Counting:
    """A real evaluator that counts what it is asked."""

    evaluator: LentEvaluator
    calls: list[int] = field(default_factory=list)

    async def __call__(self, pairs: Sequence[tuple[str, Mapping[str, Any]]], /) -> list[Any]:
        self.calls.append(len(pairs))
        return await self.evaluator.evaluate_all(pairs)


@pytest.fixture
async def counting() -> AsyncIterator[Counting]:
    evaluator = LentEvaluator()
    yield Counting(evaluator)
    await evaluator.close()


async def judged(counting: Any, where: Platform, *alerts: Alert, clock: MovableClock | None = None) -> list[Judged]:
    return await Judge(Configured(where), Rules(counting, clock or MovableClock())).all(alerts)


async def test_without_rules_nothing_is_evaluated(counting: Counting) -> None:
    over = Maintenance(name="over", when="true", start=MONDAY - 10, end=MONDAY)
    [one] = await judged(counting, platform(maintenance=(over,)), alert())
    assert (one.key, one.severity, one.channel) == ("production/checkout", "sev1", "incidents")
    assert counting.calls == []


async def test_every_rule_that_holds_counts_and_the_first_that_says_something_wins(counting: Counting) -> None:
    rules = (
        rule('alert.name == "Other"', 1, severity="sev4", ignore=True),
        rule('alert.name == "ErrorRate"', 2, severity="sev3", ignore=False),
        rule('severity == "sev1"', 3, severity="sev2", channel="loud", ignore=True),
        rule('service.team == "shop" && env.tier == "production"', 4, channel="shop", resolve="automatic"),
    )
    [one] = await judged(counting, platform(*rules), alert())
    assert (one.severity, one.channel, one.ignored, one.resolves, one.failed) == ("sev3", "loud", False, True, ())
    assert one.pages is False


async def test_an_empty_key_says_nothing_and_the_next_rule_is_asked(counting: Counting) -> None:
    rules = (
        rule("true", 1, key='has(alert.labels.region) ? alert.labels.region : ""'),
        rule("true", 2, key='"everything"'),
    )
    found = await judged(counting, platform(*rules), alert(), alert(region="west"))
    assert [one.key for one in found] == ["everything", "west"]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (rule("int(alert.name) > 1", ignore=True), "alert rule 1 could not be evaluated"),
        (rule("alert.labels.region == 'west'", ignore=True), "alert rule 1 could not be evaluated"),
        (rule("true", key="alert.labels.region"), "the key of alert rule 1 could not be evaluated"),
        (rule("true", key="'x' + alert.labels.long"), f"it gives no text of at most {LONGEST_KEY} characters"),
        (rule("alert.labels.exists(a, 3)", ignore=True), "alert rule 1 could not be evaluated"),
    ],
)
async def test_a_rule_that_fails_counts_as_one_that_does_not_hold(
    counting: Counting, wrong: AlertRule, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        [one] = await judged(counting, platform(wrong, rule("true", 2, channel="there")), alert(long="x" * 300))
    assert (one.key, one.channel, one.ignored) == ("production/checkout", "there", False)
    [said] = one.failed
    assert why in said
    assert why in caplog.text


async def test_a_window_that_cannot_be_evaluated_silences_nothing(counting: Counting) -> None:
    window = Maintenance(name="upgrade", when="int(alert.name) > 1", start=MONDAY - 1, end=MONDAY + 1)
    [one] = await judged(counting, platform(maintenance=(window,)), alert())
    assert one.quiet == ""
    assert one.failed[0].startswith("maintenance 'upgrade' could not be evaluated")


async def test_no_evaluator_loses_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(pairs: Sequence[Any], /) -> list[Any]:
        raise RuntimeError("no such file")

    [one] = await judged(broken, platform(rule("true", ignore=True)), alert())
    assert not one.ignored
    assert "an unexpected failure (E-" in one.failed[0]
    assert "no such file" in caplog.text


async def test_rules_that_take_too_long_rest_and_the_alerts_go_on_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chatops.incidents.rules.PATIENCE", 0.05)
    asked, clock = 0, MovableClock()

    async def hangs(pairs: Sequence[Any], /) -> list[Any]:
        nonlocal asked
        asked += 1
        await asyncio.Event().wait()
        return []

    judge = Judge(Configured(platform(rule("true", ignore=True))), Rules(hangs, clock))
    for expected, why in ((1, "took longer than"), (1, "rest for a minute")):
        [one] = await judge.all([alert()])
        assert (asked, one.ignored) == (expected, False)
        assert why in one.failed[0]
    await clock.advance(61)
    await judge.all([alert()])
    assert asked == 2


async def test_an_expression_without_end_costs_its_limit_and_no_alert(counting: Counting) -> None:
    inner = "a + b + c + d + e + f > 0 && alert.name != ''"
    for name in "fedcba":
        inner = f"{list(range(1, 16))}.all({name}, {inner})"
    endless = rule(inner, ignore=True)
    [one] = await judged(counting, platform(endless, rule("true", 2, severity="sev3")), alert())
    assert (one.ignored, one.severity) == (False, "sev3")
    assert "it took longer" in one.failed[0]


async def test_a_storm_costs_one_call_for_each_delivery_and_each_question_once(counting: Counting) -> None:
    rules = (
        rule('alert.severity == "info"', 1, ignore=True),
        rule("has(alert.labels.region)", 2, key='"region/" + alert.labels.region'),
        rule('service.name == "checkout"', 3, channel="shop"),
    )
    where, judge_rules = platform(*rules), Rules(counting, MovableClock())
    judge = Judge(Configured(where), judge_rules)
    for post in range(200):
        alerts = [alert(f"Storm{n}", region=("west", "east")[n % 2], pod=f"checkout-{post}-{n}") for n in range(50)]
        found = await judge.all(alerts)
        assert {one.key for one in found} == {"region/west", "region/east"}
    assert len(counting.calls) == 200, "one call for each delivery"
    # severity: 1, has(region): 2, key: 2, service: 1; what differs and nobody speaks of (name, pod) is no question
    assert set(counting.calls) == {6}


async def test_a_very_large_delivery_is_asked_about_in_parts_so_that_others_get_their_turn(counting: Counting) -> None:
    of_the_pod = rule('alert.labels.exists(name, alert.labels[name] == "pod-511")', severity="sev4")
    found = await judged(counting, platform(of_the_pod), *(alert(pod=f"pod-{n}") for n in range(512)))
    assert counting.calls == [250, 250, 12]
    assert [one.severity for one in found] == ["sev1"] * 511 + ["sev4"]


async def test_a_label_with_a_dot_and_a_whole_map_are_handed_over_as_they_are(counting: Counting) -> None:
    rules = (
        rule('"a.b" in alert.labels && alert.labels["a.b"] == "1"', 1, channel="dotted"),
        rule('alert.labels.exists(name, name == "odd") && alert.labels.odd == "2"', 2, severity="sev4"),
    )
    dotted = alert(**{"a.b": "1"})
    [one, other] = await judged(counting, platform(*rules), dotted, alert(odd="2"))
    assert (one.channel, one.severity, one.failed) == ("dotted", "sev1", ())
    assert (other.channel, other.severity, other.failed) == ("incidents", "sev4", ())


async def test_time_is_that_of_the_clock(counting: Counting) -> None:
    at_eight = rule('now.getHours() == 8 && now.getDayOfWeek("UTC") == 1', channel="mornings")
    [one] = await judged(counting, platform(at_eight), alert())
    assert one.channel == "mornings"


async def test_what_belongs_to_no_service_goes_to_the_channel_of_its_team(counting: Counting) -> None:
    [one] = await judged(counting, platform(), alert(service="", team="web"))
    assert one.channel == "web-alarms"


async def test_people_are_heard_whatever_the_rules_say(counting: Counting) -> None:
    window = Maintenance(name="upgrade", when="true", start=MONDAY - 1, end=MONDAY + 1)
    silent = platform(rule("true", ignore=True), rule("true", 2, severity="sev4"), maintenance=(window,))
    [one] = await judged(counting, silent, alert(source=PERSON, severity="sev1"))
    assert (one.ignored, one.quiet, one.severity) == (False, "", "sev1")


async def test_quiet_is_what_is_quiet_altogether_and_looked_at_when_the_first_window_ends(counting: Counting) -> None:
    windows = (
        Maintenance(name="short", when='alert.name == "A"', start=MONDAY - 1, end=MONDAY + 10),
        Maintenance(name="long", when='alert.name in ["A", "B"]', start=MONDAY - 1, end=MONDAY + 90),
    )
    a, b, c = await judged(counting, platform(maintenance=windows), alert("A"), alert("B"), alert("C"))
    assert quiet_of([b]) == ("maintenance: long", MONDAY + 90)
    assert quiet_of([b, a]) == ("maintenance: long", MONDAY + 10)
    assert quiet_of([a, b, c]) == ("", 0.0)
    assert quiet_of([]) == ("", 0.0)
