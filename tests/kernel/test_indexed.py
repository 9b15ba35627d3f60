"""What asks for a few services of a large catalog looks at these alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from chatops.incidents.grouping import place
from chatops.kernel import touched
from chatops.kernel.alert import Alert
from chatops.kernel.catalog import Environment, Platform, Service, Team, Workload
from chatops.kernel.people import Person, Standing
from chatops.kernel.plan import ObjectRef, Plan, Write
from chatops.requests.health import Health
from chatops.requests.homes import services_of
from chatops.slack import ids
from chatops.slack.picking import Picking
from tests.slack.desk import Configured
from tests.support.clock import ShiftedClock

DANA = Person(id="U0DANA", name="Dana", email="dana@acme.test", standing=Standing.MEMBER, teams=("shop",))


class Catalog(dict[str, Service]):
    """A catalog that can be asked for a name, and is not walked through once it is closed."""

    closed = False

    def _walked(self) -> None:
        assert not self.closed, "all services were looked at"

    def __iter__(self) -> Iterator[str]:
        self._walked()
        return super().__iter__()

    def values(self) -> Any:
        self._walked()
        return super().values()

    def items(self) -> Any:
        self._walked()
        return super().items()


def large() -> Platform:
    """A catalog of three hundred services of two teams, indexed and closed."""
    names = [f"service-{number:03}" for number in range(300)]
    services = Catalog({name: Service(name=name, team=("shop", "web")[at % 2]) for at, name in enumerate(names)})
    services["cart"] = Service(name="cart", team="shop", workload=Workload(name="cart-api"))
    production = Environment(name="production", tier="production", namespace="shop")
    made = Platform(environments={"production": production}, teams={"shop": Team(name="shop"), "web": Team(name="web")})
    found = made.model_copy(update={"services": services})
    assert found.indexed.of_team("web")
    services.closed = True
    return found


def alert(**labels: str) -> Alert:
    return Alert(source="alertmanager", fingerprint="f", status="firing", name="ErrorRate", labels=labels)


def test_an_alert_finds_its_service_without_a_look_at_the_others() -> None:
    platform = large()
    assert place(alert(deployment="cart-api"), platform).service == "cart"
    assert place(alert(pod="cart-api-7d9f8b6c5-x2x4z"), platform).service == "cart"
    assert place(alert(service="service-007"), platform).team == "web"
    assert place(alert(service="unknown"), platform).service == ""


def test_what_a_plan_touches_is_found_without_a_look_at_the_others() -> None:
    platform = large()
    ref = ObjectRef(api_version="apps/v1", kind="Deployment", namespace="shop", name="cart-api")
    plan = Plan(summary="", writes=(Write(ref=ref, body={}, manager="chatops-deploy"),))
    found = touched.services(platform, platform.environments["production"], plan)
    assert [one.name for one in found] == ["cart"]


def test_nothing_typed_offers_the_services_of_ones_team_without_a_look_at_the_others() -> None:
    platform = large()
    platform.services.closed = False  # type: ignore[attr-defined]
    picking = Picking(Configured(platform))
    picking.index()
    platform.services.closed = True  # type: ignore[attr-defined]
    assert picking.names(ids.SERVICE_SELECT, "", DANA)[:2] == ["cart", "service-000"]


@dataclass
class Ledger:
    """Remembers of which places it was asked."""

    asked: list[tuple[str, str]] = field(default_factory=list)

    async def latest(self, places: list[tuple[str, str]]) -> dict[tuple[str, str], Any]:
        self.asked = places
        return {}


@dataclass
class Asked:
    """As much of a planner as the home may ask for."""

    configuration: Configured
    clock: ShiftedClock
    health: Health
    ledger: Ledger


def running(name: str, ready: int) -> dict[str, Any]:
    containers = [{"name": "app", "image": f"{name}:1.0"}]
    return {"metadata": {"name": name}, "spec": {"replicas": 2, "template": {"spec": {"containers": containers}}},
            "status": {"readyReplicas": ready, "unavailableReplicas": 2 - ready}}  # fmt: skip


async def test_the_home_shows_ten_services_of_ones_team_the_unwell_first_without_a_look_at_the_others() -> None:
    platform, ledger, clock = large(), Ledger(), ShiftedClock()
    platform.services.closed = False  # type: ignore[attr-defined]
    health = Health(Configured(platform), cast(Any, None), clock)
    health.saw(platform.environments["production"], [running("service-200", 1), running("service-001", 0)])
    platform.services.closed = True  # type: ignore[attr-defined]

    await services_of(cast(Any, Asked(Configured(platform), clock, health, ledger)), DANA)
    names = [name for name, _ in ledger.asked]
    assert names == ["service-200", "cart", *(f"service-{number:03}" for number in range(0, 16, 2))]


def test_a_copy_with_other_services_has_an_index_of_its_own() -> None:
    platform = large()
    other = platform.model_copy(update={"services": {"new": Service(name="new", team="shop")}})
    assert other.indexed.of_team("shop") == ["new"]
    assert platform.indexed.of_team("shop")[0] == "cart"
