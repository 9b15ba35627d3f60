"""Every action there is: the built-in ones, named here, and those that other distributions add by entry point.

A distribution adds one with ``[project.entry-points."platform_chatops.actions"] restart-node = "acme.nodes:RECORD"``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from chatops.kernel.action import Action, inputs_of
from chatops.kernel.errors import PlatformError
from commands import (
    adoption,
    ask,
    config_set,
    deploy,
    diagnose,
    dora,
    extend,
    freeze,
    help,
    incident,
    incidents,
    lock,
    logs,
    mine,
    oncall,
    page,
    pause,
    preferences,
    promote,
    remove,
    requests,
    restart,
    resume,
    review,
    rollback,
    scale,
    schedule,
    secret_confirm,
    secret_list,
    secret_rotate,
    secret_set,
    service,
    services,
    silence,
    status,
    why,
)

GROUP = "platform_chatops.actions"
_MODULES = (
    deploy, rollback, restart, scale, status, services, service, logs, diagnose, config_set, secret_set, secret_rotate,
    secret_list, secret_confirm, requests, mine, extend, remove, review, why, help, pause, resume, oncall, incidents,
    page, silence,
)  # fmt: skip
BUILT_IN = (
    *(module.RECORD for module in _MODULES),
    silence.END,
    oncall.OVERRIDE,
    oncall.RESTORE,
    oncall.TEST,
    *incident.RECORDS,
    *lock.RECORDS,
    *freeze.RECORDS,
    *promote.RECORDS,
    *schedule.RECORDS,
    dora.RECORD,
    adoption.RECORD,
    preferences.RECORD,
    ask.RECORD,
)


@cache
def _installed() -> tuple[EntryPoint, ...]:
    """Looked for once: what is installed stays the same while a process runs."""
    return tuple(entry_points(group=GROUP))


def load(
    added: Iterable[EntryPoint] | None = None, refused: Callable[[PlatformError], object] | None = None
) -> Mapping[str, Action]:
    """All actions by name, in the order help shows them.

    ``refused`` hears of each entry point that cannot be loaded, is no action or takes a name that is taken, and the
    others are loaded: one team's package must not take deploys from everybody. Without it the first is raised.
    """
    actions = {action.name: action for action in BUILT_IN}
    for point in _installed() if added is None else added:
        try:
            action = _loaded(point)
            if action.name in actions:
                said = f"entry point {point.name} ({point.value}): the action {action.name!r} exists already"
                raise PlatformError(said)
            actions[action.name] = action
        except PlatformError as broken:
            if refused is None:
                raise
            refused(broken)
    return actions


def _loaded(point: EntryPoint) -> Action:
    where = f"entry point {point.name} ({point.value})"
    try:
        action = point.load()
    except Exception as error:
        raise PlatformError(f"{where}: cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(action, Action):
        raise PlatformError(f"{where}: is a {type(action).__name__}, not a chatops.kernel.action.Action")
    known = {one.name for one in inputs_of(action.inputs)}
    missing = [name for name in action.positionals if name not in known]
    if missing or (action.answer is None) == (action.plan is None):
        said = f"positionals {missing} are no inputs" if missing else "needs either plan and apply, or answer"
        raise PlatformError(f"{where}: {said}")
    return action
