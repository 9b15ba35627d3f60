"""What GitHub tells stands in the deploys channel; what lies between two versions is where people look at them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.support.github import release, sends, workflow_run
from tests.support.github_api import API_TOKEN, FIX, KEEP, StandIn, commit, comparison, github_api
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

COMPARE = "<https://github.com/acme/cart/compare/v2.8.0...v2.9.0|v2.8.0...v2.9.0>"
NOTES = "<https://github.test/acme/cart/releases/tag/v2.9.0|release notes>"


def on_github(platform: dict[str, Any]) -> None:
    """The cart is in a repository, and a workflow deploys it."""
    straight_to_production(platform)
    platform["services"]["cart"] |= {"repository": "acme/cart", "tag": "v{version}"}
    platform["github"] = {"workflows": [{"name": "Deploy to staging", "environment": "staging"}]}


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with acme_house(platform=on_github) as house:
        yield house


async def test_a_workflow_that_deploys_is_one_message_however_it_is_told(house: House) -> None:
    run, done = workflow_run(), workflow_run("completed", "success")
    assert await sends(house, "workflow_run", run) == {"status": 200, "taken": "told"}
    seen = await house.dana.sees("deploys", "cart", "2.4.0 is being deployed in staging", "told by GitHub Actions")
    for payload, answer in ((run, "known"), (done, "told"), (done, "known"), (run, "known")):  # repeated, out of order
        assert (await sends(house, "workflow_run", payload))["taken"] == answer
    ended = await house.dana.sees("deploys", "✅", "2.4.0 was deployed in staging", "by dana-acme")
    assert ended.ts == seen.ts
    assert (await sends(house, "workflow_run", workflow_run(run_attempt=2)))["taken"] == "told"
    assert len(await house.rows("SELECT id FROM outside")) == 2
    assert (await sends(house, "workflow_run", done, secret="wrong"))["status"] == 401
    assert (await sends(house, "workflow_run", workflow_run(name="Tests")))["taken"] == "ignored"


async def test_a_release_is_told_by_the_deploys_of_its_version(house: House) -> None:
    published = release(tag="v2.9.0")
    assert await sends(house, "release", published) == {"status": 200, "taken": "kept"}
    assert (await sends(house, "release", published))["taken"] == "kept"
    await house.dana.types("/platform deploy cart 2.9.0 production because it is faster")
    card = await house.lee.sees(REQUESTS, "WAITING", "Commits: v2.8.0...v2.9.0 · release notes")
    assert f"Commits: {COMPARE} · {NOTES}" in str(card.message)
    await card.click("Approve")
    seen = await house.dana.sees("deploys", "cart 2.8.0 → 2.9.0", "Commits: v2.8.0...v2.9.0 · release notes")
    assert f"Commits: {COMPARE} · {NOTES}" in str(seen.message)
    assert (await sends(house, "release", published, secret="wrong"))["status"] == 401
    assert (await sends(house, "release", release("deleted", tag="v2.9.0")))["taken"] == "removed"
    assert await house.rows("SELECT link FROM releases") == []


@pytest.fixture
async def there(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    monkeypatch.setenv("GITHUB_TOKEN", API_TOKEN)
    async with github_api() as found:
        yield found


def asking(there: StandIn) -> Callable[[dict[str, Any]], None]:
    """Acme's platform with a token for GitHub."""

    def platform(content: dict[str, Any]) -> None:
        on_github(content)
        content["github"] |= {"api": there.address, "token": {"env": "GITHUB_TOKEN"}}
        content["people"] = {"dana@acme.test": {"github": "Dana-Acme"}, "lee@acme.test": {"github": "lee"}}

    return platform


async def test_card_and_notice_name_the_commits_and_nobody_is_rung_by_their_titles(there: StandIn) -> None:
    shout = commit("Greet <!channel> & everyone", "", "<@U0LEE>", 3)
    there.compares["v2.8.0...v2.9.0"] = comparison(FIX, KEEP, shout, behind=1)
    async with acme_house(platform=asking(there)) as house:
        await house.dana.types("/platform deploy cart 2.9.0 production because it is faster")
        said = ("3 commits, and takes back 1 commit: v2.8.0...v2.9.0", "• Keep the cart for a week — Lee")
        card = await house.lee.sees(REQUESTS, "WAITING", *said, "• Fix the sum of an empty cart — dana-acme")
        assert "Greet &lt;!channel&gt; &amp; everyone — &lt;@U0LEE&gt;" in str(card.message["blocks"])
        await card.click("Approve")
        await house.dana.sees("deploys", "cart 2.8.0 → 2.9.0", *said)
        assert len(there.calls) == 1


