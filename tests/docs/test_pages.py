"""Links lead somewhere, commands exist, examples work: on every page."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from chatops.adapters.configuration.entries import KEYS, SELECTOR, entry_of, services_of
from chatops.adapters.configuration.folder import check, load
from chatops.adapters.sqlite import SQLite, reading
from chatops.cli import cli
from chatops.kernel.cel import of_alerts, vocabulary
from chatops.kernel.cel.types import FUNCTIONS, METHODS
from chatops.kernel.labels import CATALOG, EXPIRES_AT, REQUEST, REQUESTER, TEAM
from commands import registry
from tests.docs.pages import PAGES, ROOT, anchors, blocks, links, prose, table
from tests.store.trails import add, fill

ACME = ROOT / "examples" / "acme"
CONFIGURATION = ROOT / "docs" / "configuration.md"
OPERATIONS = ROOT / "docs" / "operations.md"
PEOPLE = {"dana@acme.test", "lee@acme.test", "olu@acme.test", "sam@acme.test", "gus@partner.test"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@each_page
def test_every_link_within_the_project_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.is_relative_to(ROOT), link
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_is_reached_from_the_readme() -> None:
    reached = {(PAGES[0].parent / link.partition("#")[0]).resolve() for link in links(PAGES[0])}
    assert reached >= set(PAGES[1:])


@each_page
def test_every_path_that_is_named_exists(page: Path) -> None:
    named = re.findall(
        r"(?<![\w/.])((?:chatops|commands|approvals|tests|docs|examples)/[\w/.-]*\w/?)", page.read_text()
    )
    labels = {REQUEST, REQUESTER, TEAM, EXPIRES_AT, CATALOG}  # they look like paths
    assert [path for path in named if path not in labels and not (ROOT / path).exists()] == []


@each_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:`|^|&& )(?:KUBECONFIG=… )?make ([a-z-]+)", page.read_text(), re.MULTILINE)
    assert set(named) <= there


def lines_of(page: Path) -> list[list[str]]:
    """The words of every line of the documentation that calls chatops."""
    code = (
        "\n".join(block.text for block in blocks(page, "sh")) + "\n" + "\n".join(re.findall(r"`([^`]+)`", prose(page)))
    )
    found = [line.removeprefix(".venv/bin/") for line in code.splitlines()]
    return [shlex.split(line, comments=True) for line in found if line.startswith("chatops ")]


@each_page
def test_every_command_line_is_one_that_chatops_takes(page: Path) -> None:
    for words in lines_of(page):
        command: click.Command = cli
        rest = words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            assert rest[0] in command.commands, words
            command, rest = command.commands[rest[0]], rest[1:]
        options = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
        assert [word for word in rest if word.startswith("-") and word not in options] == [], words


@each_page
def test_shell_examples_are_shell(page: Path) -> None:
    for block in blocks(page, "sh"):
        ran = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
        assert ran.returncode == 0, ran.stderr


@each_page
def test_python_examples_compile(page: Path) -> None:
    inline = [
        text for block in blocks(page, "sh") for text in re.findall(r"<<'END'\n(.*?)^END$", block.text, re.M | re.S)
    ]
    for text in (*inline, *(block.text for block in blocks(page, "python"))):
        compile(text, page.name, "exec")


@each_page
def test_nobody_but_acmes_people_is_named(page: Path) -> None:
    text = re.sub(r"smtps?://\S+", "", page.read_text())  # a mail server's login and the assistant's own address
    assert set(re.findall(r"[\w.]+@[\w.]+\.\w+", text)) <= PEOPLE


@each_page
def test_configuration_examples_can_be_loaded(page: Path, tmp_path: Path) -> None:
    acme = (ACME / "platform.yml").read_text()
    for block in blocks(page, "yaml"):
        text = block.text
        if not text.startswith("version:"):  # one section, in the place of Acme's where it has that
            key = text.partition(":")[0]
            text, replaced = re.subn(rf"^{key}:\n.*?(?=^# )", lambda _: block.text, acme, flags=re.M | re.S)  # noqa: B023
            assert replaced == 1 or f"\n{key}:" not in acme, key
            text += "" if replaced else block.text
        (tmp_path / "platform.yml").write_text(text)
        assert load(tmp_path, registry.load()).platform.policies


def test_the_pages_entry_of_the_catalog_is_a_service_with_every_key_that_is_named() -> None:
    [block] = blocks(CONFIGURATION, "yaml", "entry")
    live = yaml.safe_load(block.text)
    platform = load(ACME, registry.load()).platform
    found, problems = services_of([entry_of(live, "")], platform)
    assert (list(found), problems) == (["gift-cards"], [])
    assert live["metadata"]["namespace"] == platform.catalog_namespace
    key, _, value = SELECTOR.partition("=")
    assert live["metadata"]["labels"] == {key: value}
    named = {key for row in table(CONFIGURATION, "key of data", "value") for key in row[0].split(", ")}
    assert named == set(KEYS)


def test_a_broken_configuration_is_told_as_the_page_says(tmp_path: Path) -> None:
    [broken], [errors] = blocks(CONFIGURATION, "yaml", "broken"), blocks(CONFIGURATION, "text", "errors")
    (tmp_path / "platform.yml").write_text(broken.text)
    told = [str(problem).removeprefix(f"{tmp_path}/") for problem in check(tmp_path, registry.load())]
    assert told == errors.text.splitlines()


def test_the_readmes_error_line_is_what_check_says(tmp_path: Path) -> None:
    [shown] = [block.text.strip() for block in blocks(PAGES[0], "text") if block.text.startswith("platform.yml:")]
    text = (ACME / "platform.yml").read_text().replace("env.tier", "env.teir", 1)
    (tmp_path / "platform.yml").write_text(text)
    assert shown in [str(problem).removeprefix(f"{tmp_path}/") for problem in check(tmp_path, registry.load())]


def test_the_variables_of_expressions_are_those_that_are_checked() -> None:
    variables = vocabulary(registry.load()).variables
    said = {row[0]: row[1] for row in table(CONFIGURATION, "variable", "fields")}
    assert set(said) == set(variables)
    for name, kind in variables.items():
        if kind.fields:
            bare = re.sub(r"\(.*?\)(?= \||,|$| )", "", re.sub(r"\]\([^)]*\)", "]", said[name]))
            assert re.findall(r"[a-z_]+", bare) == list(kind.fields), name


def test_the_variables_of_rules_about_alerts_are_those_that_are_checked() -> None:
    variables = of_alerts().variables
    said = {row[0]: row[1] for row in table(CONFIGURATION, "about an alert", "fields")}
    assert set(said) == set(variables)
    assert re.findall(r"[a-z]+", re.sub(r"\([^)]*\)", "", said["alert"])) == list(variables["alert"].fields)


def test_the_functions_of_expressions_are_those_there_are() -> None:
    text = prose(CONFIGURATION).partition("there are the functions")[2].partition("An expression has")[0]
    assert set(re.findall(r"`(\w+)`", text)) == set(FUNCTIONS) | set(METHODS)


async def test_the_lines_for_a_backup_bring_back_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [script] = [block.text for block in blocks(OPERATIONS, "sh") if "chatops backup" in block.text]
    backup, restore = (shlex.split(line, comments=True)[1:] for line in script.splitlines())
    monkeypatch.chdir(tmp_path)
    async with SQLite("chatops.db") as database:
        await database.write(fill)
        assert CliRunner().invoke(cli, backup).exit_code == 0
        await database.write(add)
    restored = CliRunner().invoke(cli, restore)
    assert (restored.exit_code, restored.stderr) == (0, "")
    with reading("chatops.db") as tx:
        assert tx.all("SELECT count(*) AS rows FROM audit") == [{"rows": 8}]
