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
async def alertmanager(folder: Path, hook: str, token: str, guard: Path | None = None) -> AsyncIterator[str]:
    """An Alertmanager that tells ``hook`` of every alert at once; its address.

    ``guard`` is a web configuration that has it ask for TLS and a login.
    """
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
    address = f"{'https' if guard else 'http'}://127.0.0.1:{port}"
    async with _running("prometheus-alertmanager", *arguments, *_guarded(guard), ready=f"{address}/-/ready"):
        yield address


@asynccontextmanager
async def prometheus(
    folder: Path, rules: str, alerts_to: str, history: str = "", guard: Path | None = None
) -> AsyncIterator[str]:
    """A Prometheus that evaluates ``rules`` each second and scrapes itself; its address.

    ``history`` is what it knows from before it was started (OpenMetrics with times); ``guard`` as of Alertmanager.
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
    address = f"{'https' if guard else 'http'}://127.0.0.1:{port}"
    async with _running("prometheus", *arguments, *_guarded(guard), ready=f"{address}/-/ready"):
        yield address


def _guarded(guard: Path | None) -> tuple[str, ...]:
    return () if guard is None else (f"--web.config.file={guard}",)


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
        async with session.get(address, ssl=False) as answer:
            return answer.status in (200, 401)
    except ClientError:
        return False
