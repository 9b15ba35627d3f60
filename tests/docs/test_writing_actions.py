"""The examples of the page on writing one's own action are read, and one sees of them what it says."""

from __future__ import annotations

import sys
from dataclasses import fields
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chatops.adapters.configuration import check
from chatops.adapters.configuration.folder import load
from chatops.kernel.action import Context
from commands import registry
from commands.declared import action_of
from tests.config.acme import acme
from tests.docs.pages import ROOT, blocks, table
from tests.support.house import REQUESTS, acme_house
from tests.support.steps import known

PAGE = ROOT / "docs" / "actions.md"
EXAMPLE = ROOT / "examples" / "acme" / "actions" / "database-create.yml"
WAIT, MISSPELT = "object.status.readyInstances", "object.status.readyInstanses"


def lines(note: str) -> list[str]:
    """What the page shows of a card, or of the command line."""
    [shown] = blocks(PAGE, "text", note)
    return shown.text.splitlines()


def folder_with(folder: Path, text: str) -> Path:
    """Acme's folder with one action."""
    (acme(folder) / "actions").mkdir(exist_ok=True)
    (folder / "actions" / "database-create.yml").write_text(text)
    return folder


def test_the_pages_first_example_is_the_one_that_acme_ships() -> None:
    assert blocks(PAGE, "yaml", "action")[0].text == EXAMPLE.read_text()


def test_every_action_on_the_page_can_be_loaded(tmp_path: Path) -> None:
    built_in = registry.load()
    for example in blocks(PAGE, "yaml", "action"):
        loaded = load(folder_with(tmp_path, example.text), built_in, action_of)
        [name] = set(loaded.actions) - set(built_in)
        assert example.text.startswith(f"name: {name}\n")


def test_mistakes_in_an_action_are_told_as_the_page_says(tmp_path: Path) -> None:
    text = EXAMPLE.read_text().replace(f"{WAIT} == inputs.replicas", f"{WAIT} == inputs.replica")
    folder = folder_with(tmp_path, text.replace("undo:", "undoo:"))
    told = [str(problem).removeprefix(f"{folder}/") for problem in check(folder, registry.load(), action_of)]
    assert told == lines("mistakes")


async def test_an_answer_as_the_page_has_it_does_its_deed_once_also_when_it_is_cut_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tickets = Tickets()
    acme_package = ModuleType("acme")
    acme_package.tickets = tickets  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "acme", acme_package)
    [example] = blocks(PAGE, "python", "answering")
    module: dict[str, Any] = {"__name__": "acme.ticket"}
    exec(compile(example.text, PAGE.name, "exec", dont_inherit=True), module)
    known(monkeypatch, module["RECORD"])
    async with acme_house() as house:
        await house.dana.types("/platform ticket because the door is stuck")
        await house.dana.sees("general", "T-1 is open.")
        [key], dana = tickets.made, await house.assistant.directory.person("U0DANA")
        text = {"reason": "the door is stuck"}
        assert "T-1" in str(await house.assistant.road.answer("ticket", text, person=dana, key=key, again=True))
        assert "T-2" in str(await house.assistant.road.answer("ticket", text, person=dana, key="another", again=True))
    assert tickets.made == [key, "another"]


class Tickets:
    """What Acme's janitors have, in a module of Acme's own."""

    def __init__(self) -> None:
        self.made: list[str] = []

    async def find(self, label: str) -> str:
        return f"T-{self.made.index(label) + 1}" if label in self.made else ""

    async def open(self, text: str, label: str) -> str:
        self.made.append(label)
        return f"T-{len(self.made)}"


def test_what_helps_with_that_is_there() -> None:
    there = {field.name for field in fields(Context)} | set(vars(Context))
    assert {name for name, _ in table(PAGE, "in ctx", "what it is")} <= there


async def test_the_cards_of_the_example_read_as_the_page_says() -> None:
    text = EXAMPLE.read_text()
    stuck = text.replace(WAIT, MISSPELT).replace("database.create", "database.stuck")
    async with acme_house(actions={"create.yml": text, "stuck.yml": stuck}) as house:
        because = "because orders outgrew the shared one"
        await house.dana.types(f"/platform database create cart production {because}")
        card = await house.lee.sees(REQUESTS, *lines("waiting"), within=10)
        await card.click("Approve")
        await card.becomes(*lines("done"), within=20)
        await house.dana.types(f"/platform database stuck cart staging {because}")
        running = [line.replace(WAIT, MISSPELT) for line in lines("running")]
        card = await house.dana.sees(REQUESTS, *running, within=10)
        house.clock.advance(601)
        await card.becomes(*lines("stuck"), within=20)
