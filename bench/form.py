"""The form of a declared action, from the line to the form on the screen: Slack lets it be opened for three seconds.

With 5,000 services and fifty declared actions; of one the options come out of all these services.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from bench.assistant import SERVICES, configuration
from bench.loading import declare
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.settings import Settings
from tests.support.people import Person, acme_slack

WARM, ROUNDS = 2, 20
LINES = {
    "form of a declared action open, of fifty": "database7 create",
    "form with options out of 5,000 services open": "report run",
}
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


async def medians(folder: Path) -> dict[str, float]:
    """The median of some openings of each form, in seconds."""
    config = folder / "config"
    config.mkdir()
    (config / "platform.yml").write_text(configuration(SERVICES))
    declare(config)
    (config / "actions" / "report.run.yml").write_text(REPORT)
    async with acme_slack(rate_limits=False) as acme, PracticeCluster() as cluster:
        app = acme.slack.state.workspace.app
        settings = Settings(
            config=config, database=str(folder / "chatops.db"), bot_token=app.bot_token, app_token=app.app_token,
            signing_secret="", slack_api_url=acme.slack.api_url, kubeconfig=cluster.kubeconfig(), listen="127.0.0.1:0",
        )  # fmt: skip
        async with Assistant(settings):
            await acme.slack.connected()
            return {
                name: statistics.median([await _opening(acme.dana, line) for _ in range(WARM + ROUNDS)][WARM:])
                for name, line in LINES.items()
            }


async def _opening(person: Person, line: str) -> float:
    """Seconds from the line to its form; it is closed again."""
    begun = time.perf_counter()
    await person.types(f"/platform {line}")
    form = await person.modal()
    taken = time.perf_counter() - begun
    await form.close()
    await person.wait(lambda: None if form.is_open else True, 5, lambda: "the form to close")
    return taken
