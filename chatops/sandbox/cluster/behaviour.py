"""What a practice image does, told by its tag, and what it writes to its log."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from .values import Obj


@dataclass(frozen=True)
class Behaviour:
    """Seconds are clockwork seconds. `exit_code` None: runs until stopped. `missing`: cannot be pulled."""

    missing: bool = False
    ready_after: float | None = 0.8
    exit_code: int | None = None
    exit_after: float = 0.6
    exit_reason: str = "Error"
    schedulable: bool = True
    start_error: str = ""


HEALTHY = Behaviour()


def tag_of(image: str) -> str:
    """The tag of an image reference; "latest" when it names none."""
    last = image.rsplit("/", 1)[-1].split("@", 1)[0]
    return last.split(":", 1)[1] if ":" in last else "latest"


def behaviour_of(container: Obj, *, finishes: bool = False) -> Behaviour:
    """How the container behaves; `finishes` is true for pods of Jobs, whose healthy containers end with 0."""
    tag = tag_of(container.get("image", ""))
    command = (container.get("command") or [""])[0]
    words = set(tag.split("-")[1:]) | ({tag} if "-" not in tag else set())
    if "missing" in tag:
        return Behaviour(missing=True)
    if "no-such" in command:
        why = (
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
            "failed: unable to start container process: error during container init: "
            f'exec: "{command}": stat {command}: no such file or directory'
        )
        return Behaviour(exit_code=128, exit_reason="StartError", exit_after=0, start_error=why, ready_after=None)
    if words & {"broken", "crash"}:
        return Behaviour(exit_code=1, ready_after=None)
    if "oom" in words:
        return Behaviour(exit_code=137, exit_reason="OOMKilled", ready_after=None, exit_after=1.0)
    if "unschedulable" in words:
        return Behaviour(schedulable=False)
    if finishes:
        return Behaviour(exit_code=0, exit_reason="Completed", exit_after=1.0)
    if "unready" in words:
        return Behaviour(ready_after=None)
    if "slow" in words:
        return Behaviour(ready_after=6.0)
    return HEALTHY


def program(container: Obj) -> str:
    image = str(container.get("image", "app"))
    return image.rsplit("/", 1)[-1].split(":")[0].split("@")[0]


def first_lines(container: Obj) -> list[str]:
    """What a container writes when it starts."""
    name, tag = program(container), tag_of(str(container.get("image", "")))
    port = next((p.get("containerPort") for p in container.get("ports") or []), 8080)
    return [
        f"INFO  starting {name} {tag}",
        "INFO  reading configuration from the environment",
        f"INFO  listening on 0.0.0.0:{port}",
    ]


def last_lines(container: Obj, behaviour: Behaviour) -> list[str]:
    """What a container writes before it dies."""
    name = program(container).replace("-", "_")
    if behaviour.start_error:
        return []
    if behaviour.exit_reason == "OOMKilled":
        return [
            "INFO  warming the cache",
            "WARN  heap at 91 percent of its limit",
            "WARN  heap at 98 percent of its limit",
        ]
    if behaviour.exit_code == 0:
        return ["INFO  done, 128 rows written"]
    return [
        "ERROR cannot start: missing setting PAYMENT_URL",
        "Traceback (most recent call last):",
        f'  File "/srv/{name}/__main__.py", line 31, in <module>',
        "    sys.exit(main())",
        f'  File "/srv/{name}/server.py", line 88, in main',
        "    settings = Settings.from_environment()",
        f'  File "/srv/{name}/settings.py", line 42, in from_environment',
        '    payment_url=environment["PAYMENT_URL"],',
        "KeyError: 'PAYMENT_URL'",
    ]


EVERY = dt.timedelta(seconds=10)
_PATHS = ("/healthz", "/metrics", "/api/items", "/api/items/17", "/healthz", "/api/cart")


def running_line(number: int, ready: bool) -> str:
    """The line a healthy container writes every ten seconds; the same number gives the same line."""
    if not ready:
        return "WARN  GET /ready 503 waiting for the database"
    path = _PATHS[number % len(_PATHS)]
    return f"INFO  GET {path} 200 {3 + number * 7 % 40}ms"
