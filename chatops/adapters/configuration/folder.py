"""Reads a configuration folder: ``platform.yml``, ``actions/*.yml`` and the ``manifests/`` that actions apply."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chatops.adapters.configuration.actions import ACTIONS, MANIFESTS, ActionFiles
from chatops.adapters.configuration.document import LARGEST, read_yaml
from chatops.adapters.configuration.fields import Problems
from chatops.adapters.configuration.platform import read_platform
from chatops.adapters.configuration.problems import ConfigurationError, Problem
from chatops.kernel.action import Action
from chatops.kernel.catalog import Platform
from chatops.kernel.declaration import Declaration
from chatops.kernel.errors import PlatformError

MAIN = "platform.yml"
ENDINGS = (".yml", ".yaml")
MOST_FILES = 2000

Build = Callable[[Declaration], Action]  # commands.declared.action_of, handed in by who may import it
Load = Callable[[Path, Mapping[str, Action], Build | None], "Loaded"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a folder says: the platform, and every action by name, the declared ones after those that were handed in."""

    platform: Platform
    actions: Mapping[str, Action] = field(default_factory=dict)


def load(folder: Path, actions: Mapping[str, Action], build: Build | None = None) -> Loaded:
    """What a folder describes; without ``build`` its actions are checked but not made.

    Raises ``ConfigurationError`` with every mistake.
    """
    return parse(folder, read(folder), actions, build)


def check(folder: Path, actions: Mapping[str, Action], build: Build | None = None) -> list[Problem]:
    """Every mistake of a configuration folder; none: it can be loaded."""
    try:
        load(folder, actions, build)
    except ConfigurationError as error:
        return error.problems
    return []


def files(folder: Path) -> list[Path]:
    """The files that are the configuration, sorted; hidden ones (a ConfigMap's ``..data``) are not."""
    inside = [*(folder / ACTIONS).glob("*"), *(folder / MANIFESTS).glob("**/*")]
    found = [folder / MAIN, *(path for path in inside if path.suffix in ENDINGS)]
    return sorted(path for path in found if path.is_file() and not _hidden(path.relative_to(folder)))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def read(folder: Path) -> dict[str, bytes]:
    """The content of each file by its name within the folder. Raises ``ConfigurationError``."""
    main = folder / MAIN
    if not folder.exists():
        raise _refused(folder, f"there is no such folder: give one that holds {MAIN}")
    if not folder.is_dir():
        raise _refused(folder, f"this is a file: give the folder that holds {MAIN}")
    try:
        found = files(folder)
        if main not in found:
            raise _refused(main, _absent(folder))
        if len(found) > MOST_FILES:
            raise _refused(folder, f"there are {len(found)} files in {ACTIONS} and {MANIFESTS}: at most {MOST_FILES}")
        strange = [path for path in found if path.is_symlink() and _leads_out(path, folder)]
        if strange:
            said = "this is a link that leads out of the folder: copy the file"
            raise ConfigurationError([Problem(str(path), 1, said) for path in strange])
        return {path.relative_to(folder).as_posix(): _content(path) for path in found}
    except OSError as error:
        path = Path(error.filename) if error.filename else folder
        raise _refused(path, f"this cannot be read: {os.strerror(error.errno or 0)}") from error


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a file stands elsewhere; a ConfigMap's links lead to its own ``..data``."""
    return path.name != MAIN and not path.resolve().is_relative_to(folder.resolve())


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LARGEST + 1)  # one more than allowed, so that the reader refuses it without reading it all


def _absent(folder: Path) -> str:
    if (folder / MAIN).is_dir():
        return "this is a folder: it has to be a file"
    near = sorted(path.name for path in folder.iterdir() if path.suffix in (".yml", ".yaml") and path.is_file())
    likely = [name for name in near if name.lower() in ("platform.yaml", "platform.yml")]
    if likely:
        return f"there is no such file: rename {likely[0]} to {MAIN}"
    if not any(folder.iterdir()):
        return "the folder is empty: copy examples/acme/platform.yml into it to start from"
    return "there is no such file: copy examples/acme/platform.yml to start from"


def _refused(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 1, message)])


def digest(contents: Mapping[str, bytes]) -> str:
    """The sha256 (hex) over names and contents, each preceded by its length so that none can pass for another."""
    total = hashlib.sha256()
    for name, content in sorted(contents.items()):
        for part in (name.encode(), content):
            total.update(len(part).to_bytes(8, "big") + part)
    return total.hexdigest()


def parse(
    folder: Path, contents: Mapping[str, bytes], actions: Mapping[str, Action], build: Build | None = None
) -> Loaded:
    """What contents that were read say. Raises ``ConfigurationError``."""
    problems = Problems(str(folder / MAIN))
    declared = ActionFiles(folder, contents, actions)
    try:
        document = read_yaml(contents[MAIN], problems.file)
    except ConfigurationError as error:
        # Nobody knows what there is and what actions may touch: of those, too, only what is no YAML is told.
        raise ConfigurationError([*error.problems, *declared.unreadable()]) from error
    platform = read_platform(document, actions, problems, declared.read)
    if found := [*problems.found, *declared.problems]:
        raise ConfigurationError(found)
    made = _made(build, declared.found) if build is not None else {}
    return Loaded(platform.model_copy(update={"digest": digest(contents)}), {**actions, **made})


def _made(build: Build, declarations: Iterable[Declaration]) -> dict[str, Action]:
    made, problems = {}, []
    for one in declarations:
        try:
            made[one.name] = build(one)
        except (PlatformError, ValueError) as error:
            problems.append(Problem(one.where, 1, f"action {one.name}: {error}"))
    if problems:
        raise ConfigurationError(problems)
    return made
