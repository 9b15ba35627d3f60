"""Whatever Slack answers, and wherever the process dies: each card stands once and says the newest, on both engines."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from chatops.kernel.ports import Database, Lane
from tests.messenger.desk import DEPLOYS, REQUESTS, Desk, StepClock, WatchedDatabase
from tests.model.office import Run, clear, opened, thoroughness
from tests.model.slack import MISFORTUNES, Message, Strict
from tests.support.databases import ENGINES, name_of

CARDS = {"R-1": REQUESTS, "R-2": REQUESTS, "INC-1": DEPLOYS, "R-1/notice": DEPLOYS}
REPLIES = {"R-1/approvers": "R-1", "R-1/note": "R-1", "INC-1/paged": "INC-1"}
METHODS = st.sampled_from(["chat.postMessage", "chat.postMessage", "chat.update", "conversations.history"])


class Messages(RuleBasedStateMachine):
    """Cards and replies are wanted, again and again, from a Slack with which anything may go wrong."""

    def __init__(self, database: Database, run: Run) -> None:
        super().__init__()
        self.run, self.number, self.deleted = run, 0, set[str]()
        self.run(database.write(clear))
        clock = StepClock()
        self.slack = Strict(clock.now)
        self.at = Desk(self.slack, WatchedDatabase(database), clock, self.slack, {})  # type: ignore[arg-type]
        self.run(self.started())

    async def started(self) -> None:
        self.at.start()

    def teardown(self) -> None:
        self.slack_works_again()
        self.run(self.at.die())

    def standing(self) -> list[Message]:
        return [one for some in self.slack.channels.values() for one in some]

    # what is wanted -------------------------------------------------------------------------------------------------

    @rule(card=st.sampled_from(sorted(CARDS)), lane=st.sampled_from(Lane), moment=st.booleans())
    def want_a_card(self, card: str, lane: Lane, moment: bool) -> None:
        self.number += 1
        text = f"{card} says {self.number}"
        self.run(self.at.show(card, text, text if moment else "", lane, channel=CARDS[card]))

    @rule(reply=st.sampled_from(sorted(REPLIES)), lane=st.sampled_from(Lane))
    def want_a_reply(self, reply: str, lane: Lane) -> None:
        if (parent := REPLIES[reply]) not in self.at.says:
            self.want_a_card(parent, lane, False)
        self.number += 1
        self.run(
            self.at.show(reply, f"{reply} says {self.number}", "", lane, thread_of=parent, channel=CARDS[parent])
        )  # fmt: skip

    # what goes wrong ------------------------------------------------------------------------------------------------

    @rule(method=METHODS, what=st.lists(st.sampled_from(MISFORTUNES), min_size=1, max_size=3))
    def the_next_calls_go_wrong(self, method: str, what: list[str]) -> None:
        self.slack.next[method] += what

    @rule(number=st.integers(0, 9))
    def somebody_deletes(self, number: int) -> None:
        """Each card once, for a card that people delete again and again is not wanted there."""
        self.run(self.settles())
        found = [
            (channel, one) for channel, some in self.slack.channels.items() for one in some
            if one.card in CARDS and one.card not in self.deleted
        ]  # fmt: skip
        if found:
            channel, one = found[number % len(found)]
            self.deleted.add(one.card)
            self.slack.delete(channel, one.ts)

    @rule()
    def the_process_dies(self) -> None:
        self.run(self.at.restart())

    @rule(steps=st.integers(1, 12))
    def time_passes(self, steps: int) -> None:
        self.run(self.passes(steps))

    async def passes(self, steps: int) -> None:
        for _ in range(steps):
            await self.at.step()
            await self.revived()

    async def revived(self) -> None:
        """Where a call kills the process, the next one starts at once."""
        if self.slack.died.is_set():
            self.slack.died.clear()
            await self.at.restart()

    async def settles(self) -> None:
        async with asyncio.timeout(60):
            while not self.at.messenger.settled:
                await self.passes(1)

    # what comes of it -----------------------------------------------------------------------------------------------

    @rule()
    def slack_works_again(self) -> None:
        """Nothing is lost, and the newest stands; a card that was deleted is there again once it is wanted anew."""
        self.slack.next.clear()
        self.run(self.settles())
        for card in [*CARDS, *REPLIES]:
            if card in self.at.says and card not in {one.card for one in self.standing()}:
                self.number += 1
                self.at.says.pop(card, None)
                parent = REPLIES.get(card, "")
                place = {"channel": CARDS[parent or card], **({"thread_of": parent} if parent else {})}
                self.run(self.at.show(card, f"{card} says {self.number}", **place))
        self.run(self.settles())
        assert {one.card: one.text for one in self.standing()} == {
            card: text for card, (text, _) in self.at.says.items()
        }

    @rule(count=st.integers(1, 6))
    def a_page_comes_into_a_storm(self, count: int) -> None:
        """Whoever waits for a limited channel goes in the order of the lanes, notices among themselves in theirs."""
        self.slack_works_again()
        self.slack.next["chat.postMessage"] = ["limited"]
        notices = [f"notice-{self.number}-{number}" for number in range(count)]
        for notice in notices:
            self.run(self.at.show(notice, lane=Lane.NOTICE, channel=DEPLOYS))
        self.run(self.at.all_asleep())
        page = f"page-{self.number}"
        self.run(self.at.show(page, lane=Lane.PAGE, channel=DEPLOYS))
        self.number += 1
        self.run(self.settles())
        posted = [one.card for one in self.slack.channels[DEPLOYS] if one.card in (*notices, page)]
        assert posted.index(page) <= 1, "what was under way goes first, and nothing else"
        assert [one for one in posted if one != page] == notices

    @invariant()
    def nothing_stands_twice(self) -> None:
        self.slack.catch_up()
        twice = [card for card, count in Counter(one.card for one in self.standing()).items() if count > 1]
        assert twice == []


@pytest.mark.fire
@pytest.mark.parametrize("engine", ENGINES)
def test_each_card_stands_once_and_says_the_newest_whatever_slack_does(engine: str, tmp_path: Path) -> None:
    with opened(name_of(tmp_path, engine)) as (database, run):
        run_state_machine_as_test(lambda: Messages(database, run), settings=thoroughness(30, 25))
