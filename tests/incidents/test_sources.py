"""What senders say, as alerts."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.incidents.sources import READERS
from chatops.kernel.alert import Alert, Unreadable
from chatops.kernel.received import LONGEST, MOST_LABELS

# As Alertmanager 0.27 sends it (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
NOTIFICATION: dict[str, Any] = {
    "receiver": "chatops", "status": "firing", "version": "4", "truncatedAlerts": 2,
    "groupKey": "{}:{alertname=\"ErrorRate\"}", "externalURL": "http://alertmanager.acme.test:9093",
    "groupLabels": {"alertname": "ErrorRate"}, "commonLabels": {}, "commonAnnotations": {},
    "alerts": [
        {
            "status": "firing", "fingerprint": "4ba7b3a2a3c9a001", "startsAt": "2026-11-23T03:07:12.123456789Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.acme.test:9090/graph?g0.expr=rate%28errors%5B5m%5D%29+%3E+0.01&g0.tab=1",
            "labels": {"alertname": "ErrorRate", "severity": "critical", "service": "checkout", "namespace": "shop"},
            "annotations": {
                "summary": "5xx", "value": "12.4 % (limit 1 %)", "runbook_url": "https://runbooks.acme.test/checkout",
            },
        },
        {
            "status": "resolved", "fingerprint": "77c0ffee77c0ffee", "startsAt": "2026-11-23T03:00:00Z",
            "endsAt": "2026-11-23T03:05:00+01:00", "generatorURL": "", "labels": {"alertname": "Latency"},
            "annotations": {},
        },
    ],
}  # fmt: skip

# As Grafana documents it (the page is named in sources/grafana.py), with Acme's words.
GRAFANA: dict[str, Any] = {
    "receiver": "chatops", "status": "firing", "orgId": 1, "version": "1", "truncatedAlerts": 3, "state": "alerting",
    "groupKey": "{}:{alertname=\"QueueGrows\"}", "externalURL": "https://grafana.acme.test/",
    "groupLabels": {"alertname": "QueueGrows"}, "commonLabels": {"team": "shop"}, "commonAnnotations": {},
    "title": "[FIRING:1, RESOLVED:1] QueueGrows (shop)", "message": "**Firing**",
    "alerts": [
        {
            "status": "firing", "fingerprint": "c0ffee00c0ffee00", "startsAt": "2026-11-23T04:07:12.157076+01:00",
            "endsAt": "0001-01-01T00:00:00Z", "values": {"C": 1, "B": 44.23943737541908, "A": None},
            "valueString": "[ var='B' labels={} value=44.23943737541908 ]",
            "labels": {
                "alertname": "QueueGrows", "severity": "critical", "service": "checkout", "grafana_folder": "Shop",
            },
            "annotations": {"summary": "orders wait", "runbook_url": "https://runbooks.acme.test/queue"},
            "generatorURL": "https://grafana.acme.test/alerting/grafana/rule1/view?orgId=1",
            "silenceURL": "https://grafana.acme.test/alerting/silence/new?alertmanager=grafana",
            "dashboardURL": "https://grafana.acme.test/d/shop", "panelURL": "https://grafana.acme.test/d/shop?viewPanel=2",
            "imageURL": "https://grafana.acme.test/image.png",
        },
        {
            "status": "resolved", "fingerprint": "badc0deebadc0dee", "startsAt": "2026-11-23T03:00:00Z",
            "endsAt": "2026-11-23T03:05:00Z", "values": None, "labels": {"alertname": "DatasourceNoData"},
            "annotations": {}, "generatorURL": "https://grafana.acme.test/alerting/grafana/rule2/view",
            "silenceURL": "", "dashboardURL": "", "panelURL": "",
        },
    ],
}  # fmt: skip


RECORDED = Path(__file__).parent / "recorded"


def read(source: str, content: Any) -> Any:
    return READERS[source](json.dumps(content).encode())


def test_a_notification_of_alertmanager_is_read() -> None:
    delivery = read("alertmanager", NOTIFICATION)
    first, second = delivery.alerts
    assert (first.name, first.severity, first.status, first.fingerprint) == (
        "ErrorRate", "critical", "firing", "4ba7b3a2a3c9a001",
    )  # fmt: skip
    assert (first.summary, first.numbers, first.runbook) == (
        "5xx", "12.4 % (limit 1 %)", "https://runbooks.acme.test/checkout",
    )  # fmt: skip
    assert (first.expression, first.ends_at) == ("rate(errors[5m]) > 0.01", 0.0)
    assert first.starts_at == pytest.approx(1795403232.123456)
    assert (second.status, second.ends_at) == ("resolved", 1795399500.0)
    assert (delivery.dropped, delivery.external_url) == (2, "http://alertmanager.acme.test:9093")


def test_what_a_real_alertmanager_sent_is_read() -> None:
    delivery = READERS["alertmanager"]((RECORDED / "alertmanager-0.25.json").read_bytes())
    assert delivery.external_url == "http://alertmanager.acme.test:9093"
    over, fires = delivery.alerts
    assert (over.name, over.status, over.severity, over.summary) == ("Latency", "resolved", "warning", "slow")
    assert over.description == "p99 over 2 s <!channel> & more"
    assert over.ends_at - over.starts_at == 12
    assert (fires.name, fires.status, fires.severity) == ("ErrorRate", "firing", "critical")
    assert (fires.numbers, fires.expression) == ("12.4 % (limit 1 %)", "vector(12.4) > 1")
    assert fires.runbook == "https://runbooks.acme.test/checkout"
    assert fires.labels["pod"] == "checkout-7d9f8b6c5-x2x4z"
    assert fires.ends_at == 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "5"}, "version is '5'"), ({"version": 4}, "version is '4'"), ({"alerts": {}}, "alerts is no list"),
        ({"alerts": [1]}, r"alerts\[0\] is no object"), ({"alerts": [{}]}, "fingerprint is missing"),
        ({"alerts": [{"fingerprint": "a", "status": "odd"}]}, "firing or resolved"),
        ({"alerts": [{"fingerprint": "a", "status": "firing", "labels": []}]}, "labels is no object"),
        ({"alerts": [{"fingerprint": "a", "status": "firing", "startsAt": "soon"}]}, "no time like"),
    ],
)  # fmt: skip
def test_what_alertmanager_would_not_send_is_refused_with_the_place(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read("alertmanager", {**NOTIFICATION, **change})


def test_a_notification_of_grafana_is_read() -> None:
    delivery = read("grafana", GRAFANA)
    first, second = delivery.alerts
    assert (first.source, first.name, first.severity, first.status, first.fingerprint) == (
        "grafana", "QueueGrows", "critical", "firing", "c0ffee00c0ffee00",
    )  # fmt: skip
    assert (first.summary, first.numbers, first.runbook) == (
        "orders wait", "B = 44.24, C = 1", "https://runbooks.acme.test/queue",
    )  # fmt: skip
    assert first.link == "https://grafana.acme.test/d/shop?viewPanel=2"
    assert (first.starts_at, first.ends_at) == (pytest.approx(1795403232.157076), 0.0)
    assert (second.status, second.ends_at, second.numbers) == ("resolved", 1795403100.0, "")
    assert second.link == "https://grafana.acme.test/alerting/grafana/rule2/view"
    assert delivery.dropped == 3


def test_what_a_rule_of_grafana_says_itself_goes_before_its_bare_values() -> None:
    alert = {**GRAFANA["alerts"][0], "annotations": {"value": "44 orders (limit 40)"}}
    [found] = read("grafana", {**GRAFANA, "alerts": [alert]}).alerts
    assert found.numbers == "44 orders (limit 40)"


@pytest.mark.parametrize(
    ("values", "shown"),
    [({"B": 1234567}, "B = 1234567"), ({"B": float("nan")}, "B = nan"), ({}, ""), ({"B": -0.00123456}, "B = -0.001235"),
     ({"B": 10**400}, "B = a number beyond 1e308"), ({"\ud800": 1}, "? = 1")],
)  # fmt: skip
def test_values_of_grafana_are_short_and_never_in_the_way(values: dict[str, Any], shown: str) -> None:
    [found] = read("grafana", {**GRAFANA, "alerts": [{**GRAFANA["alerts"][0], "values": values}]}).alerts
    assert found.numbers == shown


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "4"}, "version is '4'; this reads Grafana's webhook version 1"),
        ({"version": 1}, "version is '1'"),
        ({"alerts": None}, "alerts is no list"), ({"alerts": ["x"]}, r"alerts\[0\] is no object"),
        ({"alerts": [{"status": "firing"}]}, "fingerprint is missing"),
        ({"alerts": [{"fingerprint": "a", "status": "pending"}]}, "firing or resolved"),
        ({"alerts": [{"fingerprint": "a", "status": "firing", "values": [1]}]}, "values is no object"),
        ({"alerts": [{"fingerprint": "a", "status": "firing", "values": {"B": "1"}}]}, r"values\.B is no number"),
    ],
)  # fmt: skip
def test_what_grafana_would_not_send_is_refused_with_the_place(change: dict[str, Any], why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read("grafana", {**GRAFANA, **change})


def test_of_ten_thousand_labels_those_that_routing_needs_are_kept() -> None:
    labels = {f"a{number}": "x" for number in range(10_000)} | {"service": "checkout", "alertname": "Many"}
    alert = {**NOTIFICATION["alerts"][0], "labels": labels}
    [found] = read("alertmanager", {**NOTIFICATION, "alerts": [alert]}).alerts
    assert (found.name, found.labels["service"], len(found.labels)) == ("Many", "checkout", MOST_LABELS)


def test_long_texts_are_cut_and_secrets_masked_before_anything_is_stored() -> None:
    told = {"summary": "x" * 100_000, "description": "password=hunter2-and-more", "value": "\ud800"}
    alert = {**NOTIFICATION["alerts"][0], "annotations": told}
    [found] = read("alertmanager", {**NOTIFICATION, "alerts": [alert]}).alerts
    assert len(found.summary) == 2000
    assert "hunter2" not in str(found)
    assert found.numbers == "?"
    for link in ("http://me:hunter2@prometheus.acme.test/graph", "http://a.test/graph?access_token=hunter2"):
        [found] = read("alertmanager", {**NOTIFICATION, "alerts": [{**alert, "generatorURL": link}]}).alerts
        assert found.link == "", "a link that somebody has to fill in is none"


def test_a_secret_is_masked_also_where_a_text_is_cut_in_a_link_and_in_what_is_said_of_a_mistake() -> None:
    secret = "ghp_9s8D7f6G5h4J3k2L1q0W0123456789"
    for begins in range(LONGEST - len(secret), LONGEST, 7):
        told = {"summary": "x" * (begins - 1) + " " + secret}
        alert = {**NOTIFICATION["alerts"][0], "annotations": told}
        [found] = read("alertmanager", {**NOTIFICATION, "alerts": [alert]}).alerts
        assert secret[:12] not in str(found), begins
    linked = {**NOTIFICATION["alerts"][0], "generatorURL": "https://admin:hunter2-and-more@prometheus.acme.test/graph"}
    [found] = read("alertmanager", {**NOTIFICATION, "alerts": [linked]}).alerts
    assert found.link == ""
    for wrong in ({secret: 1}, {"name": "x", "status": secret}, {"name": "x", "labels": {secret: []}}):
        with pytest.raises(Unreadable) as no:
            read("alert", wrong)
        assert secret[:12] not in str(no.value)
    measured = {**GRAFANA["alerts"][0], "values": {secret: 1}}
    assert secret[:12] not in str(read("grafana", {**GRAFANA, "alerts": [measured]}).alerts)


def test_a_number_beyond_every_time_is_no_time() -> None:
    with pytest.raises(Unreadable, match="no time like"):
        read("alert", {"name": "Backup", "starts_at": 10**400})


def test_an_alert_that_is_in_a_notification_twice_counts_once_with_its_last_word() -> None:
    first = NOTIFICATION["alerts"][0]
    twice = {**NOTIFICATION, "alerts": [first, {**first, "status": "resolved"}]}
    assert [one.status for one in read("alertmanager", twice).alerts] == ["resolved"]


def test_our_own_alerts_are_the_same_by_key_else_by_name_and_place() -> None:
    def prints(*ones: dict[str, Any]) -> list[str]:
        return [one.fingerprint for one in read("alert", {"alerts": list(ones)}).alerts]

    base = {"name": "Backup", "service": "checkout", "environment": "production"}
    assert len(prints(base, {**base, "summary": "worse"})) == 1
    assert len(prints(base, {**base, "environment": "staging"})) == 2
    assert len(prints({**base, "key": "a"}, {**base, "key": "b"})) == 2


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    ["version", "alerts", "name", "status", "labels", "annotations", "fingerprint", "startsAt", "values"]
)


@pytest.mark.parametrize("source", sorted(READERS))
@given(content=st.dictionaries(_KEYS, _JSON | st.just("4") | st.lists(st.dictionaries(_KEYS, _JSON), max_size=2)))
def test_whatever_is_sent_is_read_or_called_unreadable(source: str, content: Any) -> None:
    alerts: tuple[Alert, ...] = ()
    with contextlib.suppress(Unreadable):
        alerts = read(source, content).alerts
    for alert in alerts:
        json.dumps(alert.labels, ensure_ascii=False).encode()
        alert.numbers.encode()
        assert alert.starts_at >= 0


_VALUES = st.dictionaries(
    st.text(max_size=5), st.none() | st.integers() | st.floats() | st.text(max_size=5), max_size=4
)


# What is drawn above seldom gets past the version; this goes on to what Grafana alone has.
@given(values=_VALUES | st.none() | st.booleans() | st.text(), link=st.none() | st.integers() | st.text())
def test_whatever_grafana_measured_is_read_or_called_unreadable(values: Any, link: Any) -> None:
    alert = {**GRAFANA["alerts"][0], "values": values, "panelURL": link, "dashboardURL": link}
    with contextlib.suppress(Unreadable):
        [found] = read("grafana", {**GRAFANA, "alerts": [alert]}).alerts
        assert len(found.numbers.encode()) < 4000
        assert found.link.startswith("http")
