"""The assistant as it is run, with 5,000 services and thousands of requests that wait for two approvals.

A click on Approve is then one vote: judged, committed with its audit row and its messages, and nothing rolls out.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from approvals import store
from approvals.request import Approver, Request, State
from bench.harness import SECRET, Target, answers, free_port, load, over_http, running
from bench.payloads import click, suggestion
from bench.slack_side import over_socket, slack_side
from chatops.adapters import databases
from chatops.kernel.plan import Ask, Change, Decision, Plan, digest
from chatops.kernel.ports import Tx

ACME = Path(__file__).parents[1] / "examples" / "acme"
TEAM, LEE, DANA = "T0ACME", "U0LEE", "U0DANA"
CLI = [sys.executable, "-c", "from chatops.cli import cli; cli()"]
WORDS = ("cart", "checkout", "search", "invoice", "ledger", "stock", "media", "review", "parcel", "price")
SERVICES = [f"{one}-{other}-{number}" for number in range(50) for one in WORDS for other in WORDS]
PLACES = [(service, environment) for environment in ("production", "staging") for service in SERVICES]

_CONFIGURATION = """version: 1
channels: {{requests: platform-requests, deploys: deploys, incidents: incidents}}
environments:
  staging: {{tier: staging, namespace: shop-staging}}
  production: {{tier: production, namespace: shop, promote_from: staging}}
groups:
  leads: {{members: [lee@acme.test, sam@acme.test, olu@acme.test]}}
teams:
  shop: {{members: [dana@acme.test], leads: [lee@acme.test]}}
services:
{services}
policies:
  - name: every change needs two leads
    when: action.risk != "read"
    require: {{approvals: 2, from: ["group:leads"], expires: 24h}}
