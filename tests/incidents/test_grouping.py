"""What an alert is about, read from its labels."""

import pytest

from chatops.incidents.grouping import Place, default_key, place
from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Environment, Platform, Service, Team, Workload

PLATFORM = Platform(
    environments={
        "staging": Environment(name="staging", tier="staging", namespace="shop-staging"),
        "production": Environment(name="production", tier="production", namespace="shop"),
        "east": Environment(name="east", tier="production", namespace="pay", cluster="east-1"),
        "west": Environment(name="west", tier="production", namespace="pay", cluster="west-1"),
    },
    teams={"shop": Team(name="shop"), "web": Team(name="web")},
    services={
        "checkout": Service(name="checkout", team="shop"),
        "cart": Service(name="cart", team="shop", workload=Workload(name="cart-api")),
    },
)


def alert(name: str = "ErrorRate", **labels: str) -> Alert:
    return Alert(source="alertmanager", fingerprint="f", status="firing", name=name, labels=labels)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({"environment": "production", "service": "checkout"}, Place("production", "checkout", "shop")),
        ({"env": "staging", "app": "checkout"}, Place("staging", "checkout", "shop")),
        ({"namespace": "shop", "deployment": "cart-api"}, Place("production", "cart", "shop")),
        ({"namespace": "shop", "pod": "checkout-7d9f8b6c5-x2x4z"}, Place("production", "checkout", "shop")),
        ({"namespace": "shop", "pod": "cart-api-7d9f8b6c5-x2x4z"}, Place("production", "cart", "shop")),
        ({"namespace": "shop", "pod": "checkout-0"}, Place("production", "checkout", "shop")),
        ({"namespace": "shop", "pod": "checkouter-7d9f8b6c5-x2x4z"}, Place("production", "", "")),
        ({"namespace": "pay", "cluster": "west-1"}, Place("west", "", "")),
        ({"namespace": "pay"}, Place("", "", "")),  # either of two: no guessing
        ({"team": "web", "environment": "moon"}, Place("", "", "web")),
        ({"team": "web", "service": "checkout"}, Place("", "checkout", "shop")),  # who owns it is in the catalog
        ({"service": "unknown"}, Place("", "", "")),
        ({}, Place("", "", "")),
    ],
)
def test_labels_say_what_an_alert_is_about(labels: dict[str, str], expected: Place) -> None:
    assert place(alert(**labels), PLATFORM) == expected


def test_alerts_of_a_service_are_one_incident_and_others_go_by_their_name() -> None:
    assert default_key(alert("Latency"), Place("production", "checkout")) == "production/checkout"
    assert default_key(alert("ErrorRate"), Place("production", "checkout")) == "production/checkout"
    assert default_key(alert("DiskFull"), Place("production")) == "production//DiskFull"
    assert default_key(alert("DiskFull"), Place()) == "//DiskFull"
