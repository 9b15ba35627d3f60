"""What GitHub is asked about two versions, and what becomes of each of its answers."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession

from chatops.adapters import github
from chatops.adapters.github import GitHubApi
from chatops.kernel.catalog import Endpoint, Reference
from chatops.kernel.commits import Commit, Compared, Comparison
from chatops.kernel.errors import Refused, Unavailable
from tests.support.github_api import API_TOKEN, StandIn, commit, comparison, github_api

NOW = 1_795_424_400.0
ASKED = Comparison("acme/cart", "v2.8.0", "v2.9.0")


@pytest.fixture
async def there() -> AsyncIterator[StandIn]:
    async with github_api() as found:
        yield found


@pytest.fixture
async def api(there: StandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GitHubApi]:
    monkeypatch.setenv("GITHUB_TOKEN", API_TOKEN)
    endpoint = Endpoint(name="github", url=there.address, token=Reference(env="GITHUB_TOKEN"))
    async with ClientSession() as session:
        yield GitHubApi(lambda: endpoint, lambda: session, timeout=0.3, now=lambda: NOW)


def answers(there: StandIn, status: int, body: Any = b"{}", **headers: str) -> None:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    there.answers.append((status, {name.replace("_", "-"): value for name, value in headers.items()}, data))


async def test_titles_and_authors_come_newest_first(api: GitHubApi, there: StandIn) -> None:
    newest = Commit("Keep the cart for a week", "Lee")
    oldest = Commit("Fix the sum of an empty cart", "dana-acme", "dana-acme")
    assert await api.compare(ASKED) == Compared(2, 0, (newest, oldest), ("dana-acme",))
    assert there.calls == ["/repos/acme/cart/compare/v2.8.0...v2.9.0?per_page=100"]


async def test_of_many_commits_a_few_are_kept_and_all_counted(api: GitHubApi, there: StandIn) -> None:
    there.compares["v2.8.0...v2.9.0"] = comparison(*(commit(f"Step {n}") for n in range(100)), total=143)
    found = await api.compare(ASKED)
    assert (found.ahead, [one.title for one in found.commits]) == (143, [f"Step {n}" for n in (99, 98, 97, 96, 95)])


async def test_going_back_is_told_apart(api: GitHubApi, there: StandIn) -> None:
    there.compares["v2.9.0...v2.8.0"] = comparison(behind=2)
    assert await api.compare(Comparison("acme/cart", "v2.9.0", "v2.8.0")) == Compared(0, 2)


async def test_a_name_with_a_slash_stays_one_name(api: GitHubApi, there: StandIn) -> None:
    there.compares["release/1...v2.9.0"] = comparison()
    assert await api.compare(Comparison("acme/cart", "release/1", "v2.9.0")) == Compared(0, 0)
    assert there.calls == ["/repos/acme/cart/compare/release%2F1...v2.9.0?per_page=100"]


async def test_what_looks_like_a_secret_is_masked(api: GitHubApi, there: StandIn) -> None:
    there.compares["v2.8.0...v2.9.0"] = comparison(commit("Use password=hunter2hunter2 for now"))
    (one,) = (await api.compare(ASKED)).commits
    assert "hunter2" not in one.title


@pytest.mark.parametrize(
    ("status", "headers", "wait"),
    [
        (403, {"retry_after": "90"}, 90.0), (429, {"retry_after": "7"}, 7.0), (429, {"retry_after": "999999"}, 3600.0),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW) + 300)}, 300.0),
        (403, {"x_ratelimit_remaining": "0", "x_ratelimit_reset": str(int(NOW) - 5)}, 60.0),
        (429, {}, 0.0), (502, {}, 0.0), (401, {}, 0.0), (403, {"x_ratelimit_remaining": "4000"}, 0.0),
    ],
)  # fmt: skip
async def test_it_is_asked_again_when_github_is_away_or_asks_to_wait(
    api: GitHubApi, there: StandIn, status: int, headers: dict[str, str], wait: float
) -> None:
    answers(there, status, **headers)
    with pytest.raises(Unavailable) as away:
        await api.compare(ASKED)
    assert away.value.retry_after == wait
    assert API_TOKEN not in away.value.message


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (404, "finds no v2.8.0 or no v2.9.0 in acme/cart"), (301, "acme/cart has moved"), (422, "refuses to compare"),
    ],
)  # fmt: skip
async def test_it_is_not_asked_again_what_github_will_never_answer(
    api: GitHubApi, there: StandIn, status: int, why: str
) -> None:
    answers(there, status, location="https://elsewhere.test/")
    with pytest.raises(Refused, match=why):
        await api.compare(ASKED)
    assert len(there.calls) == 1  # the token goes nowhere else


async def test_a_github_that_hangs_is_left_after_a_while(api: GitHubApi, there: StandIn) -> None:
    there.hangs = True
    with pytest.raises(Unavailable, match="does not answer"):
        await api.compare(ASKED)


async def test_an_answer_that_is_too_large_is_not_read(
    api: GitHubApi, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github, "LARGEST", 1000)
    with pytest.raises(Refused, match="too large"):
        await api.compare(ASKED)


@pytest.mark.parametrize(
    "body",
    [b"<html>", b"[]", b"{}", {"total_commits": 1, "behind_by": 0, "commits": [{}]},
     {"total_commits": 1, "behind_by": 0, "commits": [{"commit": {"message": ["x"]}}]}],
    ids=["no JSON", "a list", "empty", "a commit without words", "words that are none"],
)  # fmt: skip
async def test_an_answer_that_makes_no_sense_is_an_absence(api: GitHubApi, there: StandIn, body: Any) -> None:
    answers(there, 200, body)
    with pytest.raises(Unavailable, match="can't be read"):
        await api.compare(ASKED)


async def test_without_the_token_that_is_configured_nobody_is_asked(
    api: GitHubApi, there: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    with pytest.raises(Refused, match="token of `github` can't be read from the environment variable GITHUB_TOKEN"):
        await api.compare(ASKED)
    assert there.calls == []
