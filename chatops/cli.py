"""The command line. Errors go to stderr, the exit code is non-zero; what is slow to import is imported when needed."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sys
import time
from pathlib import Path

import click

from chatops.adapters.audit_cli import audit
from chatops.adapters.backup_cli import backup_command, restore_command
from chatops.adapters.migrate_cli import migrate_command
from chatops.kernel.accidents import Foreseen
from chatops.kernel.errors import PlatformError
from chatops.kernel.masking import LogMask

CONFIG = click.option(
    "--config", type=click.Path(path_type=Path), required=True, metavar="DIR", help="The folder with platform.yml."
)

GARBAGE = (
    10_000  # objects made before the youngest are looked through; at Python's 700, each click pays for several passes
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="platform-chatops")
def cli() -> None:
    """The platform assistant for Slack: ask, judge the change, approve, roll out, tell."""


for command in (audit, backup_command, restore_command, migrate_command):
    cli.add_command(command)


@cli.command()
@click.option("--listen", default="127.0.0.1:7070", show_default=True, help="Where the local Slack's page is.")
@click.option("--pace", default=1.0, show_default=True, help="How long rollouts take: 1 as on a real cluster.")
def demo(listen: str, pace: float) -> None:
    """Runs everything on this machine: a local Slack with a web page, a practice cluster, SQLite."""
    from chatops.demo import run_demo

    _log_to_stderr(logging.WARNING)
    _run(lambda: asyncio.run(run_demo(listen, pace, click.echo, _stop_signal)))


@cli.command()
@CONFIG
def run(config: Path) -> None:
    """Runs the assistant; the environment says with which Slack, cluster and database (see the README)."""
    from chatops.main import Assistant
    from chatops.settings import Settings

    _log_to_stderr(logging.INFO)

    async def serve() -> None:
        stop, settings = _stop_signal(), Settings.from_environment(config, os.environ)
        while not stop.is_set():
            async with Assistant(settings) as assistant:
                gc.collect()
                gc.freeze()  # what stands now stays: no click waits while the garbage collector walks through it
                gc.set_threshold(GARBAGE)
                await _first(stop, assistant.replicas.lost)  # lost: other replicas have taken over, and it begins anew

    _run(lambda: asyncio.run(serve()))


@cli.command()
@CONFIG
def check(config: Path) -> None:
    """Checks a configuration folder; prints every mistake as file:line: what is wrong, and what would be right."""
    from chatops.adapters.configuration.folder import check as problems_of
    from chatops.adapters.configuration.folder import load
    from chatops.adapters.configuration.warnings import warnings
    from commands import registry
    from commands.declared import action_of

    broken: list[PlatformError] = []
    actions = registry.load(refused=broken.append)
    problems = [*problems_of(config, actions, action_of), *broken]
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        sys.exit(1)
    loaded = load(config, actions, action_of)
    for warning in warnings(config, loaded.platform, time.time(), loaded.actions.values()):
        click.echo(str(warning), err=True)
    click.echo(f"{config}: nothing wrong")


@cli.group()
def action() -> None:
    """Declared actions: the files under actions/."""


@action.command("try")
@click.option("--listen", default="127.0.0.1:7070", show_default=True, help="Where the local Slack's page is.")
@click.option("--pace", default=1.0, show_default=True, help="How long the cluster takes: 1 as a real one.")
@click.argument("file", type=click.Path(path_type=Path))
def try_(file: Path, listen: str, pace: float) -> None:
    """Opens the action of FILE alone, on a local Slack and a practice cluster; reads it again when it changes."""
    from chatops.tryout import try_action

    _log_to_stderr(logging.WARNING)
    _run(lambda: asyncio.run(try_action(file, listen, pace, click.echo, _stop_signal)))


@cli.group()
def policy() -> None:
    """Policy: what it would say."""


@policy.command()
@CONFIG
@click.option("--as", "who", required=True, metavar="EMAIL", help="Who would ask.")
@click.argument("line", nargs=-1, required=True)
def explain(config: Path, who: str, line: tuple[str, ...]) -> None:
    """Says what policy asks for before anyone asks: deploy checkout 1.4.2 production."""
    from chatops.explain import explained

    def say() -> None:
        for sentence in asyncio.run(explained(config, who, " ".join(line))):
            click.echo(sentence)

    _run(say)


def _run(work: object) -> None:
    """Runs; what is wrong and meant for people goes to stderr in its own words, and the exit code is 1."""
    try:
        work()  # type: ignore[operator]
    except PlatformError as error:
        click.echo(f"{error.message}{f' {error.hint}' if error.hint else ''}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _stop_signal() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set."""
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    return stop


async def _first(*events: asyncio.Event) -> None:
    """Returns once one of them is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _log_to_stderr(level: int) -> None:
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Foreseen())
        handler.addFilter(LogMask())
    for noisy in ("slack_sdk", "slack_bolt", "apscheduler", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
