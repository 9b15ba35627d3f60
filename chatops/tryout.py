"""``chatops action try``: one declared action at Acme, on the local Slack and the practice cluster; nothing is left.

It may touch every kind and namespace that its file names: whether yours allows them is a matter of your own
platform.yml.
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp

from chatops.adapters.configuration import ConfigurationError, Problem, load
from chatops.adapters.configuration.actions import ACTIONS, MANIFESTS
from chatops.adapters.configuration.kinds import kind_of, kind_problem
from chatops.demo import ACME, offered, page_of, sandbox
from chatops.kernel.declaration import Declaration, DeclaredStep
from chatops.kernel.families import spoken
from chatops.main import Assistant
from chatops.sandbox.cluster import PracticeCluster
from chatops.sandbox.slack import LocalSlack, Suggestion
from commands import registry
from commands.declared import action_of

log = logging.getLogger("chatops")

_ACMES = ("shop", "shop-staging")  # its environments' own namespaces
LOOK_EVERY = 0.5  # seconds between looks at the file
_ALLOWED = re.compile(r"^actions:.*\n(?:[ #].*\n)*", re.MULTILINE)
_MANIFEST = re.compile(r"^[ \t]*apiVersion: *[\"']?([^\s\"'#]+).*\n(?:.*\n)??[ \t]*kind: *[\"']?(\w+)", re.MULTILINE)
_NAMESPACE = re.compile(r"\bnamespace: *[\"']?([a-z0-9][a-z0-9-]*)(\$\{)?")
_REMOVED = re.compile(r"\b(?:remove|object): *[\"']?([A-Z][\w.-]*)/")


async def try_action(
    file: Path, listen: str, pace: float, say: Callable[[str], object], stop_signal: Callable[[], asyncio.Event]
) -> None:
    """Runs until told to stop; a change of the file is taken over like a change of a configuration.

    Raises ``ConfigurationError`` with the mistakes of the file, ``PlatformError`` when it cannot run.
    """
    stop = stop_signal()
    with tempfile.TemporaryDirectory(prefix="chatops-try-") as folder:
        stage = Stage(file, Path(folder))
        declaration = stage.declaration()
        async with sandbox(listen, pace, stage.folder, tour=False) as (slack, cluster, assistant):
            cluster.load(list(definitions(declaration, cluster)))
            cluster.load(stage.namespaces())
            slack.offer(Opening(declaration.name, slack, assistant).offers)
            say(f"\n  {declaration.title} is ready:  {page_of(slack)}\n")
            say(f"  Its form opens with the page; or type /platform {spoken(declaration.name)}")
            say(f"  Change {file} and it is read again. All of it is on this machine; Ctrl-C ends it.\n")
            following = asyncio.create_task(stage.follow(say), name="follow the file")
            try:
                await stop.wait()
            finally:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)


class Stage:
    """A configuration folder of Acme's platform and one action, kept like the file it was copied from."""

    def __init__(self, file: Path, folder: Path) -> None:
        self.folder = folder
        self._file = file
        self._copy = folder / ACTIONS / f"{file.stem.lstrip('.') or 'action'}.yml"
        self._seen = b""
        if not file.is_file():
            raise ConfigurationError([Problem(str(file), 1, "there is no such file")])
        (folder / ACTIONS).mkdir()
        manifests = [parent / MANIFESTS for parent in (file.resolve().parent, file.resolve().parent.parent)]
        self._manifests = next((path for path in manifests if path.is_dir()), None)
        self._take_over()

    def declaration(self) -> Declaration:
        """The action of the file. Raises ``ConfigurationError`` with its mistakes at their lines of the file itself."""
        found: list[Declaration] = []

        def build(declaration: Declaration) -> Any:
            found.append(declaration)
            return action_of(declaration)

        try:
            load(self.folder, registry.load(), build)
        except ConfigurationError as error:
            raise ConfigurationError([self._at_home(problem) for problem in error.problems]) from error
        return found[0]

    def namespaces(self) -> list[dict[str, Any]]:
        """Those that the file writes out and that Acme may not have."""
        parts = [self._file.read_bytes(), *(path.read_bytes() for path in self._applied())]
        names = sorted(one for one in _namespaces_in(parts) if not one.endswith("*") and one not in _ACMES)
        return [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in names]

    async def follow(self, say: Callable[[str], object]) -> None:
        """Copies the file again whenever it changes, and says what is wrong with it; for ever."""
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                if not await asyncio.to_thread(self._take_over):
                    continue
                await asyncio.to_thread(self.declaration)
                say(f"  {self._file} was read again.")
            except ConfigurationError as error:
                for problem in error.problems:
                    say(f"  {problem}")
            except OSError as error:  # an editor is just replacing it
                log.info("%s cannot be read just now: %s", self._file, error)

    def _take_over(self) -> bool:
        """Copies what changed; whether anything did."""
        content = self._file.read_bytes()
        parts = [content, *(path.read_bytes() for path in self._applied())]
        seen = b"\0".join(parts)
        if seen == self._seen:
            return False
        self._copy.write_bytes(content)
        if self._manifests is not None:
            shutil.rmtree(self.folder / MANIFESTS, ignore_errors=True)
            shutil.copytree(self._manifests, self.folder / MANIFESTS)
        platform = (ACME / "platform.yml").read_text(encoding="utf-8")
        kinds, spaces = ", ".join(sorted(_kinds_in(parts))), ", ".join(sorted({*_ACMES, *_namespaces_in(parts)}))
        platform = _ALLOWED.sub("", platform) + f"\nactions: {{kinds: [{kinds}], namespaces: [{spaces}]}}\n"
        (self.folder / "platform.yml").write_text(platform, encoding="utf-8")
        self._seen = seen
        return True

    def _applied(self) -> Sequence[Path]:
        if self._manifests is None:
            return ()
        return sorted(path for path in self._manifests.rglob("*") if path.is_file())

    def _at_home(self, problem: Problem) -> Problem:
        """A mistake in a copy, told where the file itself stands."""
        path = Path(problem.file)
        if path == self._copy:
            return Problem(str(self._file), problem.line, problem.message)
        if self._manifests is not None and path.is_relative_to(self.folder / MANIFESTS):
            there = self._manifests / path.relative_to(self.folder / MANIFESTS)
            return Problem(str(there), problem.line, problem.message)
        return problem


