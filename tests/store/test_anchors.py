"""Anchors and bundles: a trail that was cut off or made anew is found with what was noted elsewhere."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from chatops.adapters.anchor_file import AnchorFile, anchors_of
from chatops.adapters.audit_cli import audit as commands
from chatops.adapters.audit_cli import read_anchors
from chatops.adapters.audit_export import export
from chatops.adapters.databases import Opening, shown
from chatops.adapters.signing import SigningKey, VerifyingKey, make_key
from chatops.adapters.sqlite import SQLite
from chatops.kernel import anchor, audit
from chatops.kernel.anchor import Anchor
from chatops.kernel.audit import canonical
from chatops.kernel.errors import InputError, PlatformError, Refused, Unavailable
from chatops.kernel.ports import Tx
from tests.store.trails import add, fill, memory

pytestmark = pytest.mark.usefixtures("copied")

ONE = Anchor(3, "a" * 64, 1000.0)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("keys") / "audit.pem"
    make_key(file)
    return file


def public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


async def anchored(database: Opening, file: Path, key: Path, at: float = 2000.0) -> Anchor:
    dropped = await database.write(anchor.drop, at, SigningKey.from_file(key))
    assert dropped is not None
    await AnchorFile(file).add(dropped.line)
    return dropped


def test_an_anchor_seals_what_is_open_and_says_it_once(key: Path) -> None:
    signer = SigningKey.from_file(key)
    with memory() as tx:
        fill(tx)
        first = anchor.drop(tx, 2000.0, signer)
        assert first is not None
        assert (first.seal, first.hash) == tuple((audit.last_seal(tx) or {}).values())
        assert not tx.all("SELECT chain FROM audit_heads WHERE sealed = 0")
        assert anchor.drop(tx, 3000.0, signer) is None
        add(tx, "R-1003")
        second = anchor.drop(tx, 4000.0, signer)
        assert second is not None
        assert second.seal == first.seal + 1
        assert anchor.unwritten(tx) == [first, second]
        anchor.written(tx, first.seal)
        assert anchor.unwritten(tx) == [second]
        assert anchor.first_from(tx, 1) == first
        assert anchor.first_from(tx, second.seal) == second
        assert anchor.first_from(tx, second.seal + 1) is None


def test_a_trail_in_which_nothing_happened_has_no_anchor() -> None:
    with memory() as tx:
        assert anchor.drop(tx, 2000.0, None) is None


async def test_a_tail_that_was_cut_off_is_found_with_the_anchors(
    database: Opening, name: str, tmp_path: Path, key: Path
) -> None:
    await database.write(fill)
    file = tmp_path / "anchors.jsonl"
    dropped = await anchored(database, file, key)
    good = run("verify", "--database", name, "--anchors", file, "--public-key", public(key))
    assert (good.exit_code, good.stderr) == (0, "")
    assert (
        f"1 of the 1 anchors given are of seals in it, and fit, all signed with the key {dropped.key}." in good.stdout
    )

    def cut_off(tx: Tx) -> None:
        """What somebody does who knows how the chains are made: nothing else shows it."""
        tx.run("DELETE FROM audit_seals WHERE seq = :seal", seal=dropped.seal)
        tx.run("DELETE FROM audit WHERE chain = 'R-1001' AND seq = 4")
        before = tx.one("SELECT hash FROM audit WHERE chain = 'R-1001' AND seq = 3") or {}
        tx.run("UPDATE audit_heads SET seq = 3, hash = :hash, sealed = 1 WHERE chain = 'R-1001'", hash=before["hash"])

    await database.write(cut_off)
    assert run("verify", "--database", name).exit_code == 0
    bad = run("verify", "--database", name, "--anchors", file)
    assert bad.exit_code == 1
    assert bad.stderr == f"{shown(name)}: seals row {dropped.seal}: cut off: an anchor holds it\n"


async def test_a_trail_that_was_made_anew_is_found_with_the_anchors(
    database: Opening, name: str, tmp_path: Path, key: Path
) -> None:
    await database.write(fill)
    file = tmp_path / "anchors.jsonl"
    dropped = await anchored(database, file, key)
    async with SQLite(tmp_path / "forged.db") as forged:

        def refill(tx: Tx) -> None:
            fill(tx)
            add(tx, "R-1001", n="not so")

        await forged.write(refill)
        await forged.write(audit.seal, 2000.0)
        assert run("verify", "--database", forged.path).exit_code == 0
        bad = run("verify", "--database", forged.path, "--anchors", file)
        assert f"seals row {dropped.seal}: replaced: an anchor holds another hash of it" in bad.stderr


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda one: {**one, "hash": "b" * 64}, "has a signature that does not fit what it says"),
        (lambda one: {**one, "at": 3000.0}, "has a signature that does not fit what it says"),
        (lambda one: {**one, "signature": ""}, "is not signed"),
        (lambda one: {**one, "signature": "AAAA"}, "has a signature that does not fit what it says"),
        (lambda one: {**one, "signature": "no base64!"}, "has a signature that does not fit what it says"),
        (lambda one: {**one, "key": "0" * 16}, "is signed by another key (0000000000000000, not "),
    ],
)
def test_an_anchor_that_the_key_did_not_sign_is_named(
    change: Callable[[dict[str, Any]], dict[str, Any]], says: str, key: Path, tmp_path: Path
) -> None:
    with memory() as tx:
        fill(tx)
        dropped = anchor.drop(tx, 2000.0, SigningKey.from_file(key))
    assert dropped is not None
    file = tmp_path / "anchors.jsonl"
    file.write_text(canonical(change(json.loads(dropped.line))) + "\n")
    with pytest.raises(InputError) as error:
        read_anchors(file, VerifyingKey.from_file(public(key)))
    assert error.value.message.startswith(f"{file}:1: the anchor of seal {dropped.seal} {says}")


async def test_a_line_is_added_once_whatever_a_crash_or_a_full_disk_left(tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    lines = [Anchor(number, "a" * 64, float(number)).line for number in (1, 2)]
    await AnchorFile(file).add(lines[0])
    await AnchorFile(file).add(lines[0])  # a crash came after it
    with file.open("a") as opened:
        opened.write(lines[1][:20])  # the disk was full
    await AnchorFile(file).add(lines[1])
    assert file.read_text() == f"{lines[0]}\n{lines[1][:20]}\n{lines[1]}\n"
    assert [one.seal for _, one in anchors_of(file)] == [1, 2]


async def test_a_folder_that_is_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written: No such file"):
        await AnchorFile(tmp_path / "away" / "anchors.jsonl").add(ONE.line)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("nonsense", "is not JSON"),
        ("[]", "is no anchor"),
        ('{"type":"anchor","version":2}', "is an anchor of version 2; this chatops reads 1"),
        (ONE.line.replace('"seal":3', '"seal":"3"'), "wrong here: seal"),
        (ONE.line.replace('"seal":3', '"seal":0'), "names a seal from 1 on"),
        (ONE.line.replace("a" * 64, "A" * 64), "names a seal from 1 on"),
    ],
)
def test_what_is_no_anchor_is_named_at_its_line(line: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / "anchors.jsonl"
    file.write_text(f"{ONE.line}\n{line}\n")
    with pytest.raises(InputError, match=says) as error:
        read_anchors(file)
    assert error.value.message.startswith(f"{file}:2: ")


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), lambda of: st.dictionaries(st.text(), of)))
def test_whatever_a_line_is_it_is_an_anchor_or_a_value_error(found: object) -> None:
    line = found if isinstance(found, str) else canonical(found)
    with pytest.raises(ValueError, match="is no"):
        anchor.parse(line)


def test_an_anchor_comes_back_as_it_was(key: Path) -> None:
    signer = SigningKey.from_file(key)
    whole = Anchor(ONE.seal, ONE.hash, ONE.at, signer.key, signer.sign(ONE.signed))
    assert anchor.parse(whole.line) == whole


def test_a_key_is_for_its_owner_alone_and_never_written_over(tmp_path: Path) -> None:
    file = tmp_path / "audit.pem"
    made = run("key", file)
    assert made.exit_code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SigningKey.from_file(file).key == VerifyingKey.from_file(public(file)).key
    assert SigningKey.from_file(file).key in made.stdout
    assert "PRIVATE" not in made.stdout
    before = file.read_bytes()
    assert run("key", file).exit_code == 1
    assert file.read_bytes() == before


def test_what_is_no_key_is_told(tmp_path: Path, key: Path) -> None:
    nonsense = tmp_path / "nonsense"
    nonsense.write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    for load in (SigningKey.from_file, VerifyingKey.from_file):
        with pytest.raises(Refused, match="Ed25519 key in PEM"):
            load(nonsense)
        with pytest.raises(Unavailable, match="cannot be read: No such file"):
            load(tmp_path / "none")
    with pytest.raises(Refused, match="is no public Ed25519 key"):
        VerifyingKey.from_file(key)
    assert "PRIVATE" not in repr(SigningKey.from_file(key))


async def test_a_bundle_of_a_chain_verifies_alone_and_says_what_is_missing_yet(
    database: Opening, name: str, tmp_path: Path, key: Path
) -> None:
    await database.write(fill)
    file = tmp_path / "bundle.jsonl"

    def taken(*options: object) -> Result:
        assert run("bundle", "R-1001", "--database", name, "-o", file).exit_code == 0
        return run("verify", file, *options)

    with_key = ("--public-key", public(key))
    assert "But its last row is in no seal yet" in taken().stdout
    assert "its last row is in no seal yet" in taken(*with_key).stderr
    await database.write(audit.seal, 1900.0)
    assert "But no anchor stands for it yet" in taken().stdout
    assert "no anchor stands for it yet" in taken(*with_key).stderr
    await database.write(add, "R-1002")
    dropped = await anchored(database, tmp_path / "anchors.jsonl", key)
    good = taken(*with_key, "--anchors", tmp_path / "anchors.jsonl")
    assert good.exit_code == 0
    other = tmp_path / "other.jsonl"
    other.write_text(Anchor(1, tx_hash(file, 1), 5.0).line + "\n")
    assert "is not among the anchors that were given" in run("verify", file, "--anchors", other).stderr
    assert f"The anchor of seal {dropped.seal} stands for it (signed with the key {dropped.key})." in good.stdout
    assert "its signature was not checked" in run("verify", file).stdout
    none = run("bundle", "R-9999", "--database", name)
    assert "There is no chain R-9999" in none.stderr


def tx_hash(file: Path, seal: int) -> str:
    """The hash of a seal that a bundle holds."""
    lines = map(json.loads, file.read_text().splitlines())
    return str(next(line["hash"] for line in lines if line["type"] == "seal" and line["seq"] == seal))


def ended(lines: list[dict[str, Any]]) -> str:
    """The file with its end made anew, as somebody would who forges one."""
    body = "".join(canonical(line) + "\n" for line in lines if line["type"] != "end")
    number = sum(line["type"] != "end" for line in lines)
    return body + canonical({"type": "end", "lines": number, "sha256": sha256(body.encode()).hexdigest()}) + "\n"


def _without(kind: str, which: int) -> Callable[[list[dict[str, Any]]], None]:
    def change(lines: list[dict[str, Any]]) -> None:
        del lines[[at for at, line in enumerate(lines) if line["type"] == kind][which]]

    return change


def _another_signature(lines: list[dict[str, Any]]) -> None:
    next(line for line in lines if line["type"] == "anchor")["signature"] = "AAAA"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_without("row", 0), "a bundle has the whole chain that it is about"),
        (_without("row", -1), "cut off: row 4 was the last one"),
        (_without("seal", 1), "missing: row 3 comes instead"),
        (_without("seal", -1), "missing: the anchor stands for it"),
        (_another_signature, "anchor row 4: has a signature that does not fit what it says"),
    ],
)
async def test_a_bundle_that_lacks_or_changes_something_does_not_verify(
    change: Callable[[list[dict[str, Any]]], None], says: str, database: Opening, name: str, tmp_path: Path, key: Path
) -> None:
    await database.write(fill)
    await database.write(audit.seal, 1900.0)
    await database.write(add, "R-1002")
    await anchored(database, tmp_path / "anchors.jsonl", key)
    file = tmp_path / "bundle.jsonl"
    run("bundle", "R-1001", "--database", name, "-o", file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    change(lines)
    file.write_text(ended(lines))
    bad = run("verify", file, "--public-key", public(key))
    assert bad.exit_code == 1
    assert says in bad.stderr


def test_anchors_that_are_none_or_of_nothing_in_it_are_no_proof(tmp_path: Path) -> None:
    empty, part = tmp_path / "anchors.jsonl", tmp_path / "part.jsonl"
    empty.write_text("")
    with memory() as tx:
        fill(tx)
        part.write_text("".join(f"{line}\n" for line in export(tx, since=1045.0)))
    none = run("verify", part, "--anchors", empty)
    assert (none.exit_code, none.stderr) == (1, f"{empty} holds no anchor.\n")
    empty.write_text(ONE.line + "\n")
    assert "none of the anchors is of a seal in it" in run("verify", part, "--anchors", empty).stderr


DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    ("kind", "change", "says"),
    [
        ("seal", {"heads": "[1]"}, "changed: it does not say which heads it holds"),
        ("seal", {"heads": DEEP}, "changed: it does not say which heads it holds"),
        ("seal", {"heads": '{"R-1001": [1e300, "x"]}'}, "changed: it does not say which heads it holds"),
        ("row", {"seq": 2**70}, "too large"),
    ],
)
def test_a_hostile_file_is_bad_or_unreadable_and_never_a_crash(
    kind: str, change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    file = tmp_path / "trail.jsonl"
    with memory() as tx:
        fill(tx)
        lines = [json.loads(line) for line in export(tx)]
    entry = next(line for line in lines if line["type"] == kind)
    entry |= change
    if kind == "seal":
        entry["hash"] = audit.seal_hash(entry)
    file.write_text(ended(lines))
    bad = run("verify", file)
    assert (bad.exit_code, bad.stdout) == (1, "")
    assert says in bad.stderr
    assert isinstance(bad.exception, SystemExit)
    file.write_text(DEEP + "\n")
    assert "is not JSON" in run("verify", file).stderr
    with pytest.raises(ValueError, match="is not JSON"):
        anchor.parse(DEEP)


def test_without_the_extra_it_says_what_to_install(key: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(PlatformError, match="needs the package cryptography") as error:
        SigningKey.from_file(key)
    assert "platform-chatops[signing]" in error.value.hint
    assert os.path.exists(key)
