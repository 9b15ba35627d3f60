"""The whole assistant at Acme: on the local Slack and the practice cluster, with a clock that can be moved.

async with acme_house() as house:
    await house.dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
    card = await house.lee.sees(REQUESTS, "WAITING")
    await card.click("Approve")
"""

from __future__ import annotations

import asyncio
import functools
import json
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chatops.http.hooks import Tokens
from chatops.kernel import audit
from chatops.kernel.ports import Tx
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.settings import Settings
from tests.support import yml
from tests.support.acme_cluster import acme_cluster
from tests.support.clock import ShiftedClock
from tests.support.databases import name_of
from tests.support.evaluator import LentEvaluator
from tests.support.people import Acme, acme_slack
from tests.support.remembered import load
from tests.support.wires import Wires

ACME = Path(__file__).parents[2] / "examples" / "acme"
HOOK_TOKEN = "token-of-the-monitors"
REQUESTS, DEPLOYS = "platform-requests", "deploys"
JOINED = (REQUESTS, DEPLOYS, "incidents", "team-shop")  # where an earlier start of the assistant has brought it
PACE = 0.02
LEFT = """
SELECT (SELECT count(*) FROM posts WHERE wanted > sent AND error = '')
     + (SELECT count(*) FROM inbox WHERE done_at IS NULL) AS n
"""


