"""What another pipeline tells of a deploy, and of a version that exists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Stage = Literal["queued", "running", "succeeded", "failed", "rolled_back"]
STAGES: tuple[Stage, ...] = ("queued", "running", "succeeded", "failed", "rolled_back")
OVER: frozenset[str] = frozenset({"succeeded", "failed", "rolled_back"})


@dataclass(frozen=True, slots=True)
class Deployed:
    """One thing that was told: a deploy stands here now. ``at``: epoch seconds, 0 when the sender gives no time."""

    source: str  # what people read: GitHub
    key: str  # the sender's own id of the deploy; empty when it has none
    service: str
    environment: str
    version: str
    stage: Stage
    by: str = ""
    text: str = ""
    link: str = ""
    before: str = ""
    at: float = 0.0
    login: str = ""  # on GitHub, of who set it off


@dataclass(frozen=True, slots=True)
class Released:
    """A version of a service was published, with a page about it; no ``link``: it was taken back. ``at`` as above."""

    service: str
    version: str
    link: str
    at: float = 0.0
