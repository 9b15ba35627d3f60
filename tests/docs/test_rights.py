"""The rights that docs/actions.md names for declared actions are enough, and nothing beyond them is asked for."""

from __future__ import annotations

import re
from collections import defaultdict

import yaml

from chatops.sandbox.cluster.access import User
from tests.docs.pages import ROOT, table
from tests.support.house import REQUESTS, House, acme_house
from tests.support.rights import ASSISTANT

ROWS = {name.split()[0].strip(","): verbs for name, verbs in table(ROOT / "docs" / "actions.md", "for", "verbs")}
WORDS = re.compile(r"\b(get|create|patch|list|watch|delete)\b|\bon ([a-z/]+)")
SERVICE = """apiVersion: v1
      kind: Service
      metadata: {name: "probe-${inputs.n}", namespace: "${env.namespace}"}
      spec: {selector: {app: probe}, ports: [{port: "${inputs.port}"}]}"""
INPUTS = (
    "inputs: {environment: {type: environment}, n: {type: integer, default: 1}, port: {type: integer, default: 80}}"
)
ACTIONS = {
    "wait.yml": f"""name: wait.for
title: Wait for it
risk: change
{INPUTS}
steps:
  - apply: |
      {SERVICE}
    undo: {{remove: "Service/probe-${{inputs.n}}"}}
  - wait: {{object: Deployment.apps/checkout, until: object.status.readyReplicas >= inputs.n, timeout: 2s}}
""",
    "told.yml": """name: tell.it
title: Tell it
risk: change
inputs: {environment: {type: environment}}
steps:
  - name: made
    apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: probe, namespace: "${env.namespace}"}
      data: {a: b}
    outputs: {a: object.data.a}
outputs: {a: "${steps.made.outputs.a}"}
expires: 1h
""",
    "job.yml": """name: work.off
title: Work it off
risk: change
inputs: {environment: {type: environment}}
steps:
  - job: {image: "registry.acme.test/shop/checkout:1.4.1", command: ["true"], timeout: 1m}
""",
}


def rights(row: str, resource: str) -> dict[str, set[str]]:
    """By resource, the verbs that a row of the table names; without one of its own it is ``resource``."""
    found: dict[str, set[str]] = defaultdict(set)
    for part in ROWS[row].split(";"):
        verbs: set[str] = set()
        for verb, place in WORDS.findall(part):
            if place:
                found[place] |= verbs
            verbs = set() if place else verbs | {verb}
        found[resource] |= verbs
    return found


def role(*granted: tuple[str, dict[str, set[str]]]) -> str:
    """The RBAC objects for the assistant's account in the namespace of staging."""
    rules = [
        {"apiGroups": ["" if resource in ("events", "pods", "pods/log") else group], "resources": [resource],
         "verbs": sorted(verbs)}
        for group, resources in granted for resource, verbs in resources.items() if verbs
    ]  # fmt: skip
    api = "rbac.authorization.k8s.io"
    name = {"name": "chatops", "namespace": "shop-staging"}
    subject = {"kind": "ServiceAccount", "name": "chatops", "namespace": "platform"}
    return yaml.safe_dump_all([
        {"apiVersion": f"{api}/v1", "kind": "Role", "metadata": name, "rules": rules},
        {"apiVersion": f"{api}/v1", "kind": "RoleBinding", "metadata": name, "subjects": [subject],
         "roleRef": {"kind": "Role", "name": "chatops", "apiGroup": api}},
    ])  # fmt: skip


async def made(house: House, line: str, *words: str) -> None:
    await house.dana.types(f"/platform {line} because trying")
    await house.dana.sees(REQUESTS, *words, within=20)
    await house.quiet()


async def test_declared_actions_need_no_more_rights_than_the_table_names() -> None:
    kinds = ["Service", "ConfigMap", "Deployment.apps", "Job.batch"]
    settings = {"actions": {"kinds": kinds}, "watcher": {"enabled": False}}
    async with acme_house(actions=ACTIONS, platform=lambda content: content.update(settings)) as house:
        house.cluster.load(
            role(
                ("", rights("apply", "services")), ("", rights("remove", "services")),
                ("apps", rights("wait", "deployments")), ("batch", rights("job", "jobs")),
                ("", rights("apply", "configmaps")), ("", rights("expiry", "configmaps")),
            )
        )  # fmt: skip
        token = house.cluster.kubeconfig()["users"][0]["user"]["token"]
        house.cluster.access.tokens[token] = User(ASSISTANT)
        before = house.cluster.log.count
        await made(house, "wait for staging", "probe-1", "SUCCEEDED")
        await made(house, "wait for staging port=81", "probe-1", "port 81", "SUCCEEDED")
        await made(house, "wait for staging n=99", "probe-99", "UNDONE", "did not come to")
        await made(house, "tell it staging", "ConfigMap/probe", "SUCCEEDED", "a: b")
        await made(house, "work off staging", "Work it off", "SUCCEEDED")
        await house.dana.types("/platform extend R-1004")
        await house.dana.sees("general", "Extended")
        for minutes in (46, 10, 3, 2):
            await house.later(minutes * 60)
            await house.assistant.expiry.look()
            await house.quiet()
        asked = [one for one in house.cluster.log.after(before) if one.get("namespace") == "shop-staging"]
        assert {one["user"] for one in asked} == {ASSISTANT}
        assert [one for one in asked if one["status"] == 403] == []
        assert any(one["verb"] == "delete" and "configmaps" in one["path"] for one in asked)


async def test_without_one_of_them_the_action_is_refused_in_words() -> None:
    settings = {"actions": {"kinds": ["Job.batch"]}, "watcher": {"enabled": False}}
    short = {resource: verbs - {"create"} for resource, verbs in rights("job", "jobs").items()}
    async with acme_house(
        actions={"job.yml": ACTIONS["job.yml"]}, platform=lambda content: content.update(settings)
    ) as house:
        house.cluster.load(role(("batch", short)))
        token = house.cluster.kubeconfig()["users"][0]["user"]["token"]
        house.cluster.access.tokens[token] = User(ASSISTANT)
        await made(house, "work off staging", "REFUSED", 'cannot create resource "jobs"', "Ask the platform team")
