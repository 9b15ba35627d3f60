"""`python -m chatops.sandbox.cluster --listen 127.0.0.1:7071 --kubeconfig-out FILE [--open] [MANIFEST.yml …]`."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import click
import yaml

from .errors import ApiError
from .server import ADMIN_TOKEN, DEFAULT_TOKENS, PracticeCluster


@click.command()
@click.option("--listen", default="127.0.0.1:7071", help="Address and port; port 0 takes a free one.")
@click.option("--pace", default=1.0, help="1 is natural, 0.05 twenty times as fast.")
@click.option("--kubeconfig-out", type=click.Path(dir_okay=False, path_type=Path), help="Write a kubeconfig here.")
@click.option("--open", "is_open", is_flag=True, help="No token needed: kubectl sends none over plain HTTP.")
@click.argument("manifests", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(listen: str, pace: float, kubeconfig_out: Path | None, is_open: bool, manifests: tuple[Path, ...]) -> None:
    """Run a practice cluster until it is interrupted; prints one line with its address when it is ready."""
    host, _, port = listen.rpartition(":")
    if not port.isdigit():
        raise click.BadParameter(f"{listen!r} is no HOST:PORT", param_hint="--listen")
    objects = []
    for path in manifests:
        try:
            objects += [document for document in yaml.safe_load_all(path.read_text()) if document]
        except yaml.YAMLError as error:
            raise click.ClickException(f"{path}: {error}") from error
    tokens = {**DEFAULT_TOKENS, **({"": DEFAULT_TOKENS[ADMIN_TOKEN]} if is_open else {})}
    cluster = PracticeCluster(objects, host=host, port=int(port), pace=pace, tokens=tokens)
    asyncio.run(_serve(cluster, kubeconfig_out))


async def _serve(cluster: PracticeCluster, kubeconfig_out: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        async with cluster:
            if kubeconfig_out is not None:
                cluster.write_kubeconfig(kubeconfig_out)
            click.echo(f"practice cluster ready at {cluster.url}")
            await stop.wait()
    except ApiError as error:
        raise click.ClickException(f"a manifest was refused: {error.message}") from error


if __name__ == "__main__":
    main()
