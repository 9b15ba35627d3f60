"""The demo: the whole assistant at Acme, on a local Slack and a practice cluster; it leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from ipaddress import ip_address
from pathlib import Path

from ruamel.yaml import YAML

from chatops.kernel.errors import PlatformError
from chatops.main import Assistant, Settings
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.slack import LocalSlack, Suggestion, load_workspace

ACME = Path(__file__).parents[1] / "examples" / "acme"


async def run_demo(
    listen: str, pace: float, say: Callable[[str], object], stop_signal: Callable[[], asyncio.Event]
) -> None:
    """Runs until told to stop; ``say`` gets the line with the page's address when it can be used."""
    if not (ACME / "platform.yml").exists():
        raise PlatformError("The demo's files are not here.", hint="Run it from a checkout, with `make demo`.")
    stop = stop_signal()
    host, port = _address(listen)
    manifests = list(YAML(typ="safe").load_all(ACME / "cluster.yml"))
    with tempfile.TemporaryDirectory(prefix="chatops-demo-") as folder:
        slack = LocalSlack(load_workspace(ACME / "slack.yml"), host=host, port=port)
        cluster = PracticeCluster(manifests, pace=pace)
        async with _listening(slack, listen), cluster, Assistant(_settings(slack, cluster, folder)) as assistant:
            slack.offer(partial(_allowed, assistant))
            await slack.connected()
            say(f"\n  The platform assistant is ready:  {slack.url}/?as=dana&channel=platform-requests\n")
            say("  A local Slack, a practice cluster and SQLite, all on this machine. Ctrl-C ends it.\n")
            await stop.wait()


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    try:
        usable = ip_address(host).is_loopback and 0 <= int(port) < 65536
    except ValueError:
        usable = False
    if not usable:
        raise PlatformError(
            f"--listen is {listen!r}: it is an address of this machine alone and a port, like 127.0.0.1:7070."
        )
    return host, int(port)


@asynccontextmanager
async def _listening(slack: LocalSlack, listen: str) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(slack)
        except OSError as error:
            raise PlatformError(
                f"Can't listen on {listen}: {os.strerror(error.errno or 0)}.",
                hint="If another demo runs there, end it, or say where this one shall be: --listen 127.0.0.1:7071.",
            ) from error
        yield


def _settings(slack: LocalSlack, cluster: PracticeCluster, folder: str) -> Settings:
    app = slack.state.workspace.app
    return Settings(
        config=ACME,
        database=str(Path(folder) / "chatops.db"),
        bot_token=app.bot_token,
        app_token=app.app_token,
        slack_api_url=slack.api_url,
        kubeconfig=cluster.kubeconfig(),
        listen="127.0.0.1:0",
    )


async def _allowed(assistant: Assistant, user: str) -> Sequence[Suggestion]:
    """The actions that the page suggests to a person while they type: those they may ask for."""
    person = await assistant.directory.person(user)
    return [
        Suggestion(text=f"/platform {action.name}", title=action.usage, description=action.summary)
        for action in await assistant.road.questions.allowed(person)
    ]
