"""The digest of a quiet channel: what closing and rendering it take at 1,000 and 10,000 notices."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from chatops.adapters.sqlite import SQLite
from chatops.kernel.catalog import Environment, Platform, Route, Service, Team
from chatops.kernel.ports import Lane, Post, Tx
from chatops.notices import telling
from chatops.notices.telling import News, Teller
from chatops.slack.views.gathered import gathered

NUMBERS = (1_000, 10_000)
SERVICES = 2_000
BEGUN = 1_795_000_000.0
ROW = f"digest of {NUMBERS[-1]:,} notices, closed and rendered"


@dataclass
class _Clock:
    at: float = BEGUN

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        raise RuntimeError(f"nobody sleeps here ({seconds} s)")


@dataclass
class _Outbox:
    shown: list[Post] = field(default_factory=list)

    def show(self, tx: Tx, post: Post) -> None:
        self.shown.append(post)


@dataclass
class _Configured:
    platform: Platform


async def seconds(folder: Path) -> tuple[float, float]:
    """What a reader waits for, closing and rendering, at the first and at the last number."""
    few, many = [await measured(folder, number) for number in (NUMBERS[0], NUMBERS[-1])]
    return few, many


async def measured(folder: Path, number: int) -> float:
    """Seconds from the hour of the digest until its message is made, with so many notices in it."""
    names = [f"service-{one:04}" for one in range(SERVICES)]
    platform = Platform(
        environments={"production": Environment(name="production", tier="production", namespace="shop")},
        teams={"shop": Team(name="shop")}, services={name: Service(name=name, team="shop") for name in names},
        routes=(Route(channels=("deploys",), quiet="17:00"),),
    )  # fmt: skip
    clock, outbox = _Clock(), _Outbox()
    async with SQLite(folder / f"digest-{number}.db") as database:
        teller = Teller(database, outbox, _Configured(platform), clock)

        def gather(tx: Tx, subject: int) -> None:
            name = names[subject % SERVICES]
            post = Post(f"outside/{subject}", Lane.NOTICE, "outside", str(subject))
            line = f"1.0.{subject} → 1.0.{subject + 1} by Dana"
            teller.tell(tx, News("outside", subject, name, "production", post, line, "well"))

        def gather_all(tx: Tx) -> None:
            for subject in range(1, number + 1):
                gather(tx, subject)

        await database.write(gather_all)
        at_hour = time.perf_counter()
        clock.at += 24 * 3600
        await teller.look()
        [post] = outbox.shown
        digest = await database.read(telling.digest, int(post.subject))
        if digest is None or digest.number != number:
            raise SystemExit(f"{number} notices were gathered, the digest has {digest}")
        gathered(digest, {}, clock.now())
        return time.perf_counter() - at_hour
