"""Debian's Prometheus and Alertmanager as processes of their own, on loopback; skipped with a sentence where absent."""

from __future__ import annotations

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

STARTS_WITHIN = 30.0  # seconds, on a machine that is busy


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@asynccontextmanager
async def alertmanager(folder: Path, hook: str, token: str) -> AsyncIterator[str]:
    """An Alertmanager that tells ``hook`` of every alert at once; its address."""
    port, config = free_port(), folder / "alertmanager.yml"
    config.write_text(f"""
route: {{receiver: assistant, group_by: [service, environment], group_wait: 0s, group_interval: 1s}}
receivers:
  - name: assistant
    webhook_configs: [{{url: "{hook}", http_config: {{authorization: {{credentials: "{token}"}}}}}}]
""")
    arguments = (
        f"--config.file={config}", f"--storage.path={folder}/alertmanager", f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    )  # fmt: skip
    async with _running("prometheus-alertmanager", *arguments, ready=f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


@asynccontextmanager
async def prometheus(folder: Path, rules: str, alerts_to: str, history: str = "") -> AsyncIterator[str]:
    """A Prometheus that evaluates ``rules`` each second and scrapes itself; its address.

    ``history`` is what it knows from before it was started (OpenMetrics with times).
    """
    if history:
        await _backfill(folder, history)
    port, config = free_port(), folder / "prometheus.yml"
    (folder / "rules.yml").write_text(rules)
    config.write_text(f"""
global: {{evaluation_interval: 1s, scrape_interval: 1s}}
rule_files: [rules.yml]
scrape_configs: [{{job_name: itself, static_configs: [{{targets: ["127.0.0.1:{port}"]}}]}}]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{alerts_to.removeprefix("http://")}"]}}]}}]}}
""")
    arguments = (
        f"--config.file={config}", f"--storage.tsdb.path={folder}/prometheus",
        f"--web.listen-address=127.0.0.1:{port}", "--rules.alert.resend-delay=1s",  # it finds Alertmanager after 5 s
    )  # fmt: skip
    async with _running("prometheus", *arguments, ready=f"http://127.0.0.1:{port}/-/ready"):
        yield f"http://127.0.0.1:{port}"


async def _backfill(folder: Path, history: str) -> None:
    (folder / "history.txt").write_text(history)
    process = await asyncio.create_subprocess_exec(
        shutil.which("promtool") or pytest.skip("needs Debian's promtool on the PATH: apt-get install prometheus"),
        "tsdb", "create-blocks-from", "openmetrics", folder / "history.txt", folder / "prometheus",
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    assert await process.wait() == 0


@asynccontextmanager
async def _running(program: str, *arguments: str, ready: str) -> AsyncIterator[None]:
    path = shutil.which(program)
    if path is None:
        pytest.skip(f"needs Debian's {program} on the PATH: apt-get install {program}")
    process = await asyncio.create_subprocess_exec(
        path, *arguments, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(STARTS_WITHIN), ClientSession() as session:
            while not await _answers(session, ready):
                assert process.returncode is None, f"{program} ended with {process.returncode}"
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _answers(session: ClientSession, address: str) -> bool:
    try:
        async with session.get(address) as answer:
            return answer.status == 200
    except ClientError:
        return False
