"""Actions that other packages bring: one that is broken is told of and costs the others nothing."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner

from chatops.cli import cli
from chatops.kernel.errors import PlatformError
from commands import registry
from tests.support.house import ACME, acme_house

BROKEN = {
    "clash": ("commands.scale:RECORD", "the action 'scale' exists already"),
    "no.action": ("commands.registry:GROUP", "is a str, not a chatops.kernel.action.Action"),
    "raises": ("tests.config.raises:RECORD", "cannot be loaded: RuntimeError: no settings file"),
    "absent": ("tests.config.absent:RECORD", "cannot be loaded: ModuleNotFoundError"),
}


@pytest.fixture
def points(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[EntryPoint]:
    (tmp_path / "raises_at_import.py").write_text('raise RuntimeError("no settings file")')
    monkeypatch.syspath_prepend(str(tmp_path))
    values = {name: value.replace("tests.config.raises", "raises_at_import") for name, (value, _) in BROKEN.items()}
    found = [EntryPoint(name, value, registry.GROUP) for name, value in values.items()]
    monkeypatch.setattr(registry, "_installed", lambda: found)
    return found


def test_each_broken_one_is_named_with_what_is_wrong(points: list[EntryPoint]) -> None:
    heard: list[PlatformError] = []
    actions = registry.load(refused=heard.append)
    assert list(actions) == [one.name for one in registry.BUILT_IN]
    for one, (name, (_, why)) in zip(heard, BROKEN.items(), strict=True):
        assert one.message.startswith(f"entry point {name} (")
        assert why in one.message
    with pytest.raises(PlatformError, match="entry point clash"):
        registry.load()


def test_check_prints_all_of_them_and_no_traceback(points: list[EntryPoint]) -> None:
    ran = CliRunner().invoke(cli, ["check", "--config", str(ACME)])
    assert ran.exit_code == 1
    assert isinstance(ran.exception, SystemExit)
    assert all(why in ran.output for _, why in BROKEN.values())


async def test_the_assistant_goes_on_with_the_others(
    points: list[EntryPoint], caplog: pytest.LogCaptureFixture
) -> None:
    async with acme_house() as house:
        await house.dana.types("/platform services checkout")
        await house.dana.sees("general", "checkout · shop")
    assert [one for one in caplog.messages if "entry point raises" in one and "goes on without it" in one]
