"""Reads a configuration folder: ``platform.yml``, and later ``actions/*.yml``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

from chatops.adapters.configuration.document import LARGEST, read_yaml
from chatops.adapters.configuration.fields import Problems
from chatops.adapters.configuration.platform import read_platform
from chatops.adapters.configuration.problems import ConfigurationError, Problem
from chatops.kernel.action import Action
from chatops.kernel.catalog import Platform

MAIN = "platform.yml"


def load(folder: Path, actions: Mapping[str, Action]) -> Platform:
    """The platform that a folder describes. Raises ``ConfigurationError`` with every mistake."""
    return parse(folder, read(folder), actions)


def check(folder: Path, actions: Mapping[str, Action]) -> list[Problem]:
    """Every mistake of a configuration folder; none: it can be loaded."""
    try:
        load(folder, actions)
    except ConfigurationError as error:
        return error.problems
    return []


def files(folder: Path) -> list[Path]:
    """The files that are the configuration, sorted; hidden ones (a ConfigMap's ``..data``) are not."""
    found = [folder / MAIN, *(folder / "actions").glob("*.yml"), *(folder / "actions").glob("*.yaml")]
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))


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
        return {path.relative_to(folder).as_posix(): _content(path) for path in found}
    except OSError as error:
        path = Path(error.filename) if error.filename else folder
        raise _refused(path, f"this cannot be read: {os.strerror(error.errno or 0)}") from error


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


def parse(folder: Path, contents: Mapping[str, bytes], actions: Mapping[str, Action]) -> Platform:
    """The platform of contents that were read. Raises ``ConfigurationError``."""
    problems = Problems(str(folder / MAIN))
    problems.found += [
        Problem(str(folder / name), 1, "declared actions are not supported by this version: remove the file")
        for name in contents
        if name != MAIN
    ]
    platform = Platform()
    try:
        document = read_yaml(contents[MAIN], problems.file)
    except ConfigurationError as error:
        problems.found += error.problems
    else:
        platform = read_platform(document, actions, problems)
    if problems.found:
        raise ConfigurationError(problems.found)
    return platform.model_copy(update={"digest": digest(contents)})
