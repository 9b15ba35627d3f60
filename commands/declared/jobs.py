"""The Kubernetes Job of a ``job`` step: one container that runs once, for as long as its step may take."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

from chatops.kernel.cel import has_cel
from chatops.kernel.cel.render import parts_of
from chatops.kernel.declaration import DeclaredJob

CONTAINER = "job"
TIDIED_AFTER = 24 * 3600  # seconds after its end; its log is in the request's thread by then
LONGEST_NAME = 63  # of a Job, because its pods bear it as a label
ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no words appear; as Kubernetes does


def manifest(job: DeclaredJob, *, timeout: float, retries: int) -> dict[str, Any]:
    """The template of the Job without its name; its leaves are still to be filled in.

    ``timeout`` in seconds bounds all its tries together; a pod that fails is tried ``retries`` times more. It has no
    token of the cluster: https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """
    container: dict[str, Any] = {"name": CONTAINER, "image": job.image}
    if job.command:
        container["command"] = list(job.command)
    if job.env:
        container["env"] = [{"name": name, "value": value} for name, value in job.env.items()]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "spec": {
            "backoffLimit": retries,
            "activeDeadlineSeconds": max(1, int(timeout)),
            "ttlSecondsAfterFinished": TIDIED_AFTER,
            "template": {
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "containers": [container],
                }
            },
        },
    }


def with_texts(body: dict[str, Any]) -> dict[str, Any]:
    """The Job with its arguments and environment as texts: an expression may have given a number."""
    container = body["spec"]["template"]["spec"]["containers"][0]
    container["command"] = [_text(word) for word in container.get("command") or []]
    container["env"] = [{**one, "value": _text(one.get("value", ""))} for one in container.get("env") or []]
    full = {name: value for name, value in container.items() if value not in ([], None)}
    body["spec"]["template"]["spec"]["containers"] = [full]
    return body


def name_of(action: str, step: str, frozen: Mapping[str, str], key: str) -> str:
    """The Job's name: made up once, in the first plan (``frozen[key]``), so that a repeated run finds it again."""
    if key in frozen:
        return frozen[key]
    words = re.sub(r"[^a-z0-9]+", "-", f"{action}-{step}".lower()).strip("-")
    token = "".join(secrets.choice(ALPHABET) for _ in range(6))
    return f"{words[: LONGEST_NAME - 7].rstrip('-')}-{token}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    pieces = parts_of(value) if isinstance(value, str) and has_cel(value) else ()
    if len(pieces) == 1 and pieces[0].cel:  # filled in during the run, when it may come out as a number
        return f"${{string({pieces[0].text})}}"
    return str(value)
