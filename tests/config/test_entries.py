"""Services that stand in a cluster: read like those of the file, and never in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatops.adapters.configuration.entries import LARGEST, Entry, entry_of, services_of
from chatops.adapters.configuration.folder import load
from chatops.kernel.catalog import Platform, Workload
from tests.config.acme import ACTIONS, acme

GIFTS = {"name": "gift-cards", "team": "shop", "image": "registry.acme.test/shop/gift-cards", "container": "app"}


@pytest.fixture
def platform(tmp_path: Path) -> Platform:
    text = "    workload: {container: app}\n    image: registry.acme.test/shop/search"
    named = (text, text.replace("{container", "{name: finder, container"))
    return load(acme(tmp_path, named), ACTIONS).platform


def entry(place: str = "gift-cards.staging", made_at: str = "2026-11-23T09:00:00Z", /, **data: str) -> Entry:
    return Entry(where=f"ConfigMap platform-catalog/{place}", made_at=made_at, data={**GIFTS, **data})


def test_an_entry_is_a_service_and_says_where_it_stands(platform: Platform) -> None:
    live: dict[str, Any] = {
        "metadata": {
            "name": "gift-cards.staging", "namespace": "platform-catalog", "creationTimestamp": "2026-11-23T09:00:00Z",
            "labels": {"chatops/catalog": "service", "chatops/request": "R-1042"},
        },
        "data": {**GIFTS, "description": "Sells gift cards", "runbook": "https://runbooks.acme.test/gifts"},
    }  # fmt: skip
    found, problems = services_of([entry_of(live, "east")], platform)
    one = found["gift-cards"]
    assert problems == []
    assert (one.team, one.image, one.workload) == ("shop", GIFTS["image"], Workload(container="app"))
    assert (one.description, one.runbook) == ("Sells gift cards", "https://runbooks.acme.test/gifts")
    assert one.entry == "ConfigMap platform-catalog/gift-cards.staging of east (R-1042)"


def test_what_the_file_says_counts_and_is_no_mistake(platform: Platform) -> None:
    assert services_of([entry(name="checkout", team="payments")], platform) == ({}, [])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"name": "finder"}, "service finder has the Deployment of search, which is in platform.yml"),
        ({"team": "shpo"}, "service gift-cards names the team shpo, which there is not: did you mean shop?"),
        ({"team": ""}, "service gift-cards needs team: the team that owns it"),
        ({"name": "Gift Cards"}, "has the name 'Gift Cards': it is lower case letters, digits and dashes"),
        ({"name": ""}, "has the name ''"),
        ({"image": "registry.acme.test/shop/gift-cards:1.0"}, "write it without the version"),
        ({"runbook": "javascript:alert(1)"}, "an address that starts with https://"),
        ({"container": "app\nname: checkout"}, "a container's name"),
        ({"workload": "{name: checkout}"}, "service gift-cards has an unknown key workload"),
        ({"owner": "dana"}, "service gift-cards has an unknown key owner"),
        ({"description": "x" * LARGEST}, f"it is longer than {LARGEST} characters"),
    ],
)
def test_an_entry_with_a_mistake_is_left_out_and_named(platform: Platform, data: dict[str, str], says: str) -> None:
    found, problems = services_of([entry("broken", **data), entry("fine", name="vouchers")], platform)
    assert list(found) == ["vouchers"]
    assert any(says in problem.message for problem in problems), problems
    assert {problem.file for problem in problems} == {"ConfigMap platform-catalog/broken"}


def test_what_is_typed_into_a_value_adds_no_key(platform: Platform) -> None:
    text = 'x\nlabels: {pci: "no"}\nteam: payments'
    found, problems = services_of([entry(description=text)], platform)
    assert problems == []
    assert (found["gift-cards"].description, found["gift-cards"].labels) == (text, {})
    assert found["gift-cards"].team == "shop"


def test_of_two_that_disagree_the_older_counts_and_the_other_is_named(platform: Platform) -> None:
    younger = entry("gift-cards.a", "2026-11-24T09:00:00Z", team="payments")
    found, problems = services_of([younger, entry()], platform)
    assert found["gift-cards"].team == "shop"
    [problem] = problems
    assert str(problem).startswith("ConfigMap platform-catalog/gift-cards.a:1: service gift-cards is another one in")


def test_two_environments_that_agree_are_one_service(platform: Platform) -> None:
    other = entry("gift-cards.production", "2026-11-24T09:00:00Z", description="Sells gift cards 🎁")
    found, problems = services_of([other, entry()], platform)
    assert (list(found), problems) == (["gift-cards"], [])
    assert services_of([other], platform)[0]["gift-cards"].description == "Sells gift cards 🎁"
