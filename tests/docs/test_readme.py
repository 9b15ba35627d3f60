"""What the README says is what the program says."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import click

from chatops.cli import cli
from chatops.settings import Settings
from commands import registry
from tests.docs.pages import ROOT, blocks, prose, table

README = ROOT / "README.md"


def test_the_command_table_is_the_registry() -> None:
    shown = [action for action in registry.BUILT_IN if not action.hidden]  # whatever packages are installed beside it
    assert table(README, "line", "what it does", "risk") == [(one.usage, one.summary, one.risk) for one in shown]
    assert all(one.usage.startswith(one.name.replace(".", " ")) for one in shown)


def test_actions_for_the_platform_team_are_named_as_such() -> None:
    special = [f"`{action.name}`" for action in registry.load().values() if action.operators_only]
    assert f"{' and '.join(special)} are for the platform team" in prose(README)


def commands_of(group: click.Group, path: tuple[str, ...] = ("chatops",)) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands_of(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_the_command_line_table_is_what_help_says() -> None:
    said = {name: " ".join((command.help or "").split()).replace("``", "") for name, command in commands_of(cli)}
    assert {name: text for name, text in table(README, "command", "what it does")} == said  # noqa: C416


class Asked(dict[str, str]):
    """An environment that remembers which variables were looked for."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__(given)
        self.names: set[str] = set()

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return super().__getitem__(name)


def test_the_environment_variables_are_those_that_are_read() -> None:
    environ = Asked({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "2"})
    settings = Settings.from_environment(Path("."), environ)
    defaults = {name: default for name, _, default in table(README, "variable", "meaning", "default")}
    assert set(defaults) == environ.names
    assert defaults["CHATOPS_DATABASE"] == settings.database
    assert defaults["CHATOPS_LISTEN"] == settings.listen


def test_the_layers_are_those_that_import_linter_checks() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    shown = [block.text.splitlines() for block in blocks(README, "text")]
    assert layers in shown


def test_every_module_that_is_named_exists() -> None:
    named = set(re.findall(r"`((?:chatops|commands|approvals)(?:\.[a-z_]+)+)`", prose(README))) - {"chatops.db"}
    assert {"chatops.main", "chatops.points"} <= named
    assert [name for name in named if find_spec(name) is None] == []


def imported(source: Path) -> set[str]:
    """What a file imports from the project."""
    found = {node.module for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.ImportFrom)}
    return {module for module in found if module}


def test_the_life_of_a_request_is_four_files_that_exist_and_lead_through_the_register() -> None:
    chapter = README.read_text().partition("### The life of a request")[2].partition("###")[0]
    four = re.findall(r"^\d\. \[(\S+\.py)\]", chapter, re.MULTILINE)
    assert len(four) == 4
    assert all((ROOT / file).is_file() for file in four)
    for file in four[1:]:
        assert "chatops.requests.register" in imported(ROOT / file), f"{file} goes past the register"


def test_every_folder_of_tests_that_a_promise_names_has_that_file() -> None:
    promises = table(README, "promise", "tests")
    assert len(promises) == 9, "there are nine promises"
    for promise, tests in promises:
        files = re.findall(r"\[(tests/\w+)\]\((tests/\w+/test_\w+\.py)\)", tests)
        assert files, promise
        assert all(path.startswith(f"{folder}/") for folder, path in files)
