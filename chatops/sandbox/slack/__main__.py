"""`python -m chatops.sandbox.slack --listen 127.0.0.1:7070 --workspace FILE.yml`: the local Slack on its own."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click

from chatops.sandbox.slack.seed import SeedError, load_workspace
from chatops.sandbox.slack.server import LocalSlack


@click.command()
@click.option("--listen", default="127.0.0.1:7070", show_default=True, help="Loopback address and port (0: any).")
@click.option("--workspace", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=True)
@click.option("--rate-limits/--no-rate-limits", default=True, help="One post a second and channel.")
@click.option("--ack-timeout", default=3.0, show_default=True, help="Seconds the app has to acknowledge.")
@click.option("--retry-scale", default=1.0, show_default=True, help="Shortens the minutes between repeated events.")
def main(listen: str, workspace: Path, rate_limits: bool, ack_timeout: float, retry_scale: float) -> None:
    """Serve a workspace until SIGTERM or Ctrl-C; prints one line with the address when it is ready."""
    host, _, port = listen.rpartition(":")
    try:
        slack = LocalSlack(
            load_workspace(workspace),
            host=host.strip("[]"),
            port=int(port),
            rate_limits=rate_limits,
            ack_timeout=ack_timeout,
            retry_scale=retry_scale,
        )
    except (SeedError, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    asyncio.run(_serve(slack))


async def _serve(slack: LocalSlack) -> None:
    stop = asyncio.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    async with slack:
        click.echo(f"local Slack: {slack.url}")
        sys.stdout.flush()
        await stop.wait()


if __name__ == "__main__":
    main()
