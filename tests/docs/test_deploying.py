"""The manifest that runs two replicas in a cluster says what the program and the pages say."""

from __future__ import annotations

from typing import Any

from chatops.sandbox.slack.transport import MOST_CONNECTIONS
from chatops.settings import Settings
from tests.docs.pages import ROOT, blocks, table
from tests.docs.test_readme import Asked
from tests.support import yml
from tests.support.replicas import SOCKETS

OPERATIONS = ROOT / "docs" / "operations.md"
SECRET = ("TOKEN", "SECRET", "PASSWORD", "DATABASE", "KEY")


def objects() -> dict[str, dict[str, Any]]:
    found = yml.load_all((ROOT / "deploy" / "chatops.yaml").read_text())
    return {one["kind"]: one for one in found}


def container() -> dict[str, Any]:
    [one] = objects()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(one)


def test_it_sets_what_is_needed_and_nothing_that_the_program_does_not_know() -> None:
    environ = Asked({"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "2"})
    Settings.from_environment(ROOT, environ)
    named = {one["name"] for one in container()["env"]}
    assert named <= environ.names
    assert named >= {"SLACK_BOT_TOKEN", "CHATOPS_DATABASE", "CHATOPS_PUBLIC_URL"}


def test_no_secret_is_written_out_in_it() -> None:
    for one in container()["env"]:
        if any(word in one["name"] for word in SECRET):
            assert "value" not in one, one["name"]
            assert one["valueFrom"]["secretKeyRef"]["name"] == "chatops"


def test_its_probes_ask_what_operations_md_says() -> None:
    told = {address for address, _ in table(OPERATIONS, "address", "answer")}
    one = container()
    asked = {name: one[f"{name}Probe"]["httpGet"]["path"] for name in ("startup", "liveness", "readiness")}
    assert asked == {"startup": "/healthz", "liveness": "/healthz", "readiness": "/readyz"}
    assert set(asked.values()) <= told
    assert one["command"] == ["chatops", "run", "--config", one["volumeMounts"][0]["mountPath"]]


def test_it_may_do_in_a_namespace_what_operations_md_says_and_no_more() -> None:
    [role] = [yml.load(block.text) for block in blocks(OPERATIONS, "yaml", "rbac")]
    there = objects()
    assert there["Role"]["rules"] == role["rules"]
    assert there["RoleBinding"]["subjects"][0]["name"] == there["ServiceAccount"]["metadata"]["name"]
    assert not {"ClusterRole", "ClusterRoleBinding"} & set(there)


def test_an_upgrade_leaves_nobody_waiting_and_slack_has_room_for_all_connections() -> None:
    spec = objects()["Deployment"]["spec"]
    rolling = spec["strategy"]["rollingUpdate"]
    assert (spec["replicas"], spec["strategy"]["type"], rolling["maxUnavailable"]) == (2, "RollingUpdate", 0)
    assert (spec["replicas"] + rolling["maxSurge"]) * SOCKETS <= MOST_CONNECTIONS
    labels = spec["template"]["metadata"]["labels"]
    assert objects()["Service"]["spec"]["selector"] == labels == spec["selector"]["matchLabels"]
