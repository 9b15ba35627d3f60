"""What the pages on running it say about metrics, faults, images and rights is what the program does."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from chatops.adapters.metrics import Metrics
from chatops.sandbox.cluster import Fault
from chatops.sandbox.cluster.behaviour import HEALTHY, Behaviour, behaviour_of
from chatops.sandbox.cluster.control import _FIELDS
from chatops.sandbox.cluster.faults import HOW
from chatops.sandbox.slack.faults import KINDS
from tests.docs.pages import ROOT, blocks, table
from tests.support.house import REQUESTS, acme_house, straight_to_production

OPERATIONS = ROOT / "docs" / "operations.md"
SLACK = ROOT / "docs" / "local-slack.md"
CLUSTER = ROOT / "docs" / "practice-cluster.md"
PATH = re.compile(r"/apis?/(?:([a-z.]+)/)?v\d/namespaces/[\w-]+/(\w+)(?:/[\w.-]+(/\w+)?)?")


def test_the_metrics_are_those_that_are_counted() -> None:
    counted = {metric.name + ("_total" if metric.type == "counter" else "") for metric in Metrics().registry.collect()}
    assert {name for name, _ in table(OPERATIONS, "metric", "what it tells")} == counted


def test_the_faults_of_the_local_slack_are_all_told() -> None:
    assert {kind for kind, _ in table(SLACK, "kind", "what happens to the next matching call")} == set(KINDS)


def test_the_faults_of_the_practice_cluster_are_all_told() -> None:
    told = [answer.strip('"') for answer, _ in table(CLUSTER, "answer", "what happens to the next matching request")]
    assert told == ["400 to 599", *HOW]
    assert Fault(answer=400).answer == 400
    assert Fault(answer=599).answer == 599
    assert set(re.findall(r"`(\w+)`", CLUSTER.read_text().partition('| `"drop-after"`')[2])) >= _FIELDS - {"answer"}


@pytest.mark.parametrize("tags", [tags for tags, _, _ in table(CLUSTER, "tag", "what happens", "seen as")])
def test_an_image_does_what_its_tag_says(tags: str) -> None:
    for tag in tags.split(", "):
        does = behaviour_of({"image": f"registry.acme.test/shop/checkout:{tag}"})
        assert does != HEALTHY
        assert (
            does
            == {
                "broken": Behaviour(exit_code=1, ready_after=None),
                "crash": Behaviour(exit_code=1, ready_after=None),
                "missing": Behaviour(missing=True),
                "oom": Behaviour(exit_code=137, exit_reason="OOMKilled", ready_after=None, exit_after=1.0),
                "unready": Behaviour(ready_after=None),
                "unschedulable": Behaviour(schedulable=False),
                "slow": Behaviour(ready_after=6.0),
            }[tag.partition("-")[2]]
        )


async def test_the_rights_in_the_cluster_are_those_it_uses() -> None:
    [role] = [yaml.safe_load(block.text) for block in blocks(OPERATIONS, "yaml", "rbac")]
    granted = {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }

    def unwatched(content: dict[str, Any]) -> None:
        content["watcher"] = {"enabled": False}
        del content["catalog"]  # the page says by itself what that takes
        straight_to_production(content)

    async with acme_house(platform=unwatched) as house:
        before = house.cluster.log.count
        for line in ("deploy checkout 1.5.0-broken production", "scale cart production replicas=4",
                     "restart web production", "rollback search production revision=1"):  # fmt: skip
            await house.dana.types(f"/platform {line} because trying")
        for title, end in (("1.5.0-broken", "ROLLED BACK"), ("Scale cart", "SUCCEEDED"), ("Restart web", "SUCCEEDED")):
            card = await house.lee.sees(REQUESTS, title, "WAITING", within=10)
            await card.click("Approve")
            await card.becomes(end, within=15)
        await house.dana.types("/platform status")
        await house.dana.sees("general", "checkout", "payments", "search", within=10)
        used = set()
        for one in house.cluster.log.after(before):
            asked = PATH.fullmatch(one["path"])
            assert asked is not None, one["path"]
            group, resource, part = asked.groups(default="")
            used.add((group, resource + part, one["verb"]))
        assert used == granted


async def test_help_lists_the_readmes_lines() -> None:
    async with acme_house() as house:
        await house.olu.types("/platform help")
        said = (await house.olu.sees("general", "What you can ask for")).text
        for first in re.findall(r"see /platform help (\w+)", said):
            await house.olu.types(f"/platform help {first}")
            heading = {"oncall": "See also", "schedule": "See also"}.get(first, first.capitalize())
            said += (await house.olu.sees("general", f"{heading}\n{first} ")).text
        for usage, summary, _ in table(ROOT / "README.md", "line", "what it does", "risk"):
            if f"{usage} {summary}" not in said:  # abridged to […]: whole when one asks for it
                name = usage.split()[0]
                assert re.search(rf"{name} [^\n]*\[…\][^\n]* {re.escape(summary)}", said)
                await house.olu.types(f"/platform help {name}")
                await house.olu.sees("general", f"{summary}\n/platform {usage}\n")
