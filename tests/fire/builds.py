"""Builds of the assistant, each a folder with its packages, run as processes beside each other on one database."""

from __future__ import annotations

import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from chatops.sandbox.slack.transport import Connection, SocketTransport
from tests.docs.pages import ROOT
from tests.support.replicas import SOCKETS

PACKAGES = ("chatops", "commands", "approvals")
KNOWS_REPLICAS = "chatops/kernel/replicas.py"  # no version without it lets another run beside it
_RUN = "import sys, chatops; print(chatops.__file__, file=sys.stderr); from chatops.cli import cli; cli()"
_LATER = '''"""What a version to come adds: a column, and a table."""


def m999_later(db):
    """Stands for what is added by the next version, which this one has never heard of."""
    db.execute("ALTER TABLE requests ADD COLUMN later TEXT NOT NULL DEFAULT ''")
    db.execute("CREATE TABLE later (id INTEGER PRIMARY KEY, what TEXT NOT NULL) STRICT")


STEPS = (m999_later,)
'''


def earlier(folder: Path) -> Path | None:
    """The newest earlier commit whose packages differ and that has replicas, as a folder; None where there is none."""
    for commit in _git("rev-list", "--first-parent", "HEAD", "--", *PACKAGES).split():
        if not _git("ls-tree", "--name-only", commit, KNOWS_REPLICAS):
            return None
        if _git("diff", "--name-only", commit, "--", *PACKAGES):
            archive = ["git", "-C", ROOT, "archive", "--format=zip", commit, *PACKAGES]
            packed = subprocess.run(archive, capture_output=True, check=True)
            with zipfile.ZipFile(io.BytesIO(packed.stdout)) as files:
                files.extractall(folder)
            return folder
    return None


def _git(*words: str) -> str:
    """What git says; nothing where there is no git or no history."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def coming(folder: Path) -> Path:
    """The present build with one more step of the migrations, as the next version may have."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    steps = folder / "chatops" / "adapters" / "migrations"
    (steps / "later.py").write_text(_LATER)
    file = steps / "__init__.py"
    before = "STEPS = tuple("
    assert file.read_text().count(before) == 1
    after = f"from chatops.adapters.migrations import later\n\nMODULES = (*MODULES, later)\n{before}"
    file.write_text(file.read_text().replace(before, after))
    return folder


@dataclass(eq=False)
class Replica:
    """A process of a build, and what Slack is connected to it by."""

    build: Path
    process: asyncio.subprocess.Process
    address: str
    log: Path
    connections: frozenset[Connection] = frozenset()

    @property
    def said(self) -> str:
        return self.log.read_text()

    async def leave(self) -> None:
        """Ends it as Kubernetes would."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await self.process.wait() == 0, self.said


@dataclass
class Fleet:
    """The replicas that run, in one folder with their logs."""

    environ: Mapping[str, str]
    config: Path
    slack: SocketTransport
    folder: Path
    all: list[Replica] = field(default_factory=list)

    async def launch(self, build: Path) -> Replica:
        """Starts one, whatever becomes of it."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = self.folder / f"replica-{len(self.all)}.log"
        with log.open("w") as file:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", _RUN, "run", "--config", str(self.config), stderr=file, cwd=self.folder,
                env={**self.environ, "PYTHONPATH": str(build), "CHATOPS_LISTEN": f"127.0.0.1:{port}"},
            )  # fmt: skip
        self.all.append(Replica(build, process, f"http://127.0.0.1:{port}", log))
        return self.all[-1]

    async def start(self, build: Path) -> Replica:
        """Starts one and waits until it is ready and connected."""
        before = frozenset(self.slack.connections)
        one = await self.launch(build)
        async with asyncio.timeout(60), aiohttp.ClientSession() as session:
            while not await _ready(session, one):
                assert one.process.returncode is None, one.said
                await asyncio.sleep(0.1)
            while len(frozenset(self.slack.connections) - before) < SOCKETS:
                await asyncio.sleep(0.05)
        assert one.said.startswith(str(build)), "another build ran than the one that was meant"
        one.connections = frozenset(self.slack.connections) - before
        return one


async def _ready(session: aiohttp.ClientSession, one: Replica) -> bool:
    try:
        async with session.get(f"{one.address}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def fleet(environ: Mapping[str, str], config: Path, slack: SocketTransport, folder: Path) -> AsyncIterator[Fleet]:
    """Replicas, which are ended in the end."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    made = Fleet({**kept, **environ}, config, slack, folder)
    try:
        yield made
    finally:
        for one in made.all:
            if one.process.returncode is None:
                one.process.kill()
                await one.process.wait()
