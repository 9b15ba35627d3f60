"""Acme as the configuration tests know it: a few actions, and its folder with something changed."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from annotated_types import Ge

from chatops.kernel.action import Action, ChangeInputs, EnvironmentName, Inputs, ServiceName, Version

EXAMPLE = Path(__file__).parents[2] / "examples" / "acme"


class DeployInputs(ChangeInputs):
    service: ServiceName
    version: Version
    environment: EnvironmentName


class ScaleInputs(ChangeInputs):
    service: ServiceName
    environment: EnvironmentName
    replicas: Annotated[int, Ge(0)]


class RollbackInputs(ChangeInputs):
    service: ServiceName
    environment: EnvironmentName
    revision: int | None = None


class RestartInputs(ChangeInputs):
    service: ServiceName
    environment: EnvironmentName


class DropInputs(ChangeInputs):
    environment: EnvironmentName
    name: str = ""


class StatusInputs(Inputs):
    service: ServiceName
    environment: EnvironmentName


ACTIONS = {
    name: Action(name, name.capitalize(), risk, model, usage=name, summary=name)
    for name, risk, model in (
        ("deploy", "change", DeployInputs),
        ("scale", "change", ScaleInputs),
        ("rollback", "change", RollbackInputs),
        ("restart", "change", RestartInputs),
        ("drop", "danger", DropInputs),
        ("status", "read", StatusInputs),
    )
}


def acme(folder: Path, *edits: tuple[str, str] | Callable[[str], str]) -> Path:
    """Writes Acme's platform.yml into `folder`, without what its own actions may touch; each edit made exactly once."""
    text = re.sub(r"^actions:.*\n(?:[ #].*\n)*", "", (EXAMPLE / "platform.yml").read_text(), flags=re.MULTILINE)
    for edit in edits:
        if callable(edit):
            text = edit(text)
        else:
            assert text.count(edit[0]) == 1, f"{edit[0]!r} stands {text.count(edit[0])} times in the example"
            text = text.replace(*edit)
    (folder / "platform.yml").write_text(text)
    return folder


def line_of(folder: Path, text: str) -> int:
    """The line (from 1) on which `text` first stands."""
    lines = (folder / "platform.yml").read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if text in line)