"""


def configuration(services: Iterable[str]) -> str:
    """A platform.yml with these services."""
    lines = "\n".join(f"  {name}: {{team: shop, image: registry.acme.test/shop/{name}}}" for name in services)
    return _CONFIGURATION.format(services=lines)


@dataclass(frozen=True, slots=True)
class Assistant:
    """A running one: its process id, and the two kinds of payloads as targets."""

    pid: int
    ready: float  # seconds from the start of the process to /readyz
    clicks: Target
    keys: Target
    database: str
    port: int  # of its HTTP side
    slack: int = 0  # in Socket Mode: the port of ``bench.slack_side``

    async def votes(self) -> int:
        """How many votes are on disk, once all that was acknowledged is worked off."""
        await worked_off(self.database)
        with databases.reading(self.database) as tx:
            row = tx.one("SELECT COUNT(*) AS n FROM votes")
            return int(row["n"]) if row else 0


def waiting_request(number: int, now: float) -> Request:
    """A deploy that waits for two leads."""
    service, environment = PLACES[number]
    inputs = {"service": service, "version": "1.4.2", "environment": environment}
    image = f"registry.acme.test/shop/{service}"
    change = Change(
        object=f"Deployment/{service}", field="spec.template.spec.containers[app].image",
        before=f"{image}:1.4.1", after=f"{image}:1.4.2",
    )  # fmt: skip
    plan = Plan(summary=f"{service} 1.4.1 → 1.4.2", changes=(change,), before="1.4.1", after="1.4.2")
    ask = Ask(rule="every change needs two leads", approvals=2, sources=("group:leads",), expires=86400.0)
    decision = Decision(outcome="ask", asks=(ask,), rules=(ask.rule,), why=("every change needs two leads",))
    people = (("U0LEE", "Lee", "lee@acme.test"), ("U0SAM", "Sam", "sam@acme.test"), ("U0OLU", "Olu", "olu@acme.test"))
    return Request(
        id=0, action="deploy", title="Deploy", inputs=inputs, service=service, environment=environment,
        tier=environment, reason="fixes the cart", requester_id=DANA, requester_name="Dana",
        requester_email="dana@acme.test", state=State.WAITING, version=3, plan=plan, decision=decision,
        digest=digest("deploy", inputs, plan, decision),
        approvers=tuple(Approver(id=who, name=name, email=email) for who, name, email in people),
        deadline_at=now + 86400, created_at=now, updated_at=now,
    )  # fmt: skip


def store_waiting(tx: Tx, numbers: range, now: float) -> list[tuple[int, str]]:
    """Stores requests that wait; their numbers, and what their buttons know of their digests."""
    found = []
    for number in numbers:
        request = waiting_request(number, now)
        found.append((store.insert(tx, request, f"bench-{number}") or 0, request.digest[:12]))
    return found


async def requests(database: str, count: int) -> list[tuple[int, str]]:
    """Puts waiting requests into a new database."""
    now, found = time.time(), []
    async with databases.database(database) as db:
        for start in range(0, count, 500):
            found += await db.write(store_waiting, range(start, min(start + 500, count)), now)
    return found


@asynccontextmanager
async def assistant(
    folder: Path, count: int, *, database: str = "", program: Sequence[str] = CLI, hook_token: str = "",
    socket_mode: bool = False,
) -> AsyncIterator[Assistant]:  # fmt: skip
    """Local Slack, practice cluster and the assistant, each a process; ``count`` clicks can be made.

    It hears from Slack over HTTP, or in ``socket_mode``. ``database`` names another than SQLite's; ``program`` is what
    ``run --config DIR`` is said to.
    """
    config, database = folder / "config", database or str(folder / "chatops.db")
    config.mkdir(parents=True)
    (config / "platform.yml").write_text(configuration(SERVICES))
    waiting = iter(await requests(database, count))
    slack, cluster, port = free_port(), free_port(), free_port()
    async with AsyncExitStack() as stack:
        for name, command, at in (
            ("slack", ["--listen", f"127.0.0.1:{slack}", "--workspace", str(ACME / "slack.yml")], slack),
            ("cluster", ["--listen", f"127.0.0.1:{cluster}", "--kubeconfig-out", str(folder / "kubeconfig"),
                         str(ACME / "cluster.yml")], cluster),
        ):  # fmt: skip
            whole = [sys.executable, "-m", f"chatops.sandbox.{name}", *command]
            await answers(at, process=await stack.enter_async_context(running(whole, log=folder / f"{name}.log")))
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "CHATOPS_"))}
        send, heard, link = over_http(port), {"SLACK_SIGNING_SECRET": SECRET}, 0
        if socket_mode:
            slack = link = await stack.enter_async_context(slack_side(f"http://127.0.0.1:{slack}/api/"))
            send, heard = over_socket(link, "assistant"), {"SLACK_APP_TOKEN": "xapp-assistant"}
        environ |= {
            "SLACK_BOT_TOKEN": "xoxb-local-bot", **heard,
            "SLACK_API_URL": f"http://127.0.0.1:{slack}/api/", "CHATOPS_DATABASE": database,
            "CHATOPS_LISTEN": f"127.0.0.1:{port}", "KUBECONFIG": str(folder / "kubeconfig"),
            **({"CHATOPS_HOOK_TOKEN": hook_token} if hook_token else {}),
        }  # fmt: skip
        process = await stack.enter_async_context(
            running([*program, "run", "--config", str(config)], environ=environ, log=folder / "assistant.log")
        )
        ready = await answers(port, "/readyz", process=process)
        clicks = Target("assistant", process.pid, send, _clicks(waiting), partial(worked_off, database))
        typed = Target("assistant", process.pid, send, keys())
        yield Assistant(process.pid, ready, clicks, typed, database, port, link)


async def worked_off(database: str) -> None:
    """Returns once nothing of what was taken in waits; fails after a minute."""
    async with asyncio.timeout(60):
        while await asyncio.to_thread(_waits, database):
            await asyncio.sleep(0.01)


def _waits(database: str) -> bool:
    with databases.reading(database) as tx:
        return tx.one("SELECT 1 AS one FROM inbox WHERE done_at IS NULL LIMIT 1") is not None


def _clicks(waiting: Iterator[tuple[int, str]]) -> Callable[[int], list[str]]:
    def bodies(count: int) -> list[str]:
        found = list(itertools.islice(waiting, count))
        return [click("approve", {"r": number, "d": start}, user=LEE, team=TEAM) for number, start in found]

    return bodies


def keys() -> Callable[[int], list[str]]:
    """Key presses in the form's service field."""
    typed = itertools.cycle(("che", "cart-se", "review", "inv", "chekout", "led-1", "p", "price-parcel-4"))

    def bodies(count: int) -> list[str]:
        return [suggestion("pick_service", next(typed), user=DANA, team=TEAM) for _ in range(count)]

    return bodies


async def warm(one: Assistant, at_once: int = 4) -> None:
    """A few clicks and key presses outside the measurement: people known, statements prepared."""
    await load(one.clicks, 20, at_once)
    await load(one.keys, 20, at_once)
