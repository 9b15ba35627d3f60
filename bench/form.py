"""The form of a declared action, from the line to the form on the screen: Slack lets it be opened for three seconds.

With 5,000 services and fifty declared actions; of one the options come out of all these services.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bench.assistant import SERVICES, configuration
from bench.harness import show
from bench.loading import declare
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.settings import Settings
from tests.support.people import Person, acme_slack

WARM, ROUNDS = 2, 20
HEADS = ("", "median", "slowest", "share of the three seconds")
LINES = {"a declared action of fifty": "database7 create", "one with options out of 5,000 services": "report run"}
REPORT = """
name: report.run
title: Run a report
risk: change
inputs:
  environment: {type: environment}
  service:     {type: service}
  beside:
    type: choice
    options_from: catalog.services.filter(s, s.name.startsWith("cart-cart-")).map(s, s.name)
steps:
  - apply: |
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: "${inputs.service}-report"}
      data: {beside: "${inputs.beside}"}
"""


async def rows(folder: Path) -> list[tuple[str, ...]]:
    """A row for each line: the median and the slowest of some openings, in milliseconds."""
    config = folder / "config"
    config.mkdir()
    (config / "platform.yml").write_text(configuration(SERVICES))
    declare(config)
    (config / "actions" / "report.run.yml").write_text(REPORT)
    found: list[tuple[str, ...]] = []
    async with acme_slack(rate_limits=False) as acme, PracticeCluster() as cluster:
        app = acme.slack.state.workspace.app
        settings = Settings(
            config=config, database=str(folder / "chatops.db"), bot_token=app.bot_token, app_token=app.app_token,
            signing_secret="", slack_api_url=acme.slack.api_url, kubeconfig=cluster.kubeconfig(), listen="127.0.0.1:0",
        )  # fmt: skip
        async with Assistant(settings):
            await acme.slack.connected()
            for name, line in LINES.items():
                taken = [await _opening(acme.dana, line) for _ in range(WARM + ROUNDS)][WARM:]
                middle, most = statistics.median(taken) * 1000, max(taken) * 1000
                found.append((name, f"{middle:.0f} ms", f"{most:.0f} ms", f"{most / 30:.0f} %"))
    return found


async def _opening(person: Person, line: str) -> float:
    """Seconds from the line to its form; it is closed again."""
    begun = time.perf_counter()
    await person.types(f"/platform {line}")
    form = await person.modal()
    taken = time.perf_counter() - begun
    await form.close()
    await person.wait(lambda: None if form.is_open else True, 5, lambda: "the form to close")
    return taken


async def main() -> None:
    """This table alone."""
    with tempfile.TemporaryDirectory() as folder:
        show("A form, from its line until it is open", HEADS, await rows(Path(folder)))


if __name__ == "__main__":
    asyncio.run(main())