class Opening:
    """Opens the action's form once, for who opens the page first, and offers that action alone after that."""

    def __init__(self, name: str, slack: LocalSlack, assistant: Assistant) -> None:
        self._name = name
        self._slack = slack
        self._assistant = assistant
        self._opened: asyncio.Task[None] | None = None

    async def offers(self, user: str) -> Sequence[Suggestion]:
        """What the page suggests while somebody types; it asks when it stands."""
        if self._opened is None:
            self._opened = asyncio.create_task(self._open(user))
        line = f"/platform {spoken(self._name)}"
        found = [one for one in await offered(self._assistant, user) if one.text == line]
        return [Suggestion(text=line, title=one.title, description=one.description) for one in found]

    async def _open(self, user: str) -> None:
        given = {"as": user, "channel": "platform-requests", "text": f"/platform {spoken(self._name)}"}
        with suppress(aiohttp.ClientError):  # then it is typed
            async with aiohttp.ClientSession() as session:
                await session.post(f"{self._slack.url}/sandbox/api/command", json=given)


def _kinds_in(files: Sequence[bytes]) -> set[str]:
    """The kinds that files seem to touch; what is really in them is read, and judged, like any configuration."""
    text = "\n".join(file.decode("utf-8", "replace") for file in files)
    found = {kind_of(api_version, kind) for api_version, kind in _MANIFEST.findall(text)}
    return {kind for kind in found | set(_REMOVED.findall(text)) if not kind_problem(kind)} | {"Job.batch"}


def _namespaces_in(files: Sequence[bytes]) -> set[str]:
    """The namespaces that files seem to touch beside the environment's; ``preview-*`` of ``preview-${inputs.name}``."""
    found = _NAMESPACE.findall(b"\n".join(files).decode("utf-8", "replace"))
    return {f"{name}*" if goes_on else name for name, goes_on in found}


def definitions(declaration: Declaration, cluster: PracticeCluster) -> Iterator[dict[str, Any]]:
    """A CustomResourceDefinition without a schema for every kind that the practice cluster does not have."""
    seen = set()
    for api_version, kind in _kinds(declaration.steps):
        group, _, version = api_version.partition("/")
        if not version or (group, kind) in seen or cluster.registry.of(api_version, kind) is not None:
            continue
        seen.add((group, kind))
        plural = f"{kind.lower()}s"
        anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema = {"openAPIV3Schema": {**anything, "properties": {"spec": anything, "status": anything}}}
        yield {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group, "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
                "versions": [{"name": version, "served": True, "storage": True, "schema": schema,
                              "subresources": {"status": {}}}],
            },
        }  # fmt: skip


def _kinds(steps: Sequence[DeclaredStep]) -> Iterator[tuple[str, str]]:
    for step in steps:
        yield from ((str(one.get("apiVersion")), str(one.get("kind"))) for one in step.templates)
        yield from _kinds(step.undo)
