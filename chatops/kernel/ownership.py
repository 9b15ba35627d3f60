"""Who owns which field of an object, read from its ``managedFields``: foreign owners, drift, takeovers. Pure.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from chatops.kernel.diff import BOOKKEEPING, is_secret, item_name, step

OURS = "chatops-"
ARGO = ("argocd-controller", "argocd-application-controller")
# They write fields as a matter of course; that is no drift.
CONTROLLERS = frozenset(
    {"kube-controller-manager", "kube-scheduler", "kubelet", "kube-apiserver", "cluster-autoscaler"}
)
_DECLARATIVE = "kubectl-client-side-apply"
_NO_DRIFT = (*BOOKKEEPING, "kubectl.kubernetes.io/restartedAt")  # a restart leaves the workload as it was
_EMPTY: Mapping[str, Any] = {}


def foreign_owner(live: Mapping[str, Any]) -> str:
    """The tool that owns a workload and would undo our change: ``Argo CD (application shop)``; empty when none does.

    Argo CD: https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/ (the label
    ``app.kubernetes.io/instance`` alone proves nothing: Helm charts and operators set it, too). Flux: the labels its
    controllers put on what they apply. Helm: https://helm.sh/docs/topics/charts_tips_and_tricks/
    """
    metadata = live["metadata"]
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    managers = {entry.get("manager", "") for entry in _entries(live)}
    application = annotations.get("argocd.argoproj.io/tracking-id", "").partition(":")[0]
    application = application or labels.get("argocd.argoproj.io/instance", "")
    if application or managers & set(ARGO):
        return f"Argo CD (application {application or labels.get('app.kubernetes.io/instance', 'unknown')})"
    for kind, group, manager in (
        ("Kustomization", "kustomize.toolkit.fluxcd.io", "kustomize-controller"),
        ("HelmRelease", "helm.toolkit.fluxcd.io", "helm-controller"),
    ):
        if annotations.get(f"{group}/reconcile") == "disabled":
            continue
        name = labels.get(f"{group}/name", "")
        if name or manager in managers:
            return f"Flux ({kind} {labels.get(f'{group}/namespace', '')}/{name})" if name else f"Flux ({kind})"
    release = annotations.get("meta.helm.sh/release-name", "")
    if release or labels.get("app.kubernetes.io/managed-by") == "Helm" or "helm" in managers:
        return f"Helm (release {release})" if release else "Helm"
    return ""


def drift(live: Mapping[str, Any], now: datetime, would: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """What others changed since our last apply, and what our apply would take from them, in sentences.

    Without an apply of ours the newest declarative apply counts as the base. ``would``: the object after the dry run.
    """
    base, ours = _base(live)
    born = moment(live["metadata"].get("creationTimestamp"))
    lost = _lost(live, would) if would is not None else {}
    said: list[str] = []
    for entry in _entries(live):
        manager, when = str(entry.get("manager", "")), _time(entry)
        fields = sorted(_fields(entry))
        if manager.startswith(OURS) or not fields:
            continue
        taken = [field for field in fields if field in lost.get(_key(entry), ())]
        if _edits(entry) and _is_news(entry, when, base, ours) and not _created(entry, born):
            kept = [field for field in fields if field not in taken]
            said += [_sentence(kept, live, manager, when, now, "it stays", "they stay")] if kept else []
            changed = ("this changes it", "this changes them")
            said += [_sentence(taken, live, manager, when, now, *changed)] if taken else []
        elif taken and _is_declared(entry):  # its owner would set it again; a command typed once would not
            said.append(f"{_names(taken)} {'is' if len(taken) == 1 else 'are'} taken over from {manager}")
    return tuple(dict.fromkeys(said))


def made_by(live: Mapping[str, Any], manager: str, *, alone: bool = False) -> bool:
    """Whether ``manager``'s apply brought the object into being: nobody else had written to it before.

    Times are whole seconds, and applying the same once more leaves an entry's time as it is. ``alone``: nobody but us
    may have written to it yet, which must hold for the answer to the very first apply.
    """
    entries = [entry for entry in _entries(live) if not entry.get("subresource")]
    ours = [one for one in entries if one.get("manager") == manager and one.get("operation") == "Apply"]
    if not ours or (_time(ours[0]) - moment(live["metadata"].get("creationTimestamp"))).total_seconds() > 1:
        return False
    others = [one for one in entries if one not in ours and one.get("manager") not in CONTROLLERS]
    return not others if alone else all(_time(one) >= _time(ours[0]) for one in others)


def fields_of(entry: Mapping[str, Any]) -> frozenset[str]:
    """The leaf fields of one entry of ``managedFields``, as ``kernel.diff`` writes paths."""
    return frozenset(_leaves(entry.get("fieldsV1") or _EMPTY, "", ""))


def set_by(live: Mapping[str, Any], field: str) -> str:
    """The field manager that last wrote a field, which is named by the end of its path; empty when none is noted."""
    writers = [one for one in _entries(live) if any(path.endswith(field) for path in fields_of(one))]
    return str(max(writers, key=_time).get("manager", "")) if writers else ""


def day(then: datetime, now: datetime) -> str:
    """``today``, ``yesterday`` or ``on 3 March``; days are UTC's, for a card is read in many time zones."""
    days = (now.astimezone(UTC).date() - then.astimezone(UTC).date()).days
    if days <= 0:
        return "today"
    if days == 1:
        return "yesterday"
    year = "" if then.year == now.year else f" {then.year}"
    return f"on {then.day} {then:%B}{year}"


