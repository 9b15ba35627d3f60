"""The manifests that a step applies: YAML documents whose string leaves may hold ``${CEL}``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from chatops.adapters.configuration.document import Node, read_documents
from chatops.adapters.configuration.expressions import Words, leaf_mistakes, line_at
from chatops.adapters.configuration.fields import LABEL, SUBDOMAIN, Fields, Problems, suggestion
from chatops.adapters.configuration.kinds import KIND, RBAC, kind_of, off_limits
from chatops.adapters.configuration.problems import ConfigurationError
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import parts

MANIFESTS = "manifests"
MOST = 100  # manifests of one step
_NAME_CHARACTERS = re.compile(r"[a-z0-9.-]*")


class Manifests:
    """Reads what ``apply`` names: a text of documents, or a folder under ``manifests/`` of the configuration."""

    def __init__(self, folder: Path, contents: Mapping[str, bytes], platform: Platform, *, placed: bool) -> None:
        self._folder = folder
        self._contents = contents
        self._platform = platform
        self._placed = placed  # whether an environment's namespace is there for what names none
        self._read: dict[str, list[Node] | ConfigurationError] = {}

    def of(self, step: Fields, words: Words) -> tuple[dict[str, Any], ...]:
        """The manifests of one step; what is wrong is told at its line of its file."""
        node = step.given("apply")
        if node is None:
            return ()
        if isinstance(node.value, dict) and "folder" in node.value:
            found = self._of_folder(step, node, words)
        elif isinstance(node.value, str):
            found = self._of_text(step, node, words)
        else:
            how = (
                "write `apply: |` and the manifest below it, indented" if isinstance(node.value, dict) else "it is text"
            )
            step.wrong(node.line, f"has {node.kind} as apply: {how}; or name a folder: {{folder: {MANIFESTS}/NAME}}")
            return ()
        if len(found) > MOST:
            step.wrong(node.line, f"applies {len(found)} objects: at most {MOST}, make more steps")
        return tuple(found)

    def _of_text(self, step: Fields, node: Node, words: Words) -> list[dict[str, Any]]:
        try:
            documents = read_documents(node.value, step.problems.file, node.text_line)
        except ConfigurationError as error:
            step.problems.found += error.problems
            return []
        if not documents:
            step.wrong(node.line, "applies nothing: write a manifest")
        return [self._manifest(document, step.where, step.problems, words) for document in documents]

    def _of_folder(self, step: Fields, node: Node, words: Words) -> list[dict[str, Any]]:
        inner = Fields(node, f"{step.where} apply", step.problems)
        inner.only("folder")
        written = inner.text("folder")
        path = PurePosixPath(written)
        if not written:
            return []
        if path.is_absolute() or ".." in path.parts or path.parts[:1] != (MANIFESTS,):
            inner.wrong(inner.line("folder"), f"has folder {written!r}: it is {MANIFESTS}/ or a folder below it")
            return []
        names = sorted(name for name in self._contents if path in PurePosixPath(name).parents)
        if not names:
            known = {str(PurePosixPath(name).parent) for name in self._contents if name.startswith(f"{MANIFESTS}/")}
            inner.wrong(
                inner.line("folder"), f"has folder {path}, which holds no .yml files{suggestion(str(path), known)}"
            )
        return [one for name in names for one in self._of_file(name, step, words)]

    def _of_file(self, name: str, step: Fields, words: Words) -> Iterator[dict[str, Any]]:
        file = str(self._folder / name)
        if name not in self._read:
            try:
                self._read[name] = read_documents(self._contents[name], file)
            except ConfigurationError as error:
                self._read[name] = error
        documents = self._read[name]
        if isinstance(documents, ConfigurationError):
            step.problems.found += documents.problems
            return
        problems = Problems(file)
        for document in documents:
            yield self._manifest(document, "the manifest", problems, words)
        step.problems.found += problems.found

    def _manifest(self, node: Node, where: str, problems: Problems, words: Words) -> dict[str, Any]:
        fields = Fields(node, where, problems)
        if not isinstance(node.value, dict):
            return {}
        api_version = fields.text("apiVersion", required=True, like="like v1 or apps/v1")
        kind = fields.text("kind", required=True, pattern=KIND, like="a kind is like ConfigMap")
        for key in ("apiVersion", "kind"):
            if "${" in (value := api_version if key == "apiVersion" else kind):
                fields.wrong(fields.line(key), f"has {key} {value!r}: it is written out, so that it can be checked")
        if kind == "List" or (kind.endswith("List") and fields.has("items")):
            fields.wrong(fields.line("kind"), "is a list: write each object as a document of its own, with --- between")
        elif kind and api_version and (why := off_limits(kind_of(api_version, kind), self._platform.allowed.kinds)):
            fields.wrong(fields.line("kind"), f"may not touch a {kind_of(api_version, kind)}: {why}")
        self._metadata(fields, words, rbac=api_version.startswith(f"{RBAC}/"))
        found: dict[str, Any] = self._plain(node, where, problems, words)
        return found

    def _metadata(self, fields: Fields, words: Words, *, rbac: bool) -> None:
        node = fields.given("metadata")
        if node is None:
            if "metadata" not in fields.names():
                fields.wrong(fields.line("metadata"), "needs metadata with a name")
            return
        inner = Fields(node, f"{fields.where} metadata", fields.problems)
        if inner.has("generateName"):
            inner.wrong(inner.line("generateName"), "has generateName: give it a name, so that the plan can show it")
        elif "name" not in inner.names():
            inner.wrong(inner.line("name"), 'needs a name, like "${inputs.service}-db"')
        for key, pattern, like in (
            ("name", SUBDOMAIN, "a name is lower case letters, digits, dashes and dots (RFC 1123)"),
            ("namespace", LABEL, "a namespace is lower case letters, digits and dashes (RFC 1123)"),
        ):
            if (value := inner.get(key)) is not None and not (rbac and key == "name"):  # roles are called system:node
                named(inner, value, key, words, pattern, like)
        if not inner.has("namespace") and not self._placed and self._platform.allowed.kinds is None:
            inner.wrong(inner.line("namespace"), "needs a namespace: there is no input environment that would give one")
        if (value := inner.get("namespace")) is not None and isinstance(value.value, str) and "${" not in value.value:
            self._namespace(inner, value)

    def _namespace(self, fields: Fields, node: Node) -> None:
        if problem := namespace_problem(node.value, self._platform):
            fields.wrong(node.line, f"has namespace {node.value}: {problem}")

    def _plain(self, node: Node, where: str, problems: Problems, words: Words) -> Any:
        """The value without its lines; every leaf is looked at, at its line."""
        if isinstance(node.value, dict):
            for key in node.value:
                if "${" in key:
                    problems.add(node.key_lines[key], f"{where} has the key {key!r}: only values may hold ${{…}}")
            return {key: self._plain(one, where, problems, words) for key, one in node.value.items()}
        if isinstance(node.value, list):
            return [self._plain(one, where, problems, words) for one in node.value]
        if isinstance(node.value, str):
            for offset, sentence in leaf_mistakes(node.value, words, text=False):
                problems.add(line_at(node, offset), f"{where} {sentence}")
        return node.value


def named(fields: Fields, node: Node, key: str, words: Words, pattern: re.Pattern[str], like: str) -> None:
    """Checks a name that may hold ``${CEL}``: it gives text, and what is written out fits names."""
    leaf = fields.as_text(node, key)
    if not leaf or leaf_mistakes(leaf, words, text=False):
        return  # told when every leaf is looked at
    pieces = parts(leaf)
    for offset, sentence in leaf_mistakes(leaf, words, text=True):
        fields.wrong(line_at(node, offset), f"{key}: {sentence}")
    if any(piece.cel for piece in pieces):
        fits = all(piece.cel or _NAME_CHARACTERS.fullmatch(piece.text) for piece in pieces)
        fits = fits and leaf[0] not in ".-" and leaf[-1] not in ".-"
    else:
        fits = bool(pattern.fullmatch(leaf))
    if not fits:
        fields.wrong(node.line, f"has {key} {leaf!r}: {like}")


def namespace_problem(name: str, platform: Platform) -> str:
    """Why a namespace that is written out may not be touched, or ``""``."""
    allowed, own = platform.allowed.namespaces, [one.namespace for one in platform.environments.values()]
    known = own if allowed is None else allowed
    if not own or any(name.startswith(one[:-1]) if one.endswith("*") else name == one for one in known):
        return ""  # without environments that section has mistakes of its own
    what = "it belongs to no environment: " if allowed is None else ""
    return f"{what}add {name} to namespaces of actions in platform.yml to allow it"
