"""What senders say, as alerts."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.incidents.sources import READERS
from chatops.incidents.sources.fields import MOST_LABELS
from chatops.kernel.alert import Alert, Unreadable

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
_KEYS = st.sampled_from(["version", "alerts", "name", "status", "labels", "annotations", "fingerprint", "startsAt"])


@pytest.mark.parametrize("source", sorted(READERS))
@given(content=st.dictionaries(_KEYS, _JSON | st.just("4") | st.lists(st.dictionaries(_KEYS, _JSON), max_size=2)))
def test_whatever_is_sent_is_read_or_called_unreadable(source: str, content: Any) -> None:
    alerts: tuple[Alert, ...] = ()
    with contextlib.suppress(Unreadable):
        alerts = read(source, content).alerts
    for alert in alerts:
        json.dumps(alert.labels, ensure_ascii=False).encode()
        assert alert.starts_at >= 0
