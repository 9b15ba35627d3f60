"""Once a day the audit trail is anchored where nobody can take it back; a request's evidence is taken along."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chatops.adapters.audit_cli import audit
from chatops.adapters.signing import SigningKey, make_key
from tests.store.test_anchors import ended
from tests.support.house import REQUESTS, House, acme_house, straight_to_production

DAY = 86400.0


def _anchored(content: dict[str, Any]) -> None:
    straight_to_production(content)
    content["audit"] = {"channel": "general"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with acme_house(platform=_anchored) as house:
        await house.attending()
        await house.stop()
        make_key(tmp_path / "audit.pem")
        signer, anchors = SigningKey.from_file(tmp_path / "audit.pem"), str(tmp_path / "anchors.jsonl")
        house.settings = replace(house.settings, signer=signer, anchors=anchors)
        await house.start()
        yield house


async def deployed(house: House, version: str = "1.4.2") -> str:
    """A deploy from asking to its end; the request's number."""
    await house.dana.types(f"/platform deploy checkout {version} production because fixes the cart")
    card = await house.lee.sees(REQUESTS, version, "WAITING")
    await card.click("Approve")
    await card.becomes("SUCCEEDED", within=10)
    await house.quiet()
    return str((await house.rows("SELECT MAX(id) AS id FROM requests"))[0]["id"])


async def test_it_is_anchored_once_a_day_in_the_channel_and_in_the_file(house: House, tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    await deployed(house)
    await house.assistant.anchors.look()
    said = await house.olu.sees("general", "The audit trail until now: seal ", "signed with the key ")
    (line,) = file.read_text().splitlines()
    assert line in said.text
    await house.assistant.anchors.look()
    await house.stop()
    await house.start()  # a restart forgets nothing
    await house.assistant.anchors.look()
    await house.later(DAY)
    assert await house.assistant.anchors.look() is False  # nothing happened since
    await deployed(house, "1.4.3")
    assert await house.assistant.anchors.look() is True
    assert len(file.read_text().splitlines()) == 2
    await house.quiet()
    assert len(await house.rows("SELECT id FROM posts WHERE id LIKE 'anchor/%'")) == 2


async def test_a_file_that_is_away_is_said_once_and_written_when_it_is_back(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "anchors.jsonl"
    file.mkdir()
    await deployed(house)
    for _ in range(3):
        await house.assistant.anchors.look()
    said = [one.message for one in caplog.records if "anchor" in one.message]
    assert said == [
        f"an anchor of the audit trail is not in its file: {file} cannot be written: Is a directory.; it is tried again"
    ]
    file.rmdir()
    await house.assistant.anchors.look()
    assert len(file.read_text().splitlines()) == 1


def _another_plan(lines: list[dict[str, Any]]) -> None:
    lines[1]["body"]["plan"]["changes"][0]["after"] = "registry.acme.test/shop/checkout:6.6.6"


def _another_reason(lines: list[dict[str, Any]]) -> None:
    lines[1]["body"]["reason"] = "Lee told me to"


def _another_voter(lines: list[dict[str, Any]]) -> None:
    lines[1]["votes"][0]["email"] = "sam@acme.test"


def _another_end(lines: list[dict[str, Any]]) -> None:
    lines[1]["body"]["state"] = "failed"


def _another_number(lines: list[dict[str, Any]]) -> None:
    lines[1]["id"] = 7


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_another_plan, "its plan is not the one decided on"),
        (_another_reason, "who asked for what, and why, is not what the trail tells"),
        (_another_voter, "somebody voted of whom the trail does not tell"),
        (_another_end, "it ended as failed, and the trail says succeeded"),
        (_another_number, "the request in it is another one"),
    ],
)
async def test_the_evidence_about_a_request_is_what_was_judged_and_no_other(
    change: Callable[[list[dict[str, Any]]], None], says: str, house: House, tmp_path: Path
) -> None:
    number = await deployed(house)
    await house.assistant.anchors.look()
    file, key = tmp_path / "bundle.jsonl", tmp_path / "audit.pem.pub"
    run = CliRunner().invoke
    taken = run(audit, ["bundle", f"R-{number}", "--database", house.settings.database, "-o", str(file)])
    assert (taken.exit_code, taken.stderr) == (0, "")
    await house.stop()  # nothing but the file is needed
    good = run(audit, ["verify", str(file), "--public-key", str(key)])
    assert (good.exit_code, good.stderr) == (0, "")
    assert "The request in it is the one the trail tells of; its plan is " in good.stdout
    assert "stands for it (signed with the key " in good.stdout
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["type"] for line in lines][:2] == ["bundle", "request"]
    assert {"fixes the cart", "Lee"} <= {lines[1]["body"]["reason"], lines[1]["votes"][0]["name"]}
    change(lines)
    file.write_text(ended(lines))
    bad = run(audit, ["verify", str(file), "--public-key", str(key)])
    assert bad.exit_code == 1
    assert says in bad.stderr
