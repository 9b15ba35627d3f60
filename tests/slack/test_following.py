"""Forms that follow what is chosen in them, and forms of several steps, on the local Slack."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatops.kernel.action import Action
from chatops.kernel.cel import CelError
from chatops.kernel.declaration import DeclaredInput, OptionsFrom, Rule
from chatops.slack import submitting
from commands.declared import action_of
from tests.declared.samples import DATABASE, asking
from tests.requests.test_sheets import Cluster, config_map
from tests.slack.desk import ACTIONS, Desk, desk
from tests.support.people import Modal

CREATE = action_of(DATABASE)


def knows(acme: Desk, *actions: Action, cluster: Any = None) -> None:
    """The road has these actions, and this cluster."""
    acme.road.actions = {**ACTIONS, **{one.name: one for one in actions}}
    acme.road.sheets.planner.clusters = cluster or Cluster()


def quiet_preview(acme: Desk, times: int = 20) -> None:
    acme.road.plan("preview", *[("Would be made.",)] * times)


async def asked_for(acme: Desk) -> dict[str, Any]:
    """The values of the one request."""
    await acme.front.background.idle()
    [(_, values, *_)] = acme.road.called("ask")
    return dict(values)


# what shows itself ---------------------------------------------------------------------------------------------------


async def test_an_input_comes_and_goes_with_what_is_chosen_and_what_was_typed_stays(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, CREATE)
        quiet_preview(acme)
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform database create checkout")
        form = await acme.dana.modal("Create a PostgreSQL")
        assert "Replicas" not in form.values
        await form.fill(Reason="orders need it", Size="large", Environment="production")
        await form.becomes("Replicas")
        await form.fill(Replicas="3")
        assert form.values | {"Environment": ""} == {
            "Service": "checkout", "Environment": "", "Size": "large", "Replicas": "3", "Reason": "orders need it",
        }  # fmt: skip
        await form.fill(Environment="staging")
        await acme.dana.wait(lambda: "Replicas" not in form.values or None, 5, lambda: form.text)
        assert form.values["Size"] == "large"
        assert await form.submit() == {}
        assert await asked_for(acme) == {
            "service": "checkout", "environment": "staging", "size": "large", "reason": "orders need it",
        }  # fmt: skip


async def test_a_form_that_a_choice_has_overtaken_is_shown_again_before_anything_is_asked(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, CREATE)
        quiet_preview(acme)
        await acme.dana.types("/platform database create checkout")
        form = await acme.dana.modal("Create a PostgreSQL")
        await form.fill(Environment="staging")
        await form.becomes("Would be made.")
        await acme.sandbox.fault("error", method="views.update", error="internal_error", times=9)
        await form.fill(Environment="production")
        await acme.front.background.idle()
        assert "Replicas" not in form.values
        assert await form.submit() == {}
        await form.becomes("What is asked for has changed", "Replicas")
        assert form.is_open
        assert acme.road.called("ask") == []
        acme.road.plan("ask", lambda *_: acme.asked())
        assert await form.submit() == {}
        assert (await asked_for(acme))["replicas"] == "2"


async def test_a_broken_rule_stands_at_its_field_and_nothing_is_asked(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, CREATE)
        quiet_preview(acme)
        await acme.dana.types("/platform database create checkout production replicas=1")
        seen = await acme.dana.sees("general", "Not quite", "Production needs at least two replicas.")
        await seen.click("Open the form")
        form = await acme.dana.modal("Create a PostgreSQL")
        await form.becomes("Replicas")
        assert await form.submit() == {"Replicas": "Production needs at least two replicas."}
        assert acme.road.called("ask") == []


async def test_rules_that_nothing_evaluates_refuse_within_slacks_three_seconds(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(
            acme, action_of(asking(DeclaredInput(name="note", type="text"), rules=(Rule(check="1 == 1", message="m"),)))
        )

        async def never(pairs: Sequence[Any]) -> list[Any]:
            await asyncio.Event().wait()
            raise AssertionError

        async def broken(pairs: Sequence[Any]) -> list[Any]:
            return [CelError("its process died") for _ in pairs]

        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        await form.fill(Note="x")
        acme.road.sheets.planner.evaluate = never
        assert "could not be checked in time, so nothing was asked for" in (await form.submit())["Note"]
        acme.road.sheets.planner.evaluate = broken
        assert "“m” (its process died). So it is refused" in (await form.submit())["Note"]
        assert acme.road.called("ask") == []


async def test_a_form_opens_within_the_trigger_though_nothing_can_be_evaluated(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, CREATE)
        gate = asyncio.Event()
        evaluate = acme.road.sheets.planner.evaluate

        async def slow(pairs: Sequence[Any]) -> list[Any]:
            await gate.wait()
            return list(await evaluate(pairs))

        acme.road.sheets.planner.evaluate = slow
        quiet_preview(acme)
        await acme.dana.types("/platform database create production size=medium")
        seen = await acme.dana.modal("Create a PostgreSQL")
        assert "Replicas" not in seen.values
        gate.set()


# what is looked up ---------------------------------------------------------------------------------------------------


def looking(kind: str = "ConfigMap", **more: Any) -> Action:
    return action_of(
        asking(
            DeclaredInput(name="environment", type="environment"),
            DeclaredInput(
                name="thing", type="choice", options_from=OptionsFrom(cel="object.metadata.name", kind=kind), **more
            ),
        )
    )


@dataclass
class Slow(Cluster):
    """Answers when it may."""

    may: Any = None

    async def find(self, *where: Any, **more: Any) -> list[dict[str, Any]]:
        await self.may.wait()
        return await super().find(*where, **more)


async def test_objects_of_the_chosen_environment_are_offered_once_the_cluster_has_answered(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        cluster = Slow([config_map("blue"), config_map("amber")], may=asyncio.Event())
        knows(acme, looking(), cluster=cluster)
        quiet_preview(acme)
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        assert await form.fields.suggestions("Thing", "") == []
        await form.fill(Environment="staging", Reason="typed meanwhile")
        cluster.may.set()
        await acme.front.background.idle()
        await form.fill(Thing="blue")
        assert form.values["Reason"] == "typed meanwhile"
        assert await form.submit() == {}
        assert (await asked_for(acme))["thing"] == "blue"


async def test_more_objects_than_a_select_holds_are_found_by_typing(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, looking(several=True), cluster=Cluster([config_map(f"map-{n:03}") for n in range(150)]))
        quiet_preview(acme)
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform thing make environment=staging")
        form = await acme.dana.modal("Make a thing")
        await acme.front.background.idle()
        await acme.dana.catches_up()
        assert await form.fields.suggestions("Thing", "map-14") == [f"map-14{n}" for n in range(10)]
        await form.fill(Thing=["map-149", "map-003"])
        assert await form.submit() == {}
        assert (await asked_for(acme))["thing"] == "map-149,map-003"


async def test_a_cluster_that_does_not_answer_leaves_a_form_one_can_fill_in(tmp_path: Path) -> None:
    for away in (Cluster(away=True), Slow(may=asyncio.Event())):
        (folder := tmp_path / type(away).__name__).mkdir()
        async with desk(folder) as acme:
            knows(acme, looking(), cluster=away)
            quiet_preview(acme)
            acme.road.plan("ask", lambda *_: acme.asked())
            await acme.dana.types("/platform thing make")
            form = await acme.dana.modal("Make a thing")
            await form.fill(Environment="staging")
            await form.becomes("type it")
            await form.fill(Thing="blue")
            away.away = True
            assert await form.submit() == {}
            assert (await asked_for(acme))["thing"] == "blue"


async def test_a_preset_follows_the_environment_until_somebody_changes_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        copies = DeclaredInput(name="copies", type="integer", default_from='env.tier == "production" ? 3 : 1')
        knows(acme, action_of(asking(DeclaredInput(name="environment", type="environment"), copies)))
        quiet_preview(acme)
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")

        async def shows(number: str) -> None:
            await acme.dana.wait(lambda: form.values["Copies"] == number or None, 5, lambda: form.text)

        for environment, number in (("staging", "1"), ("production", "3"), ("staging", "1")):
            await form.fill(Environment=environment)
            await shows(number)
        await form.fill(Copies="7")
        await form.fill(Environment="production")
        await acme.front.background.idle()
        assert form.values["Copies"] == "7"


async def test_what_is_typed_into_a_field_may_show_another_one(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        purpose = DeclaredInput(name="purpose", type="text", required=False, show_when="inputs.count > 5")
        knows(acme, action_of(asking(DeclaredInput(name="count", type="integer"), purpose)))
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        await form.fill(Count="9")
        await form.becomes("Purpose")
        await form.fill(Count="2")
        await acme.dana.wait(lambda: "Purpose" not in form.values or None, 5, lambda: form.text)


# people --------------------------------------------------------------------------------------------------------------


async def test_a_person_named_by_e_mail_on_the_line_stands_in_the_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, action_of(asking(DeclaredInput(name="who", type="person"), DeclaredInput(name="why", type="text"))))
        await acme.dana.types("/platform thing make lee@acme.test")
        assert (await acme.dana.modal("Make a thing")).values["Who"] == "U0LEE"


async def test_a_person_is_mentioned_on_the_line_or_chosen_in_the_form(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, action_of(asking(DeclaredInput(name="who", type="person"))))
        for way in ("@lee", "who=@lee", "lee@acme.test", "U0LEE"):
            acme.road.plan("ask", lambda *_: acme.asked())
            await acme.dana.types(f"/platform thing make {way}")
            await acme.front.background.idle()
            assert acme.road.called("ask")[-1][1]["who"] in ("U0LEE", "lee@acme.test"), way
        await acme.dana.types("/platform thing make @nemo")
        seen = await acme.dana.sees("general", "I don't know who @nemo is")
        await seen.click("Open the form")
        form: Modal = await acme.dana.modal("Make a thing")
        acme.road.plan("ask", lambda *_: acme.asked())
        await form.fill(Who="U0LEE")
        assert await form.submit() == {}
        await acme.front.background.idle()
        assert acme.road.called("ask")[-1][1]["who"] == "U0LEE"


# steps ---------------------------------------------------------------------------------------------------------------


def long(count: int = 200, **more: Any) -> Action:
    """Three steps: n0 to n66, n67 to n133, n134 to the reason."""
    inputs = [DeclaredInput(name=f"n{n}", type="integer", required=n in (0, 80, 150)) for n in range(count)]
    return action_of(asking(*inputs, **more))


async def on(form: Modal, step: str) -> None:
    await form.person.wait(lambda: step in form.view["title"]["text"] or None, 5, lambda: form.text[:300])


async def test_a_long_form_goes_step_by_step_and_back_and_asks_once_at_the_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, long())
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform thing make n100=5")
        form = await acme.dana.modal("Make a thing")
        await on(form, "1 of 3")
        assert (await form.submit()) == {"N0": "Please complete this required field."}
        await form.fill(N0="1", N3="33")
        await form.submit()
        await on(form, "2 of 3")
        await form.fill(N80="8")
        await form.click("Back")
        await on(form, "1 of 3")
        assert (form.values["N0"], form.values["N3"]) == ("1", "33")
        await form.fill(N3="34")
        await form.submit()
        await on(form, "2 of 3")
        assert form.values["N80"] == "8"
        await form.submit()
        await on(form, "3 of 3")
        assert acme.road.called("ask") == []
        await form.fill(N150="15", Reason="many numbers")
        assert await form.submit() == {}
        expected = {"n0": "1", "n3": "34", "n80": "8", "n150": "15", "reason": "many numbers"}
        assert await asked_for(acme) == expected
        assert not form.is_open


async def test_a_rule_about_an_earlier_step_leads_back_to_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        rule = Rule(check="inputs.n0 < inputs.n150", message="N0 must be below N150.", field="n0")
        knows(acme, long(rules=(rule,)))
        acme.road.plan("ask", lambda *_: acme.asked())
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        for step, values in (("1 of 3", {"N0": "9"}), ("2 of 3", {"N80": "1"}), ("3 of 3", {"N150": "5"})):
            await on(form, step)
            await form.fill(values)
            await form.submit()
        await on(form, "1 of 3")
        await form.becomes("⚠ N0 must be below N150.")
        assert form.values["N0"] == "9"
        await form.fill(N0="4")
        for step in ("2 of 3", "3 of 3"):
            await form.submit()
            await on(form, step)
        assert await form.submit() == {}
        assert (await asked_for(acme))["n0"] == "4"


async def test_what_the_first_steps_hold_survives_a_restart_and_is_its_persons_alone(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, long())
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        await form.fill(N0="1")
        await form.submit()
        await on(form, "2 of 3")
        view = form.view
        [row] = await acme.rows("SELECT * FROM drafts")
        assert (row["person_id"], row["body"]) == ("U0DANA", '{"n0": "1"}')
        assert len(view["private_metadata"]) < 400
    async with desk(tmp_path) as acme:
        knows(acme, long())
        filled = {"in:n80": {"value": {"type": "number_input", "value": "8"}}}
        for user, said in (("U0DANA", "3 of 3"), ("U0LEE", "is not here any more")):
            body = {"view": {**view, "state": {"values": filled}}, "user": {"id": user, "team_id": "T0ACME"}}
            ack = Ack()
            await acme.front.listeners.form_submitted(ack, body)  # type: ignore[arg-type]
            assert said in str(ack.answers), user


async def test_a_step_that_shows_nothing_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "_SHEET", 2.9)  # two hundred inputs take their time on a busy machine
    async with desk(tmp_path) as acme:
        inputs = [
            DeclaredInput(
                name=f"n{n}", type="integer", required=n == 0, show_when="inputs.n0 == 1" if 66 < n < 134 else ""
            )
            for n in range(200)
        ]
        knows(acme, action_of(asking(*inputs)))
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        await form.fill(N0="2")
        await form.submit()
        await on(form, "3 of 3")
        await form.click("Back")
        await on(form, "1 of 3")
        await form.fill(N0="1")
        await form.submit()
        await on(form, "2 of 3")


async def test_a_secret_on_an_early_step_is_masked_before_it_is_stored(tmp_path: Path) -> None:
    async with desk(tmp_path) as acme:
        acme.road.plan("ask", lambda *_: acme.asked())
        inputs = [DeclaredInput(name=f"t{n}", type="text", required=n == 1, max_length=60) for n in range(100)]
        knows(acme, action_of(asking(*inputs)))
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        secret = "xoxb-1234567890-abcdefghijkl"
        await form.fill(T1=f"{secret} leaked")
        await form.submit()
        await on(form, "2 of 2")
        assert secret not in str(await acme.rows("SELECT body FROM drafts"))
        assert await form.submit() == {}
        assert (await asked_for(acme))["t1"] == "[masked] leaked"
        await acme.dana.sees("general", "looked like a password or a token")


class Ack:
    """Bolt's ack, remembering."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []

    async def __call__(self, **answer: Any) -> None:
        self.answers.append(answer)


@pytest.mark.parametrize("text", ["x\nspec: y", "a\x00b", "pay\u202etset"])
async def test_odd_letters_are_refused_at_their_field_in_the_form(tmp_path: Path, text: str) -> None:
    async with desk(tmp_path) as acme:
        knows(acme, action_of(asking(DeclaredInput(name="note", type="text"))))
        await acme.dana.types("/platform thing make")
        form = await acme.dana.modal("Make a thing")
        await form.fill(Note=text)
        assert (await form.submit())["Note"].startswith(("Note must be one line", "Note has a letter that nobody sees"))