def moment(text: str | None) -> datetime:
    """An RFC 3339 time of the API; the epoch when it is absent."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")) if text else datetime.fromtimestamp(0, UTC)


def _entries(live: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Who owns what outside the status."""
    return [entry for entry in live["metadata"].get("managedFields") or [] if entry.get("subresource") != "status"]


def _base(live: Mapping[str, Any]) -> tuple[datetime, bool]:
    entries = _entries(live)
    ours = [_time(entry) for entry in entries if str(entry.get("manager", "")).startswith(OURS)]
    if ours:
        return max(ours), True
    declared = [_time(entry) for entry in entries if _is_declared(entry)]
    return max(declared, default=moment(live["metadata"].get("creationTimestamp"))), False


def _is_declared(entry: Mapping[str, Any]) -> bool:
    return entry.get("operation") == "Apply" or entry.get("manager") == _DECLARATIVE


def _edits(entry: Mapping[str, Any]) -> bool:
    """Whether it stands for a person or a tool, not for a controller or an autoscaler."""
    return entry.get("manager") not in CONTROLLERS and not entry.get("subresource")


def _created(entry: Mapping[str, Any], born: datetime) -> bool:
    """Whether it is the entry of who made the object: only then is the selector written."""
    return _time(entry) <= born and any(field.startswith("spec.selector") for field in fields_of(entry))


def _is_news(entry: Mapping[str, Any], when: datetime, base: datetime, ours: bool) -> bool:
    # Times are whole seconds: an edit by hand in the second of our apply is news, a manifest applied then is not.
    return when > base or (ours and when == base and not _is_declared(entry))


def _fields(entry: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(field for field in fields_of(entry) if not field.startswith("status"))


def _lost(live: Mapping[str, Any], would: Mapping[str, Any]) -> dict[tuple[str, ...], frozenset[str]]:
    after = {_key(entry): _fields(entry) for entry in _entries(would)}
    return {_key(entry): _fields(entry) - after.get(_key(entry), frozenset()) for entry in _entries(live)}


def _key(entry: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(entry.get(name, "")) for name in ("manager", "operation", "apiVersion", "subresource"))


def _time(entry: Mapping[str, Any]) -> datetime:
    return moment(entry.get("time"))


def _leaves(tree: Mapping[str, Any], path: str, name: str) -> Iterator[str]:
    for key, below in tree.items():
        mark, _, rest = key.partition(":")
        if mark == "k":
            at = f"{path}[{item_name(name, json.loads(rest))}]"
            values = {one for one in below if one not in (".", "f:name")}
            if name == "env" and values <= {"f:value"}:
                yield at
            else:
                yield from _leaves({one: below[one] for one in below if one != "f:name"}, at, "")
        elif mark == "v":
            yield f"{path}[{json.loads(rest)}]"
        elif mark == "f" and not rest.startswith(_NO_DRIFT):
            at = step(path, rest)
            if [one for one in below if one != "."]:
                yield from _leaves(below, at, rest)
            elif not below:
                yield at


def _sentence(
    fields: list[str], live: Mapping[str, Any], manager: str, when: datetime, now: datetime, one: str, many: str
) -> str:
    if len(fields) == 1:
        verb = _set_to(fields[0], live) or "was edited"
        return f"{_names(fields)} {verb} by {manager} {day(when, now)}; {one}"
    return f"{_names(fields)} were edited by {manager} {day(when, now)}; {many}"


def _set_to(field: str, live: Mapping[str, Any]) -> str:
    """What an image or the replicas were set to; other values may be long or secret."""
    if field == "spec.replicas":
        return f"was set to {live['spec'].get('replicas')}"
    if not field.endswith("].image") or is_secret(field):
        return ""
    container = field.rpartition("[")[2].partition("]")[0]
    containers = live["spec"]["template"]["spec"].get("containers") or []
    image = next((one.get("image", "") for one in containers if one.get("name") == container), "")
    return f"was set to {tag_of(image)}" if image else ""


def tag_of(image: str) -> str:
    """The tag or digest of an image reference; the whole reference when it has neither."""
    _, at, digest = image.partition("@")
    if at:
        return digest
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return tag if colon else image


def _names(fields: Iterable[str]) -> str:
    names = list(dict.fromkeys(_name(field) for field in fields))
    if len(names) > 3:
        return f"{names[0]}, {names[1]} and {len(names) - 2} more fields"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _name(field: str) -> str:
    """A field as people call it."""
    if field.endswith("].image") and "containers[" in field:
        return "the image"
    if field == "spec.replicas":
        return "the number of replicas"
    if ".env[" in field:
        return field.rpartition(".env[")[2].partition("]")[0]
    return field.removeprefix("spec.template.spec.").removeprefix("spec.template.").removeprefix("spec.")
