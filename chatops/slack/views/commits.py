"""What lies between two versions, as a card or a notice says it."""

from __future__ import annotations

from chatops.kernel.commits import Between
from chatops.slack.mrkdwn import link


def commits(between: Between) -> list[str]:
    """A line with the pages that tell; none when nothing is known."""
    pages = [link(between.link, between.label)] if between.link else []
    pages += [link(between.release, "release notes")] if between.release else []
    return [f"Commits: {' · '.join(pages)}"] if pages else []