async def test_a_github_that_hangs_holds_up_nothing_and_the_card_fills_in_later(there: StandIn) -> None:
    there.hangs = True
    async with acme_house(platform=asking(there)) as house:
        await house.dana.types("/platform deploy cart 2.9.0 production because it is faster")
        card = await house.lee.sees(REQUESTS, "WAITING", "Commits: v2.8.0...v2.9.0")
        await house.until(lambda: bool(there.calls))
        await card.click("Approve")
        await house.dana.sees("deploys", "cart 2.8.0 → 2.9.0", "Commits: v2.8.0...v2.9.0")
        await house.stop()  # killed with the question open: the next start asks it again
        there.hangs = False
        there.end.set()
        await house.start()
        await house.assistant.commits.look()
        await house.dana.sees("deploys", "cart 2.8.0 → 2.9.0", "2 commits: v2.8.0...v2.9.0", "• Fix the sum")


async def test_what_github_does_not_answer_is_asked_a_few_times_and_then_left(there: StandIn) -> None:
    away = (503, dict[str, str](), b"")
    async with acme_house(platform=asking(there)) as house:
        there.answers = [away] * 5
        await told(house, from_="2.8.0")
        for calls in range(1, 6):
            await house.until(lambda calls=calls: len(there.calls) == calls)  # type: ignore[misc]
            await house.until(lambda: not house.assistant.commits.tasks)
            house.clock.advance(601)
            house.assistant.commits.wake()
        await house.dana.sees("deploys", "2.9.0 is being deployed", "Commits: v2.8.0...v2.9.0 · GitHub answered 503")
        await house.until(lambda: not house.assistant.commits.tasks)
        assert len(there.calls) == 5
        await told(house, from_="2.8.0", state="succeeded")  # wanted anew, a while after
        await house.dana.sees("deploys", "2.9.0 was deployed", "2 commits: v2.8.0...v2.9.0", "• Fix the sum")


async def test_versions_that_github_does_not_have_are_said(there: StandIn) -> None:
    async with acme_house(platform=asking(there)) as house:
        await told(house, from_="2.7.9")
        await house.dana.sees("deploys", "Commits: v2.7.9...v2.9.0 · GitHub finds no v2.7.9 or no v2.9.0 in acme/cart.")


async def test_the_authors_of_what_failed_are_mentioned_in_its_thread_once(there: StandIn) -> None:
    stranger = commit("Translate the cart", "somebody-else", "Somebody", 4)
    there.compares["v2.8.0...v2.9.0-broken"] = comparison(commit("Empty the cart", "lee", "Lee", 3), FIX, stranger)
    async with acme_house(platform=asking(there)) as house:
        await house.dana.types("/platform deploy cart 2.9.0-broken production because it is faster")
        await (await house.lee.sees(REQUESTS, "WAITING", "3 commits: v2.8.0...v2.9.0-broken")).click("Approve")
        notice = await house.dana.sees("deploys", "↩️", "cart 2.8.0 → 2.9.0-broken", within=30)
        seen = await house.lee.sees("deploys", "@lee A commit of yours is in this deploy, which failed.")
        assert seen.message["thread_ts"] == notice.ts
        assert "@dana" not in seen.text  # who asked was told in the card's thread
        house.clock.advance(3600)
        await house.assistant.commits.look()
        await house.quiet()
        assert len(await house.rows("SELECT id FROM posts WHERE id LIKE '%/authors'")) == 1


async def test_without_a_token_who_set_off_a_failed_workflow_is_mentioned() -> None:
    def known(platform: dict[str, Any]) -> None:
        on_github(platform)
        platform["people"] = {"dana@acme.test": {"github": "dana-acme"}}

    async with acme_house(platform=known) as house:
        stranger = workflow_run("completed", "failure", id=7, head_branch="v2.3.9")
        stranger["workflow_run"]["triggering_actor"]["login"] = "somebody-else"
        await sends(house, "workflow_run", stranger)
        await sends(house, "workflow_run", workflow_run("completed", "failure"))
        notice = await house.dana.sees("deploys", "❌", "2.4.0 failed in staging", "Deploy to staging: failure")
        seen = await house.dana.sees("deploys", "@dana You set off this deploy. It failed.")
        assert seen.message["thread_ts"] == notice.ts
        await house.until(lambda: not house.assistant.commits.authors.tasks)
        assert len(await house.rows("SELECT id FROM posts WHERE id LIKE '%/authors'")) == 1


async def test_authors_are_mentioned_once_github_has_answered(there: StandIn) -> None:
    async with acme_house(platform=asking(there)) as house:
        there.answers = [(503, {}, b"")]
        await told(house, from_="2.8.0", state="failed")
        await house.until(lambda: bool(there.calls) and not house.assistant.commits.tasks)
        assert await house.rows("SELECT id FROM posts WHERE id LIKE '%/authors'") == []
        house.clock.advance(10)
        await house.assistant.commits.look()
        await house.dana.sees("deploys", "@dana A commit of yours is in this deploy, which failed.")


async def told(house: House, from_: str, state: str = "running") -> None:
    """A pipeline deploys the cart to staging."""
    deploy = {"service": "cart", "environment": "staging", "version": "2.9.0", "from": from_, "state": state}
    assert await house.hook("deploy", deploy) == 200
