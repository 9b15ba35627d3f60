"""Finding names while somebody types."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatops.kernel.catalog import Service
from chatops.kernel.people import Person, Standing
from chatops.slack import ids, typeahead
from chatops.slack.picking import Picking
from chatops.slack.typeahead import MOST, Typeahead
from tests.slack.desk import Configured, platform

NAMES = ["checkout", "checkout-worker", "cart", "old-checkout", "Payments", "search.index", "recheck"]


def test_names_that_begin_so_come_first_then_words_then_parts_then_likely_ones() -> None:
    found = Typeahead(NAMES).search("check")
    assert found[:4] == ["checkout", "checkout-worker", "old-checkout", "recheck"]
    assert Typeahead(NAMES).search("chekout")[0] == "checkout"
    assert Typeahead(NAMES).search("index") == ["search.index"]


def test_case_and_blanks_around_do_not_matter() -> None:
    assert Typeahead(NAMES).search("  PAYM ") == ["Payments"]


def test_nothing_typed_gives_the_first_ones_first_and_each_once() -> None:
    found = Typeahead(NAMES).search("", first=["cart"])
    assert found[0] == "cart"
    assert sorted(found) == sorted(NAMES)


def test_five_thousand_names_never_give_more_than_slack_takes() -> None:
    dice = random.Random(1)
    words = ["checkout", "cart", "payment", "search", "stock", "mail"]
    names = {f"{dice.choice(words)}-{dice.choice(words)}-{number}" for number in range(5000)}
    index = Typeahead(names)
    assert len(index.search("")) == len(index.search("c")) == MOST
    wanted = sorted(names)[1234]
    assert index.search(wanted)[0] == wanted


@given(st.lists(st.text(max_size=12), max_size=30, unique=True), st.text(max_size=150))
def test_any_query_gives_known_names_once_each_and_a_name_finds_itself(names: list[str], typed: str) -> None:
    index = Typeahead(names)
    found = index.search(typed)
    assert len(found) == len(set(found)) <= MOST
    assert set(found) <= set(names)
    for name in names[:5]:
        if name and name == name.strip():
            assert name in index.search(name)


def test_services_of_ones_own_teams_come_first_and_a_new_catalog_counts_at_once() -> None:
    configured = Configured(platform(services={"aaa": Service(name="aaa", team="other")}))
    picking = Picking(configured)
    dana = Person(id="U0DANA", standing=Standing.MEMBER, teams=("shop",))
    assert picking.names(ids.SERVICE_SELECT, "", dana)[-1] == "aaa"
    assert picking.names(ids.SERVICE_SELECT, "", None)[0] == "aaa"
    assert picking.names(ids.ENVIRONMENT_SELECT, "prod", None) == ["production"]
    configured.platform = platform(services={"zebra": Service(name="zebra", team="shop")})
    assert picking.names(ids.SERVICE_SELECT, "zeb", dana) == ["zebra"]


def test_a_typo_in_a_large_catalog_is_found_by_its_rarest_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typeahead, "_LOOKED_AT", 50)
    names = [*(f"service-{number}" for number in range(500)), "checkout-service"]
    assert Typeahead(names).search("chekout-servise")[0] == "checkout-service"
    assert len(Typeahead(names).search("servise-7")) == 20  # many are as near: some of them
