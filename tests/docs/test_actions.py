"""What the pages say about declared actions is what is read."""

from __future__ import annotations

import re
from pathlib import Path

from chatops.adapters.configuration import check
from chatops.adapters.configuration.actions import KEYS
from chatops.adapters.configuration.inputs import KEYS as INPUT_KEYS
from chatops.adapters.configuration.inputs import TYPE_KEYS, TYPES
from chatops.adapters.configuration.lookups import RULE_KEYS
from chatops.adapters.configuration.steps import JOB_KEYS, REMOVE_KEYS, STEP_KEYS, WAIT_KEYS
from chatops.kernel.cel import Speech
from commands import registry
from commands.declared import action_of
from tests.config.acme import acme
from tests.docs.pages import ROOT, blocks, prose, table

README, ACTIONS = ROOT / "README.md", ROOT / "docs" / "actions.md"
EXAMPLE = ROOT / "tests" / "config" / "actions" / "database.create.yml"


def test_the_reference_has_every_key_of_an_action_and_no_other() -> None:
    inputs = {*INPUT_KEYS, *(key for keys in TYPE_KEYS.values() for key in keys)}
    steps = {*STEP_KEYS} - {"wait", "job"} | {f"wait.{key}" for key in WAIT_KEYS} | {f"job.{key}" for key in JOB_KEYS}
    expected = {*KEYS} - {"inputs", "rules", "steps"} | {"inputs.NAME"}
    expected |= {f"inputs.NAME.{key}" for key in inputs} | {f"rules[].{key}" for key in RULE_KEYS}
    expected |= {f"steps[].{key}" for key in (*steps, *(f"remove.{key}" for key in REMOVE_KEYS))}
    told = [key for row in table(ACTIONS, "key of an action", "value", "when left out") for key in row[0].split(", ")]
    assert sorted(told) == sorted(expected)


def test_the_reference_has_every_type_with_its_keys() -> None:
    told = {
        kind: keys for kind, _, _, keys in table(ACTIONS, "type", "what people give", "what CEL sees", "its own keys")
    }
    assert list(told) == list(TYPES)
    assert {kind: keys for kind, keys in told.items() if keys} == {
        kind: ", ".join(keys) for kind, keys in TYPE_KEYS.items()
    }


def test_the_reference_has_every_variable_of_a_declared_action() -> None:
    rows = table(ACTIONS, "in a declared action", "what it is", "where")
    told = {name for row in rows for name in row[0].split(", ")}
    variables = Speech().of(()).variables
    assert told == {*variables, "steps", "object"}
    [catalog] = [row[1] for row in rows if row[0] == "catalog"]
    for name, kind in variables["catalog"].fields.items():
        assert name in catalog
        assert all(field in catalog for field in kind.of[0].fields)


def test_the_readmes_action_is_as_long_as_it_says_and_is_one(tmp_path: Path) -> None:
    [example] = blocks(README, "yaml", "action")
    [said] = re.findall(r"^## An action of your own: (\d+) lines$", prose(README), re.MULTILINE)
    assert example.text.count("\n") == int(said)
    assert example.text == EXAMPLE.read_text()
    (acme(tmp_path) / "actions").mkdir()
    (tmp_path / "actions" / "one.yml").write_text(example.text)
    assert check(tmp_path, registry.load(), action_of) == []


def test_the_pages_allow_list_is_read(tmp_path: Path) -> None:
    [allowed] = blocks(ACTIONS, "yaml", "allowed")
    acme(tmp_path, lambda text: text + allowed.text)
    assert check(tmp_path, registry.load()) == []
