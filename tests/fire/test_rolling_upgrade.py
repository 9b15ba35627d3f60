"""A rolling upgrade: two versions beside each other on one database, replaced one after the other while people ask.

Each replica is a process of its build, as ``chatops run`` starts it: N and N, then N and N+1, then N+1 and N+1. What is
under way when a replica ends is finished by another, perhaps of another version; nothing is lost or done twice.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from chatops.adapters import databases
from chatops.kernel import audit
from chatops.sandbox.cluster import PracticeCluster
from tests.docs.pages import ROOT
from tests.fire.builds import Fleet, Replica, coming, earlier, fleet
from tests.support.acme_cluster import acme_cluster
from tests.support.house import DEPLOYS, HOOK_TOKEN, LEFT, REQUESTS, acme_platform, straight_to_production
from tests.support.people import Acme, acme_slack
from tests.support.postgres import url_for
from tests.support.replicas import only
from tests.support.thoroughness import EVERYTHING

INCIDENTS = "incidents"
NEWER = "was written by a newer chatops: it has the step 'm999_later'"
NONE_EARLIER = (
    "needs git and the commit before the last one that changed the packages, which has to have replicas: "
    "git fetch --unshallow"
)


@dataclass
class Town:
    """Acme's people, their cluster and the replicas that serve them."""

    acme: Acme
    cluster: PracticeCluster
    database: str
    fleet: Fleet

    async def deploys(self, through: Replica, service: str, version: str) -> None:
        """Dana asks one replica for something in staging, which needs nobody; returns once it is being rolled out.

        The database says so: the card may come after the rollout, for Slack takes one post a second and channel.
        """
        line = f"deploy {service} {version} staging because of {service} {version}"
        begun = (
            f"SELECT 1 FROM requests WHERE body LIKE '%of {service} {version}%' AND state IN ('running', 'succeeded')"
        )
        with only(self.acme.slack.socket, through.connections):
            await self.acme.dana.types(f"/platform {line}")
            async with asyncio.timeout(30):
                while not self.rows(begun):
                    await asyncio.sleep(0.02)

    async def succeeds(self, *versions: str) -> None:
        for version in versions:
            await self.acme.dana.sees(REQUESTS, f"→ {version}", "SUCCEEDED", within=30)
            await self.acme.dana.sees(DEPLOYS, f"→ {version}", within=30)

    async def alert(self, through: Replica) -> None:
        """A monitor tells one replica."""
        labels = {"environment": "production", "service": "checkout"}
        body = {"status": "firing", "name": "ErrorRate", "severity": "critical", "summary": "5xx", "labels": labels}
        headers = {"Authorization": f"Bearer {HOOK_TOKEN}"}
        url = f"{through.address}/hooks/alert"
        async with self.acme.sandbox.session.post(url, json=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def settled(self) -> None:
        async with asyncio.timeout(60):
            while self.rows(LEFT)[0]["n"] or self.rows("SELECT 1 FROM requests WHERE ended_at = 0"):
                await asyncio.sleep(0.1)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with databases.reading(self.database) as tx:
            return [dict(row) for row in tx.all(sql)]

    def check(self, requests: int, notices: Collection[str]) -> None:
        """Everything was done and said once, the trail verifies, and no replica had a failure."""
        states = Counter(row["state"] for row in self.rows("SELECT state FROM requests"))
        assert states == {"succeeded": requests}
        written = self.rows("SELECT chain, count(*) AS n FROM audit WHERE what = 'written' GROUP BY chain")
        assert [row["n"] for row in written] == [1] * requests
        told = [message for some in self.acme.slack.state.messages.values() for message in some]
        said = Counter(message["metadata"]["event_payload"]["id"] for message in told if message.get("metadata"))
        assert [name for name, times in said.items() if times > 1] == []
        assert {f"R-{row['id']}" for row in self.rows("SELECT id FROM requests")} <= set(
            said
        )  # numbers may be left out
        for version in notices:
            assert self.acme.dana.screen(DEPLOYS).count(f"→ {version}") == 1
        with databases.reading(self.database) as tx:
            assert audit.verify(tx).bad is None
        for one in self.fleet.all:
            assert "Traceback" not in one.said, one.said


def _rules(content: dict[str, Any]) -> None:
    straight_to_production(content)
    content["rotas"]["shop-rota"]["people"] = ["olu@acme.test"]


@asynccontextmanager
async def town(folder: Path) -> AsyncIterator[Town]:
    content, config = acme_platform(), folder / "config"
    database = url_for(str(folder), "template0")  # empty: the tables are those of whichever version is first
    _rules(content)
    config.mkdir()
    (config / "platform.yml").write_text(json.dumps(content))
    async with acme_slack(rate_limits=False) as acme, acme_cluster(pace=0.8) as cluster:
        app = acme.slack.state.workspace.app
        environ = {
            "SLACK_BOT_TOKEN": app.bot_token, "SLACK_APP_TOKEN": app.app_token, "SLACK_API_URL": acme.slack.api_url,
            "CHATOPS_DATABASE": database, "CHATOPS_HOOK_TOKEN": HOOK_TOKEN,
            "KUBECONFIG": str(cluster.write_kubeconfig(folder / "kubeconfig")),
        }  # fmt: skip
        async with fleet(environ, config, acme.slack.socket, folder) as replicas:
            yield Town(acme, cluster, database, replicas)


async def replaced(town: Town, old: Path, new: Path) -> None:
    """Both replicas of one version by two of another, while people ask through all of them."""
    dana, lee, slack = town.acme.dana, town.acme.lee, town.acme.slack.socket
    first, second = await town.fleet.start(old), await town.fleet.start(old)
    with only(slack, first.connections):
        await dana.types("/platform deploy checkout 1.4.2 production because fixes the cart")
        waits = await lee.sees(REQUESTS, "WAITING", "→ 1.4.2", within=30)
    third = await town.fleet.start(new)
    await town.deploys(first, "web", "7.1.2")
    await first.leave()  # it led, and was at that
    await town.succeeds("7.1.2")
    await town.alert(second)
    page = await town.acme.olu.sees("@platform", "You are paged.", "INC-101", within=30)
    with only(slack, third.connections):
        await waits.click("Approve")
        await page.click("Acknowledge")
    await dana.sees(INCIDENTS, "OLU HAS IT", within=30)
    await town.deploys(third, "cart", "2.8.1")
    await town.deploys(second, "search", "4.1.0")
    fourth = await town.fleet.start(new)
    await second.leave()
    await town.succeeds("1.4.2", "2.8.1", "4.1.0")
    await town.deploys(third, "web", "7.1.3")
    await town.deploys(fourth, "cart", "2.8.2")
    await town.succeeds("7.1.3", "2.8.2")
    await town.settled()
    town.check(6, ("1.4.2", "7.1.2", "2.8.1", "4.1.0", "7.1.3", "2.8.2"))


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="make fire plays it: it takes half a minute of computing")
async def test_the_build_of_the_commit_before_and_this_one_replace_each_other_while_people_ask(
    tmp_path: Path,
) -> None:
    old = earlier(tmp_path / "earlier")
    if old is None:
        pytest.skip(NONE_EARLIER)
    async with town(tmp_path) as there:
        await replaced(there, old, ROOT)


@pytest.mark.fire
@pytest.mark.skipif(not EVERYTHING, reason="make fire plays it: it takes half a minute of computing")
async def test_this_build_bears_the_tables_of_the_next_until_it_is_replaced_and_is_refused_afterwards(
    tmp_path: Path,
) -> None:
    async with town(tmp_path) as there:
        await replaced(there, ROOT, coming(tmp_path / "coming"))
        late = await there.fleet.launch(ROOT)
        async with asyncio.timeout(60):
            assert await late.process.wait() == 1
        assert NEWER in late.said
        assert "Start the newer version" in late.said
        assert "Traceback" not in late.said
