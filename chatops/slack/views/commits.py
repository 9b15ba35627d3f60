"""What lies between two versions, as a card or a notice says it."""

from __future__ import annotations

from collections.abc import Iterator

from chatops.kernel.commits import Between, Compared
from chatops.slack.mrkdwn import escape, link


def commits(between: Between) -> Iterator[str]:
    """A line with the pages that tell, then the newest commits, a line each; none when nothing is known."""
    found = between.compared
    pages = [link(between.link, between.label)] if between.link else []
    pages += [link(between.release, "release notes")] if between.release else []
    pages += [escape(between.problem, 200)] if between.problem else []
    if pages:
        yield f"{_counted(found) if found is not None else 'Commits'}: {' · '.join(pages)}"
    if found is not None:
        yield from (f"• {escape(one.title, 120)} — {escape(one.author, 60)}" for one in found.commits)
        if 0 < len(found.commits) < found.ahead:
            yield f"• … and {found.ahead - len(found.commits)} more"


def _counted(found: Compared) -> str:
    back = f"takes back {found.behind} {'commit' if found.behind == 1 else 'commits'}" if found.behind else ""
    if not found.ahead:
        return back.capitalize() or "No commits between"
    return f"{found.ahead} {'commit' if found.ahead == 1 else 'commits'}{f', and {back}' if back else ''}"
