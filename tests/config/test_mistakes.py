"""Every mistake in a configuration is told at its line, with what would be right."""

import shutil
from pathlib import Path

import pytest

from chatops.adapters.configuration import ConfigurationError, check, load
from commands import registry
from tests.config.acme import ACTIONS, EXAMPLE, acme, line_of
from tests.support import yml

MISTAKES = yml.load((Path(__file__).parent / "mistakes.yml").read_text())


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake["says"][:60] for mistake in MISTAKES])
def test_a_mistake_is_told_at_its_line(mistake, tmp_path):
    acme(tmp_path, (mistake["old"], mistake["new"]))
    found = check(tmp_path, ACTIONS)
    matching = [problem for problem in found if mistake["says"] in problem.message]
    assert matching, [str(problem) for problem in found]
    assert str(matching[0]).startswith(f"{tmp_path}/platform.yml:{matching[0].line}: ")
    lines = (tmp_path / "platform.yml").read_text().splitlines(keepends=True)
    assert mistake["at"] in lines[matching[0].line - 1]
    assert len({problem.line for problem in found}) == 1, "one mistake is told in one place"


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("secret set", "secret.set, which needs a person who gives a value"),
        ("pause", "pause, which is for people alone"),
    ],
)
def test_an_automation_asks_for_nothing_that_only_people_can(action, why, tmp_path):
    acme(tmp_path, ("    run: restart ", f"    run: {action} "))
    assert any(f"automation restart-what-leaks runs {why}" in one.message for one in check(tmp_path, registry.load()))


def test_the_example_has_no_mistake():
    assert check(EXAMPLE, ACTIONS) == []


def test_several_mistakes_are_told_at_once_in_their_order(tmp_path):
    acme(
        tmp_path, ("after: 10m", "after: soon"), ("team: payments\n", "team: pay!\n"), ("version: 1\n", "version: 7\n")
    )
    found = check(tmp_path, ACTIONS)
    assert [problem.line for problem in found] == [line_of(tmp_path, text) for text in ("version: 7", "pay!", "soon")]
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, ACTIONS)
    assert str(refused.value).count("\n") == 2


def test_a_circle_of_environments_is_told_for_each_of_them(tmp_path):
    acme(
        tmp_path,
        ("    namespace: shop-staging\n", "    namespace: shop-staging\n    promote_from: qa\n"),
        ("  production:\n", "  qa: {tier: qa, namespace: qa, promote_from: production}\n  production:\n"),
    )
    assert [problem.message.split(" (")[1] for problem in check(tmp_path, ACTIONS)] == [
        "staging ← qa ← production ← staging): break it",
        "qa ← production ← staging ← qa): break it",
        "production ← staging ← qa ← production): break it",
    ]


def test_a_team_whose_leads_are_too_few_is_named(tmp_path):
    acme(
        tmp_path,
        ('approvals: 1, from: ["group:leads", "team-leads"]', "approvals: 2, from: [team-leads]"),
    )
    (problem,) = check(tmp_path, ACTIONS)
    assert "asks for 2 approvals from team-leads of team shop, but only lee@acme.test can give them" in problem.message


def test_a_rule_about_one_team_only_needs_that_teams_leads(tmp_path):
    acme(
        tmp_path,
        ('approvals: 1, from: ["group:leads", "team-leads"]', "approvals: 2, from: [team-leads]"),
        ('env.tier == "production" && action.risk != "read"\n', 'service.team == "payments"\n'),
    )
    assert check(tmp_path, ACTIONS) == []  # payments has two leads


def test_a_slack_usergroup_may_hold_enough_people(tmp_path):
    acme(tmp_path, ('approvals: 1, from: ["group:leads", "team-leads"]', 'approvals: 5, from: ["group:leads"]'))
    assert check(tmp_path, ACTIONS) == []


def test_one_person_counts_once_within_a_rule(tmp_path):
    acme(tmp_path, ("security: {members: [sam@acme.test]}", "security: {members: [lee@acme.test]}"))
    (problem,) = check(tmp_path, ACTIONS)
    assert "and is needed for this rule's other approvals: one person counts once" in problem.message


# the folder itself


def test_a_folder_that_is_not_there(tmp_path):
    (problem,) = check(tmp_path / "nowhere", ACTIONS)
    assert str(problem) == f"{tmp_path}/nowhere:1: there is no such folder: give one that holds platform.yml"


def test_a_folder_that_is_a_file(tmp_path):
    (problem,) = check(acme(tmp_path) / "platform.yml", ACTIONS)
    assert problem.message == "this is a file: give the folder that holds platform.yml"


def test_an_empty_folder(tmp_path):
    (problem,) = check(tmp_path, ACTIONS)
    assert "the folder is empty: copy examples/acme/platform.yml" in problem.message


def test_a_folder_with_other_files_only(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    (problem,) = check(tmp_path, ACTIONS)
    assert "there is no such file: copy examples/acme/platform.yml" in problem.message


def test_a_file_with_the_other_ending(tmp_path):
    (acme(tmp_path) / "platform.yml").rename(tmp_path / "platform.yaml")
    (problem,) = check(tmp_path, ACTIONS)
    assert problem.message == "there is no such file: rename platform.yaml to platform.yml"


def test_a_platform_yml_that_is_a_folder(tmp_path):
    (tmp_path / "platform.yml").mkdir()
    (problem,) = check(tmp_path, ACTIONS)
    assert problem.message == "this is a folder: it has to be a file"


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    folder = acme(tmp_path)

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.open", refuse)  # root, which runs these tests, may read everything
    (problem,) = check(folder, ACTIONS)
    assert str(problem) == f"{folder}/platform.yml:1: this cannot be read: Permission denied"


def test_an_empty_file(tmp_path):
    (tmp_path / "platform.yml").write_text("# nothing yet\n")
    (problem,) = check(tmp_path, ACTIONS)
    assert problem.message == "the file is empty: start from examples/acme/platform.yml"


def test_a_file_that_is_a_list(tmp_path):
    (tmp_path / "platform.yml").write_text("- a\n- b\n")
    (problem,) = check(tmp_path, ACTIONS)
    assert problem.message == "the file is a list: it needs keys with values, like environments"


def test_what_has_to_be_there_is_named(tmp_path):
    (tmp_path / "platform.yml").write_text("version: 1\n")
    messages = [problem.message for problem in check(tmp_path, ACTIONS)]
    missing = ("environments", "services", "teams")
    assert messages == [f"{key} is missing: there has to be at least one" for key in missing]
    (tmp_path / "platform.yml").write_text("version: 1\nteams: {}\nservices: {}\nenvironments: {}\n")
    assert [problem.message for problem in check(tmp_path, ACTIONS)] == list(reversed(messages))


@pytest.mark.parametrize("spoiled", [b"\tservices:\n", b"\xff\xfe", b"version: 1\nversion: 1\n"])
def test_a_platform_that_is_no_yaml_is_the_only_mistake_that_is_told(tmp_path, spoiled):
    shutil.copytree(EXAMPLE, tmp_path / "acme")
    (tmp_path / "acme/platform.yml").write_bytes(spoiled)
    (found,) = check(tmp_path / "acme", registry.load())
    assert str(found).startswith(f"{tmp_path}/acme/platform.yml:")
