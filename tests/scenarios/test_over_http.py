"""The same road when Slack calls us over signed HTTP, as behind a load balancer, and the command line beside it."""

import asyncio
import os
import socket
import subprocess
import sys

import aiohttp
import pytest

from chatops.demo import run_demo
from chatops.kernel.errors import PlatformError
from tests.support.house import DEPLOYS, REQUESTS, acme_house

LINE = "/platform deploy checkout 1.4.2 production because fixes the cart"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def printed(*command: str, env: dict[str, str]) -> str:
    """What a command prints; it must succeed. The local Slack lives on this loop, so nothing may block it."""
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_deploy_over_signed_http_takes_the_same_road() -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with acme_house(slack={"app": {"request_url": f"{url}/slack/events"}}, http_port=port) as house:
        await house.dana.types("/platform deploy")
        form = await house.dana.modal(title="Deploy")
        await form.fill(Service="checkout", Environment="production", Version="1.4.2", Reason="fixes the cart")
        assert await form.submit() == {}
        card = await house.lee.sees(REQUESTS, "Deploy checkout 1.4.1 → 1.4.2 · PRODUCTION", "WAITING")
        await card.click("Approve")
        await card.becomes("SUCCEEDED", within=10)
        await house.olu.sees(DEPLOYS, "1.4.1 → 1.4.2")
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}/readyz") as ready:
                assert ready.status == 200
            async with session.get(f"{url}/metrics") as metrics:
                assert "chatops_ack_seconds" in await metrics.text()
            async with session.post(f"{url}/slack/events", data="payload={}") as unsigned:
                assert unsigned.status == 401


async def test_the_command_line_runs_the_assistant_from_the_environment_and_verifies_its_audit_trail() -> None:
    async with acme_house() as house:
        await house.stop()
        app = house.slack.state.workspace.app
        kubeconfig = house.cluster.write_kubeconfig(house.folder / "kubeconfig")
        environ = {
            **os.environ, "SLACK_BOT_TOKEN": app.bot_token, "SLACK_APP_TOKEN": app.app_token,
            "SLACK_API_URL": house.slack.api_url, "CHATOPS_DATABASE": str(house.folder / "other.db"),
            "CHATOPS_LISTEN": "127.0.0.1:0", "KUBECONFIG": str(kubeconfig),
        }  # fmt: skip
        chatops = [sys.executable, "-c", "from chatops.cli import cli; cli()"]
        process = await asyncio.create_subprocess_exec(
            *chatops, "run", "--config", str(house.settings.config), env=environ
        )
        try:
            await house.slack.connected()
            await house.dana.types("/platform deploy checkout 1.4.3 staging because trying it")
            await house.dana.sees(REQUESTS, "→ 1.4.3", "SUCCEEDED", within=15)
            assert "became_healthy" not in await printed(*chatops, "audit", "verify", env=environ)
            assert '"became_healthy"' in await printed(*chatops, "audit", "export", env=environ)
        finally:
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_tokens_and_clusters_that_are_wrong_are_said_once_each_in_words() -> None:
    async with acme_house() as house:
        await house.stop()
        environ = {
            **os.environ, "SLACK_BOT_TOKEN": "xoxb-of-another-app", "SLACK_APP_TOKEN": "xapp-of-another-app",
            "SLACK_API_URL": house.slack.api_url, "CHATOPS_DATABASE": str(house.folder / "other.db"),
            "CHATOPS_LISTEN": "127.0.0.1:0", "KUBECONFIG": str(house.folder / "no-such-file"),
        }  # fmt: skip
        chatops = [sys.executable, "-c", "from chatops.cli import cli; cli()"]
        command = [*chatops, "run", "--config", str(house.settings.config)]
        process = await asyncio.create_subprocess_exec(*command, env=environ, stderr=subprocess.PIPE)
        assert process.stderr is not None
        wanted = ("(SLACK_BOT_TOKEN, xoxb-…): invalid_auth", "(SLACK_APP_TOKEN, xapp-…): invalid_auth", "KUBECONFIG")
        said = ""
        try:
            async with asyncio.timeout(20):
                while not all(one in said for one in wanted):
                    said += (await process.stderr.readline()).decode()
                while sum("auth.test" in str(one) for one in house.slack.traffic.after(0)) < 4:
                    await asyncio.sleep(0.05)
        finally:
            process.terminate()
            said += (await process.stderr.read()).decode()
            await process.wait()
        assert [said.count(one) for one in wanted[:2]] == [1, 1]
        assert "Traceback" not in said
        assert "of-another-app" not in said


def test_what_is_missing_in_the_environment_is_said_in_one_go() -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SLACK_", "CHATOPS_"))}
    command = [sys.executable, "-c", "from chatops.cli import cli; cli()", "run", "--config", "examples/acme"]
    ran = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "SLACK_BOT_TOKEN" in ran.stderr
    assert "SLACK_APP_TOKEN" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("where", ["127.0.0.1:taken", "localhost:taken", "nowhere", "0.0.0.0:7070", "127.0.0.1:70700"])
async def test_a_demo_that_cannot_listen_says_what_to_do(where: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = where.replace("taken", str(taken.getsockname()[1]))
        with pytest.raises(PlatformError) as told:
            await run_demo(listen, 1.0, print, asyncio.Event)
    assert listen in told.value.message
    assert "127.0.0.1:707" in f"{told.value.message} {told.value.hint}"
