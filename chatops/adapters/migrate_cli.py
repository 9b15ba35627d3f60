"""``chatops migrate --to URL``."""

from __future__ import annotations

from pathlib import Path

import click

from chatops.adapters.audit_cli import told
from chatops.adapters.databases import is_postgres, need_driver, shown
from chatops.kernel.errors import InputError


@click.command("migrate")
@click.option("--to", "url", metavar="URL", required=True, help="postgresql://HOST:5432/NAME: an empty database.")
@click.option(
    "--database", envvar="CHATOPS_DATABASE", default="chatops.db", show_default=True, metavar="FILE",
    help="The SQLite file of the stopped assistant.",
)  # fmt: skip
def migrate_command(url: str, database: str) -> None:
    """Moves everything from an SQLite file to an empty PostgreSQL; every table is counted and hashed on both sides."""
    with told():
        if not is_postgres(url) or is_postgres(database):
            raise InputError(
                "It goes from the file of an SQLite database to postgresql://HOST:5432/NAME.",
                hint="--database names the file (or CHATOPS_DATABASE does), --to the PostgreSQL.",
            )
        need_driver()
        from chatops.adapters.moving import move

        moved = move(Path(database), url)
    click.echo(f"{moved.rows} rows in {moved.tables} tables are the same on both sides.")
    click.echo(f"{moved.verdict.rows} rows of audit in {moved.verdict.chains} chains are as they were written.")
    click.echo(f"Start the assistant with CHATOPS_DATABASE naming {shown(url)}.")
    click.echo(f"{database} stays as it is: put it away, so that nothing starts on it again.")
