"""The demo: the whole assistant at Acme, on a local Slack and a practice cluster; it leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

from chatops.http.hooks import Tokens
from chatops.kernel.catalog import Endpoint
from chatops.kernel.errors import PlatformError
from chatops.kernel.families import spoken
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.prometheus import PracticePrometheus
from chatops.sandbox.slack import LocalSlack, Suggestion, load_workspace
from chatops.settings import Settings

TOKEN = "demo"  # noqa: S105 - opens the hooks of the demo alone, which listens on this machine alone
ALERT = json.dumps(
    {
        "name": "ErrorRate", "service": "checkout", "environment": "production", "severity": "critical",
        "summary": "5xx", "value": "12.4 % (limit 1 %)",
    }
)  # fmt: skip
ACME = Path(__file__).parents[1] / "examples" / "acme"


async def run_demo(
    listen: str, pace: float, say: Callable[[str], object], stop_signal: Callable[[], asyncio.Event]
) -> None:
    """Runs until told to stop; ``say`` gets the line with the page's address when it can be used."""
    stop = stop_signal()
    async with sandbox(listen, pace, ACME) as (slack, cluster, assistant):
        slack.offer(partial(offered, assistant))
        slack.lever("Break something", partial(broken, cluster))
        hook = f"{assistant.http.address}/hooks/alert"
        say(f"\n  The platform assistant is ready:  {page_of(slack)}\n")
        say("  A local Slack, a practice cluster and SQLite, all on this machine. Ctrl-C ends it.\n")
        say(f"  An alert to try (#incidents):  curl -H 'Authorization: Bearer {TOKEN}' -d '{ALERT}' {hook}\n")
        await stop.wait()


@asynccontextmanager
async def sandbox(
    listen: str, pace: float, config: Path, *, tour: bool = True
) -> AsyncIterator[tuple[LocalSlack, PracticeCluster, Assistant]]:
    """Acme's Slack and cluster with an assistant under the configuration ``config``, connected.

    ``tour``: whether the page shows the tour, which needs Acme's own actions.

    Raises ``PlatformError`` when Acme's files are not here or ``listen`` cannot be used.
    """
    if not (ACME / "platform.yml").exists():
        raise PlatformError("The demo's files are not here.", hint="Run it from a checkout, with `make demo`.")
    host, port = _address(listen)
    manifests = (ACME / "cluster.yml").read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="chatops-demo-") as folder:
        workspace = load_workspace(ACME / "slack.yml")
        slack = LocalSlack(workspace if tour else replace(workspace, tour=()), host=host, port=port)
        cluster = PracticeCluster(_documents(manifests), pace=pace)
        async with (
            _listening(slack, listen),
            cluster,
            PracticePrometheus(cluster) as prometheus,
            Assistant(_settings(slack, cluster, prometheus, config, folder)) as assistant,
        ):
            await slack.connected()
            yield slack, cluster, assistant


def page_of(slack: LocalSlack) -> str:
    """The address of the page, as Dana in the channel where requests are decided on."""
    return f"{slack.url}/?as=dana&channel=platform-requests"


def _documents(manifests: str) -> list[Any]:
    """Read by libyaml where PyYAML has it: the page is there a tenth of a second sooner."""
    return list(yaml.load_all(manifests, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


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


def _settings(
    slack: LocalSlack, cluster: PracticeCluster, prometheus: PracticePrometheus, config: Path, folder: str
) -> Settings:
    app = slack.state.workspace.app
    return Settings(
        config=config,
        database=str(Path(folder) / "chatops.db"),
        bot_token=app.bot_token,
        app_token=app.app_token,
        slack_api_url=slack.api_url,
        kubeconfig=cluster.kubeconfig(),
        listen="127.0.0.1:0",
        hook_tokens=Tokens((TOKEN,)),
        prometheus=Endpoint(name="prometheus", url=prometheus.url),
    )


async def broken(cluster: PracticeCluster) -> str:
    """Somebody changes a service past the assistant, so that all of its pods crash; says what will be seen."""
    image = {"name": "app", "image": "registry.acme.test/shop/search:0.9.8-broken"}  # by its tag it ends at once
    change = {"strategy": {"type": "Recreate", "rollingUpdate": None}, "template": {"spec": {"containers": [image]}}}
    cluster.edit("apps/v1", "Deployment", "shop", "search", {"spec": change})
    return "search in production begins to crash. Within a minute #incidents tells of it, and pages who is on call."


async def offered(assistant: Assistant, user: str) -> Sequence[Suggestion]:
    """The actions that the page suggests to a person while they type: those they may ask for."""
    person = await assistant.directory.person(user)
    return [
        Suggestion(text=f"/platform {spoken(action.name)}", title=action.usage, description=action.summary)
        for action in await assistant.road.questions.allowed(person)
    ]
