"""What is allowed in a configuration and probably not meant."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatops.adapters.configuration.folder import load
from chatops.adapters.configuration.warnings import warnings
from chatops.cli import cli
from commands import registry
from commands.declared import action_of
from tests.support.house import ACME

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC).timestamp()  # a Monday
WORKING_HOURS = """rotas:
  desk:
    timezone: Europe/Berlin
    hours: "mon-fri 09:00-17:00"
    people: [olu@acme.test]
"""


def office(tmp_path: Path) -> Path:
    """Acme with one more rota, which has nobody at night."""
    text = (ACME / "platform.yml").read_text()
    assert text.count("\nrotas:\n") == 1
    (tmp_path / "platform.yml").write_text(text.replace("\nrotas:\n", f"\n{WORKING_HOURS}"))
    return tmp_path


def test_the_hours_in_which_nobody_is_on_call_are_named_with_the_line_of_the_rota(tmp_path: Path) -> None:
    folder = office(tmp_path)
    [_, one] = warnings(folder, load(folder, registry.load()).platform, NOW)
    text = (folder / "platform.yml").read_text().splitlines()
    assert text[one.line - 1] == "  desk:"
    assert one.message == (
        "warning: rota desk has nobody on call Mon 23 Nov 17:00 to Tue 24 Nov 09:00 CET; "
        "Tue 24 Nov 17:00 to Wed 25 Nov 09:00 CET; and 18 times more in four weeks"
    )


def test_check_prints_it_and_is_content_all_the_same(tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["check", "--config", str(office(tmp_path))])
    assert ran.exit_code == 0
    assert "warning: rota desk has nobody on call" in ran.output
    assert "nothing wrong" in ran.output


def test_acme_has_somebody_on_call_at_any_time_and_few_who_decide_about_danger() -> None:
    [one] = warnings(ACME, load(ACME, registry.load()).platform, NOW)
    assert str(one) == (
        f"{ACME}/platform.yml:{one.line}: warning: policy 'deleting data takes two teams' needs lee@acme.test and "
        "sam@acme.test, and nobody approves their own request: name others as well, or what they ask for stays "
        "undecided"
    )
    assert "deleting data takes two teams" in (ACME / "platform.yml").read_text().splitlines()[one.line - 1]


@pytest.mark.parametrize(
    ("when", "sources", "approvals", "needed"),
    [
        ("true", '["user:sam@acme.test"]', 1, ["sam@acme.test"]),
        ("true", '["user:sam@acme.test", "group:sre"]', 1, []),  # olu can do it where sam asks
        ("true", '["user:sam@acme.test", "group:sre"]', 2, ["sam@acme.test", "olu@acme.test"]),
        ('requester.email != "sam@acme.test"', '["user:sam@acme.test"]', 1, []),  # what sam asks for is not asked about
        ('service.team == "payments"', "[team-leads]", 1, []),  # it has two
        ('service.team == "shop"', "[team-leads]", 1, ["lee@acme.test"]),
        ("true", '["group:leads"]', 1, []),  # whoever else is in its usergroup
    ],
)
def test_who_nobody_could_approve_for_is_named(
    when: str, sources: str, approvals: int, needed: list[str], tmp_path: Path
) -> None:
    text = (
        (ACME / "platform.yml")
        .read_text()
        .replace(
            "\npolicies:\n",
            f"""
policies:
  - name: mine
    when: '{when}'
    require: {{approvals: {approvals}, from: {sources}}}
""",
        )
    )
    (tmp_path / "platform.yml").write_text(text)
    found = warnings(tmp_path, load(tmp_path, registry.load()).platform, NOW)
    said = [one.message for one in found if "policy 'mine'" in one.message]
    assert said == ([] if not needed else [
        f"warning: policy 'mine' needs {' and '.join(needed)}, and nobody approves their own request: "
        "name others as well, or what they ask for stays undecided"
    ])  # fmt: skip


def test_a_rule_that_asks_the_leads_of_no_team_is_named(tmp_path: Path) -> None:
    old, new = '["group:leads", "team-leads"], expires', "[team-leads], expires"
    text = (ACME / "platform.yml").read_text().replace(old, new)
    (tmp_path / "platform.yml").write_text(text)
    shutil.copytree(ACME / "actions", tmp_path / "actions")
    loaded = load(tmp_path, registry.load(), action_of)
    [one] = [one for one in warnings(tmp_path, loaded.platform, NOW, loaded.actions.values()) if "alone" in one.message]
    assert one.message.startswith(
        "warning: policy 'production needs a lead' asks team-leads alone, and what access grant, cron resume and"
    )
    assert one.message.endswith(
        "more does may concern no team's service: then nobody can approve it, name a group as well"
    )
    assert "production needs a lead" in text.splitlines()[one.line - 1]
    acme = load(ACME, registry.load(), action_of)
    assert not [one for one in warnings(ACME, acme.platform, NOW, acme.actions.values()) if "alone" in one.message]


def test_who_can_only_be_reached_in_slack_is_named_with_the_line(tmp_path: Path) -> None:
    text = (ACME / "platform.yml").read_text()
    for old, new in (
        ("people: [olu@acme.test]", "people: [olu@acme.test, U0SAM]"),
        ("leads: {members: [lee@acme.test], usergroup", "leads: {usergroup"),
        ('{page: ["rota:shop-rota"], after: 0s}', '{page: ["rota:shop-rota", "user:U0DANA"], after: 0s}'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (tmp_path / "platform.yml").write_text(text)
    found = warnings(tmp_path, load(tmp_path, registry.load()).platform, NOW)
    found = [one for one in found if "policy" not in one.message]
    lines = text.splitlines()
    assert [(lines[one.line - 1].strip(), one.message.partition(": ")[2].partition(":")[0]) for one in found] == [
        ("shop-rota:", "rota shop-rota pages U0SAM, who can only be reached in Slack"),
        ("default:", "escalation default pages U0DANA, who can only be reached in Slack"),
        ("default:", "escalation default pages the group leads, which only Slack knows"),
    ]
