"""Once a day the audit trail is anchored where nobody can take it back; a request's evidence is taken along."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
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


@asynccontextmanager
async def anchoring(folder: Path) -> AsyncIterator[House]:
    """Acme with a key, a channel and a file for anchors."""
    async with acme_house(platform=_anchored) as house:
        await house.attending()
        await house.stop()
        make_key(folder / "audit.pem")
        signer, anchors = SigningKey.from_file(folder / "audit.pem"), str(folder / "anchors.jsonl")
        house.settings = replace(house.settings, signer=signer, anchors=anchors)
        await house.start()
        yield house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with anchoring(tmp_path) as house:
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


async def test_a_clock_that_stood_in_the_future_does_not_keep_anchors_away(house: House, tmp_path: Path) -> None:
    await deployed(house)
    house.clock.advance(1000 * DAY)
    assert await house.assistant.anchors.look() is True
    house.clock.advance(-1000 * DAY)
    await deployed(house, "1.4.3")
    assert await house.assistant.anchors.look() is True


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


def _another_plan(request: dict[str, Any]) -> None:
    request["plan"]["changes"][0]["after"] = "registry.acme.test/shop/checkout:6.6.6"


def _other_inputs(request: dict[str, Any]) -> None:
    request["inputs"]["version"] = "6.6.6"


def _another_reason(request: dict[str, Any]) -> None:
    request["reason"] = "Lee told me to"


def _another_asker(request: dict[str, Any]) -> None:
    request["asked_by"] = "sam@acme.test"


def _another_voter(request: dict[str, Any]) -> None:
    request["votes"][0]["who"] = "sam@acme.test"


def _another_vote(request: dict[str, Any]) -> None:
    request["votes"][0]["verdict"] = "reject"


def _one_vote_more(request: dict[str, Any]) -> None:
    request["votes"].append({**request["votes"][0], "who": "dana@acme.test"})


def _no_vote(request: dict[str, Any]) -> None:
    request["votes"].clear()


def _another_end(request: dict[str, Any]) -> None:
    request["state"] = "failed"


def _another_number(request: dict[str, Any]) -> None:
    request["id"] = 7


def _another_shape(request: dict[str, Any]) -> None:
    request["votes"] = ["Lee"]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle about one deploy, which verifies, and the key that its anchor was signed with."""
    folder = tmp_path_factory.mktemp("evidence")

    async def taken() -> None:
        async with anchoring(folder) as house:
            number = await deployed(house)
            await house.assistant.anchors.look()
            database = house.settings.database
            arguments = ["bundle", f"R-{number}", "--database", database, "-o", str(folder / "bundle.jsonl")]
            done = await asyncio.to_thread(CliRunner().invoke, audit, arguments)
            assert (done.exit_code, done.stderr) == (0, "")

    asyncio.run(taken())
    file, key = folder / "bundle.jsonl", folder / "audit.pem.pub"
    good = CliRunner().invoke(audit, ["verify", str(file), "--public-key", str(key)])
    assert (good.exit_code, good.stderr) == (0, "")
    assert "the votes and the end are those the trail tells of." in good.stdout
    assert "stands for it (signed with the key " in good.stdout
    return file, key


WHO = "who asked for what, and why, is not what the trail tells"
VOTES = "the votes in it are not those of which the trail tells"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_another_plan, "its plan is not the one decided on"),
        (_other_inputs, WHO),
        (_another_reason, WHO),
        (_another_asker, WHO),
        (_another_voter, VOTES),
        (_another_vote, VOTES),
        (_one_vote_more, VOTES),
        (_no_vote, VOTES),
        (_another_end, "it ended as failed, and the trail says succeeded"),
        (_another_number, "the request in it is another one"),
        (_another_shape, "bundle.jsonl:2: a request has id, asked_by"),
    ],
)
async def test_the_evidence_about_a_request_is_what_was_judged_and_no_other(
    change: Callable[[dict[str, Any]], None], says: str, evidence: tuple[Path, Path]
) -> None:
    file, key = evidence
    run = CliRunner().invoke
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["type"] for line in lines][:2] == ["bundle", "request"]
    assert lines[1]["reason"] == "fixes the cart"
    assert [vote["who"] for vote in lines[1]["votes"]] == ["lee@acme.test"]
    change(lines[1])
    forged = file.with_name("forged") / file.name
    forged.parent.mkdir(exist_ok=True)
    forged.write_text(ended(lines))
    bad = run(audit, ["verify", str(forged), "--public-key", str(key)])
    assert bad.exit_code == 1
    assert says in bad.stderr
