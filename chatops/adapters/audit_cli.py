"""``chatops audit …``: the trail checked, taken along as files that are checked anywhere, and keys for its anchors."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import TextIO

import click

from chatops.adapters.anchor_file import anchors_of
from chatops.adapters.audit_export import HEAD, bundle, export, load
from chatops.adapters.databases import reading, shown
from chatops.adapters.evidence import weighed
from chatops.adapters.signing import VerifyingKey, make_key
from chatops.kernel.audit import Verdict, verify
from chatops.kernel.errors import InputError, PlatformError
from chatops.kernel.ports import Tx

NONE: Mapping[int, str] = MappingProxyType({})


@click.group()
def audit() -> None:
    """The audit trail: check it, take it along."""


_database = click.option(
    "--database", envvar="CHATOPS_DATABASE", default="chatops.db", show_default=True, metavar="NAME",
    help="The database's file, or its URL; it may be in use.",
)  # fmt: skip


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_output = click.option(
    "-o", "--output", type=click.File("w", encoding="utf-8", atomic=True), default="-", help="Default: stdout."
)


@audit.command("verify")
@click.argument("file", required=False, type=_FILE)
@click.option("--noted", default="", metavar="HASH", help="The hash of a seal noted earlier: it must still be there.")
@click.option("--anchors", type=_FILE, help="The file of anchors: each of them must still be there.")
@click.option("--public-key", type=_FILE, help="The key that the anchors must be signed with.")
@_database
def verify_command(file: Path | None, noted: str, anchors: Path | None, public_key: Path | None, database: str) -> None:
    """Checks every hash of the database's trail, or of an exported FILE, and names the first bad row."""
    with told():
        key = VerifyingKey.from_file(public_key) if public_key else None
        anchored = read_anchors(anchors, key) if anchors else NONE
        if file:
            verdict = verify_file(file, noted=noted, anchored=anchored, key=key)
        else:
            verdict = verify_database(database, noted=noted, anchored=anchored)
    if verdict.bad is not None:
        click.echo(f"{file or shown(database)}: {verdict.bad}", err=True)
        sys.exit(1)
    rows, chains, seals = (
        _counted(*one) for one in ((verdict.rows, "row"), (verdict.chains, "chain"), (verdict.seals, "seal"))
    )
    click.echo(f"{rows} in {chains} and {seals} are as they were written.")
    if anchored:
        signed = f", all signed with the key {key.key}" if key else "; their signatures were not checked"
        click.echo(f"{verdict.anchored} of the {len(anchored)} anchors given are of seals in it, and fit{signed}.")
    for sentence in verdict.says:
        click.echo(sentence)
    if verdict.last_seal and not verdict.says:
        click.echo(f"The last seal is {verdict.last_seal}; note its hash elsewhere: {verdict.last_hash}")


@audit.command("export")
@click.option("--since", type=click.DateTime(), help="Only chains that went on since then (UTC), from that row on.")
@click.option("--chain", default="", help="Only this chain: R-1042, platform, …")
@_output
@_database
def export_command(since: datetime | None, chain: str, output: TextIO, database: str) -> None:
    """Writes the trail as JSON lines that ``chatops audit verify FILE`` checks without a database."""
    start = since.replace(tzinfo=UTC).timestamp() if since else 0.0
    with told(), reading(database) as tx:
        if chain:
            _must_be(tx, chain, database)
        for line in export(tx, since=start, chain=chain):
            output.write(line + "\n")


@audit.command("bundle")
@click.argument("chain", metavar="ID")
@_output
@_database
def bundle_command(chain: str, output: TextIO, database: str) -> None:
    """Writes the evidence about one request or incident (R-1042, INC-318), which verifies without a database."""
    with told(), reading(database) as tx:
        _must_be(tx, chain, database)
        for line in bundle(tx, chain):
            output.write(line + "\n")


@audit.command("key")
@click.argument("file", type=click.Path(path_type=Path))
def key_command(file: Path) -> None:
    """Makes a key for signing anchors: FILE, which only the assistant may read, and FILE.pub for everybody."""
    with told():
        fingerprint = make_key(file)
    click.echo(f"{file} is the private key {fingerprint}: let CHATOPS_AUDIT_KEY name it. {file}.pub is the public one.")


def _must_be(tx: Tx, chain: str, database: str) -> None:
    if tx.one(HEAD, chain=chain) is None:
        raise InputError(f"There is no chain {chain} in {shown(database)}: a request's is its number, like R-1042.")


@contextmanager
def told() -> Iterator[None]:
    """What is wrong and meant for people goes to stderr in its own words; the exit code is 1."""
    try:
        yield
    except PlatformError as error:
        click.echo(error.message, err=True)
        if error.hint:
            click.echo(error.hint, err=True)
        sys.exit(1)


def read_anchors(path: Path, key: VerifyingKey | None = None) -> Mapping[int, str]:
    """The hash that each anchored seal had; raises ``InputError`` with file:line for one that ``key`` did not sign."""
    found: dict[int, str] = {}
    for number, one in anchors_of(path):
        if key is not None and (wrong := key.wrong(one)):
            raise InputError(f"{path}:{number}: the anchor of seal {one.seal} {wrong}")
        if found.setdefault(one.seal, one.hash) != one.hash:
            raise InputError(f"{path}:{number}: seal {one.seal} was anchored before, with another hash")
    if not found:  # of a wrong path, say: as if it had not been given
        raise InputError(f"{path} holds no anchor.")
    return found


def verify_database(name: str, *, noted: str = "", anchored: Mapping[int, str] = NONE) -> Verdict:
    """Checks a database, also beside a running assistant."""
    with reading(name) as tx:
        return verify(tx, noted=noted, anchored=anchored)


def verify_file(
    path: Path, *, noted: str = "", anchored: Mapping[int, str] = NONE, key: VerifyingKey | None = None
) -> Verdict:
    """Checks an export or a bundle.

    Raises ``InputError`` with file:line for what is neither, was cut off or added to. It is read into a throw-away
    database first, so that memory stays the same however long the trail is.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        path.open(encoding="utf-8", errors="surrogateescape", newline="\n") as lines,
    ):
        copy = Path(folder) / "trail.db"
        found = load(copy, str(path), lines)
        with reading(str(copy)) as tx:
            verdict = verify(tx, whole=found.whole, noted=noted, anchored=anchored)
            if found.bundle and verdict.bad is None:
                verdict = weighed(verdict, tx, found, key, anchored)
    if found.changed and verdict.bad is None:  # a bad row says more than that some line is another one
        raise InputError(found.changed)
    return verdict


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"
