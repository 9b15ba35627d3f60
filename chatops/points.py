"""Named points just before and after every commit and outside call, for tests that kill the process there.

Before a call that has an effect it is checked last whether this replica still may make it: a process that was paused at
the point finds out that others have taken over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatops.kernel.pages import Page, PagePath

OnPoint = Callable[[str, str], object]
"""Hears (site, object), for example ("before commit", "_vote"); called on whichever thread gets there."""
Check = Callable[[], None]
"""Raises ``Unavailable`` when others may have taken over."""
WRITES = ("before apply", "before restore", "before delete")


def commit_points(on_point: OnPoint) -> Callable[[str], None]:
    """For the database: one point for each function of a batch."""

    def hit(point: str) -> None:
        when, _, names = point.partition(" ")
        for name in names.split(","):
            on_point(when.replace("_", " "), name)

    return hit


def cluster_points(on_point: OnPoint | None, check: Check) -> Callable[[str, str], None]:
    """For the clusters: "before apply", "after apply", …"""

    def hit(verb: str, thing: str) -> None:
        when, _, what = verb.partition(" ")
        if on_point is not None:
            on_point(f"{when} cluster", f"{what} {thing}")
        if verb in WRITES:
            check()

    return hit


def slack_points(on_point: OnPoint | None, check: Check) -> Callable[[str, str, str], None]:
    """For the messenger: a method and the post it is for."""

    def hit(when: str, method: str, subject: str) -> None:
        if on_point is not None:
            on_point(f"{when} slack", f"{method} {subject}")
        if when == "before":
            check()

    return hit


@dataclass(frozen=True, slots=True)
class PointedPath:
    """A way to a person beside Slack (``mail``, ``webhook``), with a point before and after every try."""

    name: str
    path: PagePath
    on_point: OnPoint | None
    check: Check

    async def send(self, page: Page) -> None:
        """``kernel.pages.PagePath.send``."""
        on_point = self.on_point or (lambda site, thing: None)
        on_point("before page", f"{self.name} {page.id}")
        self.check()
        try:
            await self.path.send(page)
        finally:
            on_point("after page", f"{self.name} {page.id}")
