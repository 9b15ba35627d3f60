"""A declared action as its file says it, read and checked, before ``commands.declared`` makes an ``Action`` of it.

Everything that may hold CEL is kept as written: templates are parsed YAML whose string leaves may hold ``${CEL}``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from chatops.kernel.catalog import Record

InputType = Literal[
    "text", "integer", "number", "boolean", "choice", "service", "environment", "team", "person", "version",
    "duration", "datetime",
]  # fmt: skip
MINUTE = 60.0


class OptionsFrom(Record):
    """Options that are looked up: ``cel`` gives a list of texts (or a map label → value) out of ``catalog``; with
    ``kind`` the objects of that kind in the environment's namespace are listed and ``cel`` is asked of each
    ``object``."""

    cel: str
    kind: str = ""  # Kind or Kind.group


class DeclaredInput(Record):
    """One input; limits apply where the type has them (characters, numbers, seconds)."""

    name: str
    type: InputType
    title: str = ""
    help: str = ""
    required: bool = True
    default: Any = None
    default_from: str = ""  # CEL
    pattern: str = ""
    min_length: int | None = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    multiline: bool = False
    several: bool = False  # choice: any number of its options
    options: dict[str, Any] = Field(default_factory=dict)  # what people choose → what CEL sees
    options_from: OptionsFrom | None = None
    show_when: str = ""  # CEL; while it is false the input is not asked for and has its default


class Rule(Record):
    """What inputs have to fulfil together: CEL, and what is said at a field when it is false."""

    check: str
    message: str
    field: str = ""


class DeclaredJob(Record):
    """A Kubernetes Job of one container; leaves may hold ``${CEL}``."""

    image: str
    command: tuple[str, ...] = ()
    env: dict[str, str] = Field(default_factory=dict)


class DeclaredStep(Record):
    """One step. ``object`` is ``Kind/name`` in the core group, else ``Kind.group/name``; its leaves may hold
    ``${CEL}``."""

    kind: Literal["apply", "wait", "job", "remove"]
    name: str = ""
    templates: tuple[dict[str, Any], ...] = ()  # apply: the manifests
    object: str = ""  # wait, remove
    namespace: str = ""  # template; empty: the environment's
    until: str = ""  # wait: CEL over ``object`` and the rest
    fail_when: str = ""  # wait: CEL that is true when the object has failed for good; empty: nothing ends it early
    job: DeclaredJob | None = None
    outputs: dict[str, str] = Field(default_factory=dict)  # CEL over ``object``; read as steps.NAME.outputs.KEY
    timeout: float = 10 * MINUTE  # seconds
    retries: int = 3
    undo: tuple[DeclaredStep, ...] = ()
    line: int = 0  # where it stands in its file, for mistakes that only planning finds


class Declaration(Record):
    """One file under ``actions/``."""

    name: str
    title: str
    summary: str = ""
    risk: Literal["change", "danger"] = "change"
    inputs: tuple[DeclaredInput, ...] = ()
    positionals: tuple[str, ...] = ()  # empty: the required inputs in order
    rules: tuple[Rule, ...] = ()
    steps: tuple[DeclaredStep, ...] = ()
    outputs: dict[str, str] = Field(default_factory=dict)  # templates
    expires: float | str = 0.0  # seconds, or a template that gives them; 0: what it makes stays
    button: str = ""
    where: str = ""  # file, for messages
