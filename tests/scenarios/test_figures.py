"""The DORA figures as people ask for them."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from PIL import Image

from chatops.kernel.chart import Drawn
from chatops.kernel.panels import Panels
from chatops.kernel.ports import Tx
from chatops.notices import ledger
from commands import dora
from tests.kernel.test_dora import LEDGER
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

DAY = 86400.0
ENTER = """
INSERT INTO ledger (action, service, environment, before, after, started_at, ended_at, outcome)
VALUES (:action, :service, :environment, '', :after, :at, :at + 600, :outcome)
"""


ROW = """
INSERT INTO ledger (action, service, environment, before, after, started_at, ended_at, outcome)
VALUES (:action, :service, :environment, :before, :after, :begun, :ended, :outcome)
"""


class Dotting:
    """Draws one dot, seconds sooner than the process that draws."""

    async def paint(self, panels: Panels) -> Drawn:
        dot = io.BytesIO()
        Image.new("RGB", (1, 1)).save(dot, "PNG")
        return Drawn(panels.title, dot.getvalue())


async def entered(house: House, *rows: tuple[float, str, str, str, str]) -> None:
    """Deploys of other pipelines: days ago, service, environment, version, outcome."""

    def write(tx: Tx) -> None:
        for days, service, environment, version, outcome in rows:
            at = house.clock.now() - days * DAY
            tx.run(
                ENTER, action="deploy", service=service, environment=environment, after=version, at=at, outcome=outcome
            )

    await house.assistant.database.write(write)


async def test_the_platform_team_sees_how_the_platform_is_used() -> None:
    async with acme_house(platform=straight_to_production) as house:
        await house.sam.types("/platform adoption")
        await house.sam.sees("general", "Adoption · last 90 days", "Nobody has asked for anything.")
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        card = await house.lee.sees(REQUESTS, "WAITING")
        house.clock.advance(600)
        await card.click("Approve")
        await house.dana.sees(REQUESTS, "SUCCEEDED")
        await house.lee.types("/platform deploy cart 2.9.0 production because it is faster")
        await (await house.lee.sees(REQUESTS, "Deploy cart", "WAITING")).click("Cancel")
        await house.lee.sees(REQUESTS, "Deploy cart", "CANCELLED")
        await house.sam.types("/platform adoption 7d")
        said = await house.sam.sees("general", "Adoption · last 7 days", "deploy")
        rows = {line.split()[0]: line.split() for line in said.text.splitlines() if line.startswith(("all", "deploy"))}
        assert rows["all"] == ["all", "2", "2", "0", "0", "1", "10", "min", "10", "min"]
        assert rows["deploy"][1:] == rows["all"][1:]
        await house.dana.types("/platform adoption")
        await house.dana.sees("general", "Only the platform team can ask for adoption.")


async def test_forms_that_were_opened_and_left_are_counted_by_action() -> None:
    async with acme_house() as house:
        for _ in range(2):
            await house.dana.types("/platform deploy")
            await house.dana.modal("Deploy")
        await house.dana.types("/platform scale cart staging")
        form = await house.dana.modal("Scale")
        await form.fill(Replicas="3", Reason="it is quiet")
        assert await form.submit() == {}
        await house.dana.sees(REQUESTS, "Scale cart", "SUCCEEDED")
        await house.sam.types("/platform adoption")
        said = await house.sam.sees("general", "Adoption · last 90 days")
        assert "Forms" not in said.text, "they may still be filled in"
        house.clock.advance(3700)
        await house.sam.types("/platform adoption 30d")
        await house.sam.sees("general", "last 30 days", "Forms left without being sent: 2 of 3 (deploy 2 of 2)")
        house.clock.advance(401 * DAY)
        await house.assistant.forget()
        assert await house.rows("SELECT * FROM forms") == []


async def test_the_four_figures_stand_beside_those_of_the_time_before() -> None:
    def platform(content: dict[str, Any]) -> None:
        straight_to_production(content)

    async with acme_house(platform=platform) as house:
        await house.dana.types("/platform dora")
        await house.dana.sees("general", "DORA · all teams · production · last 90 days", "Nothing was deployed there.")
        await entered(
            house,
            (120, "checkout", "production", "1.3.0", "succeeded"), (100, "cart", "production", "2.7.0", "failed"),
            (45, "payments", "staging", "3.0.0", "succeeded"), (44, "payments", "production", "3.0.0", "succeeded"),
            (20, "checkout", "production", "1.4.0", "rolled_back"), (10, "gone", "production", "9", "succeeded"),
        )  # fmt: skip
        await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        await (await house.lee.sees(REQUESTS, "WAITING")).click("Approve")
        await house.dana.sees(REQUESTS, "SUCCEEDED")
        await house.dana.types("/platform dora")
        said = await house.dana.sees("general", "Deployment frequency", "0.2 a week (2)", "0.1 a week (1)", within=40)
        for line in (
            "33 % (1 of 3)",
            "50 % (1 of 2)",
            "10 min (median of 1)",
            "• checkout: 0.1 a week (1), 50 % (1 of 2) failed",
        ):
            assert line in said.text, said.text
        house.assistant.illustrator.painter = Dotting()
        await house.dana.types("/platform dora payments 60d")
        await house.dana.sees("general", "DORA · payments · production · last 60 days", "24 h 10 min (median of 1)")
        await house.dana.types("/platform dora service=payments environment=staging")
        await house.dana.sees("general", "DORA · payments · staging", "0.1 a week (1)", "10 min (median of 1)")
        pictures = [block for block in said.message["blocks"] if block["type"] == "image"]
        [drawn] = [house.slack.state.contents[block["slack_file"]["id"]] for block in pictures]
        assert Image.open(io.BytesIO(drawn)).size == (1200, 900)
        await said.click("As CSV")
        await house.dana.sees("general", "3 deploys and rollbacks.", "All of it is in a file that I sent you")
        await house.dana.types("/platform dora payments 60d export=json")
        await house.dana.sees("general", "DORA · payments", "1 deploys and rollbacks.")
        sent = json.loads(next(one for one in house.slack.state.contents.values() if one.startswith(b"{")))
        assert [(one["service"], one["after"]) for one in sent["changes"]] == [("payments", "3.0.0")]
        assert sent["now"]["deploys"] == 1
        await house.dana.types("/platform dora period=1h")
        await house.dana.sees("general", "Period is from 1d to 365d.")


async def test_of_too_many_deploys_the_newest_are_counted_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for module in (ledger, dora):
        monkeypatch.setattr(module, "MOST_CHANGES", 2)
    async with acme_house() as house:
        house.assistant.illustrator.painter = Dotting()
        await entered(house, (9, "checkout", "production", "1.4.0", "failed"))
        await house.dana.types("/platform dora shop 10d")
        said = await house.dana.sees("general", "last 10 days", "100 % (1 of 1)")
        assert "Only the newest" not in said.text
        await entered(
            house, (2, "checkout", "production", "1.4.2", "succeeded"), (5, "cart", "production", "2.8", "failed")
        )
        await house.dana.types("/platform dora shop 10d")
        await house.dana.sees("general", "50 % (1 of 2)", "Only the newest 2 deploys of all teams are counted")
        assert "only the newest 2 deploys are counted" in caplog.text
        await house.dana.types("/platform dora shop 10d export=csv")
        await house.dana.sees("general", "2 deploys and rollbacks.", "Only the newest 2")


async def test_the_ledger_of_forty_deploys_that_was_counted_by_hand_is_answered_as_it_was_counted() -> None:
    async with acme_house() as house:
        house.assistant.illustrator.painter = Dotting()
        start = house.clock.now() - 28 * DAY

        def write(tx: Tx) -> None:
            for one in LEDGER:
                common = {"service": one.service, "before": one.before, "after": one.after, "outcome": one.outcome}
                tx.run(
                    ROW, **common, action=one.action, environment="production", begun=start + one.started_at,
                    ended=start + one.ended_at,
                )  # fmt: skip
                if one.action == "deploy":  # where its version was begun first
                    first = start + one.first_at
                    tx.run(ROW, **common, action="deploy", environment="staging", begun=first, ended=first + 1)

        await house.assistant.database.write(write)
        await house.dana.types("/platform dora 28d")
        said = await house.dana.sees("general", "DORA · all teams · production · last 28 days")
        for line in (
            "Deployment frequency: 9.2 a week (37)", "Lead time for changes: 3 h (median of 37)",
            "Change failure rate: 10 % (4 of 40)",
            "Failed deployment recovery time: 2 h 5 min (median of 3), 1 not recovered",
        ):  # fmt: skip
            assert line in said.text, said.text


async def test_without_its_picture_the_answer_has_the_numbers() -> None:
    async with acme_house() as house:
        await entered(house, (20, "checkout", "production", "1.4.0", "succeeded"))
        house.assistant.illustrator.painter = Dotting()
        await house.sandbox.fault("error", method="files.getUploadURLExternal", error="internal_error", times=20)
        await house.dana.types("/platform dora")
        said = await house.dana.sees("general", "0.1 a week (1)", "There is no picture: Slack did not take the picture")
        assert [block for block in said.message["blocks"] if block["type"] == "image"] == []
