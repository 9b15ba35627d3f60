"""How what lies between two versions reads."""

from __future__ import annotations

import pytest

from chatops.kernel.commits import Between, Commit, Compared
from chatops.slack.views.commits import commits

LINK = {"label": "v1...v2", "link": "https://github.test/acme/cart/compare/v1...v2"}
SHOWN = "<https://github.test/acme/cart/compare/v1...v2|v1...v2>"


@pytest.mark.parametrize(
    ("between", "lines"),
    [
        (Between(), []),
        (Between(**LINK), [f"Commits: {SHOWN}"]),
        (Between(release="https://github.test/r"), ["Commits: <https://github.test/r|release notes>"]),
        (Between(**LINK, problem="GitHub is <away>"), [f"Commits: {SHOWN} · GitHub is &lt;away&gt;"]),
        (Between(**LINK, compared=Compared(0, 0)), [f"No commits between: {SHOWN}"]),
        (Between(**LINK, compared=Compared(0, 2)), [f"Takes back 2 commits: {SHOWN}"]),
        (
            Between(**LINK, compared=Compared(1, 0, (Commit("Fix", "dana"),))),
            [f"1 commit: {SHOWN}", "• Fix — dana"],
        ),
        (
            Between(**LINK, compared=Compared(3, 1, (Commit("Fix", "dana"),))),
            [f"3 commits, and takes back 1 commit: {SHOWN}", "• Fix — dana", "• … and 2 more"],
        ),
    ],
)
def test_what_lies_between_two_versions(between: Between, lines: list[str]) -> None:
    assert list(commits(between)) == lines


def test_a_commit_is_one_line_whatever_its_title_holds() -> None:
    title = "Fix *it*\nand <!here> " + "x" * 500
    _, line = commits(Between(**LINK, compared=Compared(1, 0, (Commit(title, "<@U0LEE>"),))))
    assert "\n" not in line
    assert "<!" not in line
    assert "<@" not in line
    assert len(line) < 200