@dataclass
class House(Acme):
    """Acme with its assistant; `assistant` changes when it is restarted."""

    cluster: PracticeCluster
    clock: ShiftedClock
    settings: Settings
    folder: Path
    assistant: Assistant
    stack: AsyncExitStack
    options: dict[str, Any] = field(default_factory=dict)

    async def stop(self) -> None:
        """Ends the assistant; Slack and the cluster stay."""
        await self.stack.aclose()

    async def start(self) -> None:
        """Starts it again on the same database."""
        self.assistant = Assistant(self.settings, clock=self.clock, **self.options)
        await self.stack.enter_async_context(self.assistant)
        await self.slack.connected()

    async def later(self, seconds: float) -> None:
        """Moves the clock and lets the assistant look at what is due."""
        self.clock.advance(seconds)
        await self.assistant.deadlines.look()

    def cluster_away(self, away: bool) -> None:
        """The cluster refuses every connection, or answers again."""
        self.cluster.go_away() if away else self.cluster.come_back()

    async def attending(self) -> None:
        """Waits until the assistant is in its channels, where mentions reach it."""
        await self.sandbox.settled()

    async def deployment(self, name: str, namespace: str = "shop") -> dict[str, Any]:
        """The live object, read as kubectl would."""
        return await self.cluster_call("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}")

    async def image(self, name: str, namespace: str = "shop") -> str:
        """The version that the first container of a deployment asks for."""
        found = await self.deployment(name, namespace)
        return str(found["spec"]["template"]["spec"]["containers"][0]["image"]).rpartition(":")[2]

    async def edit(
        self, name: str, body: dict[str, Any], namespace: str = "shop", manager: str = "kubectl-edit"
    ) -> None:
        """A person changes a deployment by hand (a strategic merge patch)."""
        path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}?fieldManager={manager}"
        await self.cluster_call("PATCH", path, body, "application/strategic-merge-patch+json")

    async def staged(self, name: str, version: str) -> None:
        """Somebody brings a version to staging by hand, and it becomes healthy there."""
        image = f"registry.acme.test/shop/{name}:{version}"
        containers = [{"name": "app", "image": image}]
        await self.edit(name, {"spec": {"template": {"spec": {"containers": containers}}}}, "shop-staging")
        async with asyncio.timeout(10):
            while True:
                live = await self.deployment(name, "shop-staging")
                status, wanted = live["status"], live["spec"]["replicas"]
                seen = status.get("observedGeneration") == live["metadata"]["generation"]
                ready = status.get("updatedReplicas") == status.get("availableReplicas") == status.get("replicas")
                if seen and ready and status["replicas"] == wanted:
                    return
                await asyncio.sleep(0.02)

    async def crashes_in_staging(self, name: str) -> None:
        """Somebody gives it a command that it does not have."""
        containers = [{"name": "app", "command": ["no-such"]}]
        await self.edit(name, {"spec": {"template": {"spec": {"containers": containers}}}}, "shop-staging")

    async def set_env(self, name: str, variable: str, value: str) -> None:
        """A person sets an environment variable of the app container by hand."""
        containers = [{"name": "app", "env": [{"name": variable, "value": value}]}]
        await self.edit(name, {"spec": {"template": {"spec": {"containers": containers}}}})

    async def cluster_call(
        self, method: str, path: str, body: Any = None, content_type: str = "application/json"
    ) -> dict[str, Any]:
        """One call to the practice cluster, past the assistant."""
        token = self.cluster.kubeconfig()["users"][0]["user"]["token"]
        async with self.sandbox.session.request(
            method, self.cluster.url + path, data=json.dumps(body) if body is not None else None,
            headers={"Authorization": f"Bearer {token}", "Content-Type": content_type},
        ) as answer:  # fmt: skip
            found: dict[str, Any] = await answer.json()
            assert answer.status < 300, found
            return found

    async def rows(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of the assistant's database."""

        def read(tx: Tx) -> list[dict[str, Any]]:
            return [dict(row) for row in tx.all(sql, **values)]

        return await self.assistant.database.read(read)

    async def hook(self, source: str, body: Any) -> int:
        """What a monitor sends, JSON or bytes; the status of the answer."""
        return (await self.hook_says(source, body))[0]

    async def hook_says(self, source: str, body: Any) -> tuple[int, str]:
        """The same; the status, and what was wrong (empty: nothing)."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {HOOK_TOKEN}"}
        address = f"{self.assistant.http.address}/hooks/{source}"
        async with self.sandbox.session.post(address, data=data, headers=headers) as answer:
            return answer.status, str((await answer.json()).get("error", ""))

    async def history(self) -> list[str]:
        """What the audit trail says happened to requests, after checking that it verifies."""
        await self.assistant.deadlines.look()
        assert (await self.assistant.database.read(audit.verify)).bad is None
        return [
            row["what"] for row in await self.rows("SELECT what FROM audit WHERE chain LIKE 'R-%' ORDER BY at, seq")
        ]

    async def until(self, holds: Callable[[], bool], within: float = 30) -> None:
        """Waits until something holds."""
        async with asyncio.timeout(within):
            while not holds():
                await asyncio.sleep(0.02)

    async def quiet(self) -> None:
        """Waits until the assistant has nothing left to do or to say."""
        async with asyncio.timeout(60):
            while True:
                await self.assistant.engine.idle()
                left = await self.rows(LEFT)
                looking = self.assistant.evidence.tasks or self.assistant.charts.tasks
                if not left[0]["n"] and not self.assistant.engine.tasks and not looking:
                    return
                await asyncio.sleep(0.02)


def acme_platform() -> dict[str, Any]:
    """What Acme's platform.yml says, to be edited."""
    content: dict[str, Any] = json.loads(_platform())
    return content


@functools.cache
def _platform() -> str:
    return json.dumps(yml.load((ACME / "platform.yml").read_text()))


def straight_to_production(content: dict[str, Any]) -> None:
    """For what is about other things than promotion: any version may be asked for anywhere."""
    del content["environments"]["production"]["promote_from"]


@asynccontextmanager
async def acme_house(
    *, pace: float = PACE, platform: Callable[[dict[str, Any]], None] | None = None,
    slack: dict[str, Any] | None = None, clock: ShiftedClock | None = None, http_port: int = 0,
    actions: Mapping[str, str] | None = None, database: str = "", wires: Wires | None = None, **options: Any,
) -> AsyncIterator[House]:  # fmt: skip
    """Everything, started and connected. `platform` may edit the configuration, `slack` goes to the local Slack.

    `actions` are declared ones: YAML by the file's name under actions/. `database` is one of the test's own. `wires`
    are put between the assistant and its peers; people, and what the test asks of the cluster, go past them.
    """
    clock = clock or ShiftedClock()
    async with AsyncExitStack() as outer:
        folder = Path(tempfile.mkdtemp(prefix="chatops-test-"))
        outer.callback(shutil.rmtree, folder, ignore_errors=True)
        config = folder / "config"
        config.mkdir()
        shutil.copy(ACME / "platform.yml", config)
        if platform is not None:
            content = acme_platform()
            platform(content)
            (config / "platform.yml").write_text(json.dumps(content))  # JSON is YAML, and quickly written
        for name, text in (actions or {}).items():
            (config / "actions").mkdir(exist_ok=True)
            (config / "actions" / name).write_text(text)
        # This Slack has no limits unless a test asks for them
        options = {"burst": 50, "evaluator": LentEvaluator(), "load": load, **options}
        chosen = {"joined": JOINED, "rate_limits": False, "retry_scale": 0.001, "clock": clock.now, **(slack or {})}
        acme = await outer.enter_async_context(acme_slack(**chosen))
        cluster = await outer.enter_async_context(acme_cluster(pace=pace))
        app, kubeconfig = acme.slack.state.workspace.app, cluster.kubeconfig()
        if wires is not None:
            await outer.enter_async_context(wires)
            await wires.lay(acme.slack, kubeconfig)
        settings = Settings(
            config=config, database=database or name_of(folder), bot_token=app.bot_token,
            app_token="" if http_port else app.app_token, signing_secret=app.signing_secret if http_port else "",
            slack_api_url=acme.slack.api_url, kubeconfig=kubeconfig, listen=f"127.0.0.1:{http_port}",
            hook_tokens=Tokens((HOOK_TOKEN,)),
        )  # fmt: skip
        stack = await outer.enter_async_context(AsyncExitStack())
        assistant = await stack.enter_async_context(Assistant(settings, clock=clock, **options))
        if not http_port:
            await acme.slack.connected()
        house = House(
            acme.slack, acme.sandbox, acme.dana, acme.lee, acme.olu, acme.sam, acme.gus, cluster, clock, settings,
            folder, assistant, stack, options,
        )  # fmt: skip
        yield house
        await house.stop()
