"""How many approvals are still missing: people count once within a rule, and for each rule anew."""

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from approvals.policy import missing
from approvals.request import Vote
from chatops.kernel.plan import Ask
from chatops.kernel.quorum import unfilled
from tests.support.thoroughness import examples


def ask(approvals, *sources, rule="r"):
    return Ask(rule=rule, approvals=approvals, sources=sources, expires=60)


def vote(person, *sources, verdict="approve"):
    return Vote(person_id=person, name=person, verdict=verdict, sources=sources, at=0, digest="d")


LEADS, SECURITY = "group:leads", "group:security"


@pytest.mark.parametrize(
    ("asks", "votes", "lacks"),
    [
        ([], [], ()),
        ([ask(1, LEADS)], [], (1,)),
        ([ask(1, LEADS)], [vote("lee", LEADS)], (0,)),
        ([ask(1, LEADS)], [vote("sam", SECURITY)], (1,)),
        ([ask(1, LEADS, SECURITY)], [vote("sam", SECURITY)], (0,)),
        ([ask(2, LEADS)], [vote("lee", LEADS)], (1,)),
        ([ask(2, LEADS)], [vote("lee", LEADS), vote("lee", LEADS)], (1,)),
        ([ask(2, LEADS)], [vote("lee", LEADS), vote("sam", LEADS)], (0,)),
        ([ask(1, LEADS)], [vote("lee", LEADS, verdict="reject")], (1,)),
        ([ask(1, LEADS)], [vote("dana", LEADS)], (1,)),  # the requester
        ([ask(1, LEADS)], [vote("dana", LEADS), vote("lee", LEADS), vote("sam", LEADS)], (0,)),
        # one rule, two entries: different people
        ([ask(1, LEADS), ask(1, SECURITY)], [vote("sam", LEADS, SECURITY)], (0, 1)),
        ([ask(1, LEADS), ask(1, SECURITY)], [vote("sam", LEADS, SECURITY), vote("lee", LEADS)], (0, 0)),
        ([ask(1, LEADS), ask(1, SECURITY)], [vote("lee", LEADS), vote("sam", LEADS, SECURITY)], (0, 0)),
        # the same over two rules: one vote counts for each
        ([ask(1, LEADS, rule="a"), ask(1, SECURITY, rule="b")], [vote("sam", LEADS, SECURITY)], (0, 0)),
        ([ask(2, LEADS, rule="a"), ask(1, LEADS, rule="b")], [vote("sam", LEADS)], (1, 0)),
    ],
)
def test_what_is_missing(asks, votes, lacks):
    assert missing(asks, votes, "dana") == lacks


SOURCES = ["a", "b", "c"]
seats = st.lists(st.tuples(st.integers(1, 3), st.sets(st.sampled_from(SOURCES), min_size=1)), min_size=1, max_size=3)
people = st.lists(st.sets(st.sampled_from(SOURCES)), max_size=5)


def every_way(seats, people):
    """What stays empty in each way of giving each person at most one seat."""
    places = [kind for kind, (count, _) in enumerate(seats) for _ in range(count)]
    chosen = [*places, *[None] * len(people)]
    for way in set(permutations(chosen, len(people))):
        if all(kind is None or seats[kind][1] & of for kind, of in zip(way, people, strict=True)):
            yield tuple(count - way.count(kind) for kind, (count, _) in enumerate(seats))


@settings(max_examples=examples(150), deadline=None)
@given(seats.filter(lambda some: sum(count for count, _ in some) <= 4), people.filter(lambda some: len(some) <= 4))
def test_as_many_as_possible_are_filled_and_of_those_ways_the_earlier_first(seats, people):
    best = min(every_way(seats, people), key=lambda empty: (sum(empty), empty))
    assert unfilled(seats, dict(enumerate(people))) == best


@given(seats, people)
def test_it_does_not_matter_in_which_order_people_voted(seats, people):
    one = dict(enumerate(people))
    assert unfilled(seats, one) == unfilled(seats, dict(reversed(one.items())))


@given(seats, people, st.sets(st.sampled_from(SOURCES)))
def test_another_vote_never_makes_more_missing(seats, people, another):
    before = unfilled(seats, dict(enumerate(people)))
    after = unfilled(seats, dict(enumerate([*people, another])))
    assert sum(before) - 1 <= sum(after) <= sum(before)
    assert all(now <= then for now, then in zip(after, before, strict=True))
