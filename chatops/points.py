"""Named points just before and after every commit and outside call, for tests that kill the process there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from chatops.kernel.pages import Page, PagePath

OnPoint = Callable[[str, str], object]
"""Hears (site, object), for example ("before commit", "_vote"); called on whichever thread gets there."""


def commit_points(on_point: OnPoint) -> Callable[[str], None]:
    """For the database: one point for each function of a batch."""

    def hit(point: str) -> None:
        when, _, names = point.partition(" ")
        for name in names.split(","):
            on_point(when.replace("_", " "), name)

    return hit


def cluster_points(on_point: OnPoint) -> Callable[[str, str], None]:
    """For the clusters: "before apply", "after apply", …"""

    def hit(verb: str, thing: str) -> None:
        when, _, what = verb.partition(" ")
        on_point(f"{when} cluster", f"{what} {thing}")

    return hit


def slack_points(on_point: OnPoint) -> Callable[[str, str, str], None]:
    """For the messenger: a method and the post it is for."""

    def hit(when: str, method: str, subject: str) -> None:
        on_point(f"{when} slack", f"{method} {subject}")

    return hit


@dataclass(frozen=True, slots=True)
class PointedPath:
    """A way to a person beside Slack (``mail``, ``webhook``), with a point before and after every try."""

    name: str
    path: PagePath
    on_point: OnPoint

    async def send(self, page: Page) -> None:
        """``kernel.pages.PagePath.send``."""
        self.on_point("before page", f"{self.name} {page.id}")
        try:
            await self.path.send(page)
        finally:
            self.on_point("after page", f"{self.name} {page.id}")
