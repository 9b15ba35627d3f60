"""What an action asks for, given what has been filled in so far; and whether what was filled in may be asked for.

Every CEL expression of inputs and rules is evaluated here, for forms and lines alike: ``show_when``, ``default_from``,
``options_from``, ``rules``. An input whose ``show_when`` is not true has its default; a rule that cannot be evaluated
refuses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from approvals import policy
from chatops.kernel.action import Action, Asked, Input, inputs_of
from chatops.kernel.catalog import Platform
from chatops.kernel.cel import CelError, spoken_of
from chatops.kernel.cel.syntax import CelSyntaxError
from chatops.kernel.declaration import Rule
from chatops.kernel.errors import ClusterError, InputError, Unavailable
from chatops.kernel.people import Person
from chatops.kernel.ports import Directory
from chatops.kernel.several import NONE
from chatops.requests.lookups import Catalog, Objects, Options, options_of, why_silent
from chatops.requests.parse import InputErrors, parse, valid_values
from chatops.requests.planning import Planner
from chatops.requests.typed import as_text, choices, settled

Values = Mapping[str, Any]
_DEEPEST = 10  # inputs that show or preset one another in a row
_PLACES = {"env": "environment", "service": "service"}  # the variables that an input of this name gives


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a form shows beyond the action itself, all by input name."""

    hidden: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)  # as typed; of inputs that were not given
    options: Mapping[str, Options] = field(default_factory=dict)  # of those that are looked up
    silent: Mapping[str, str] = field(default_factory=dict)  # why there are no options now
    unsure: Mapping[str, str] = field(default_factory=dict)  # why nobody can say whether an input is asked for


def is_dynamic(action: Action) -> bool:
    """Whether what is asked for depends on what was filled in before."""
    return any(
        one.asked.show_when or one.asked.options_from or one.asked.default_from for one in inputs_of(action.inputs)
    )


def blank(action: Action) -> Sheet:
    """The sheet while nothing is known: what may not apply is not shown yet."""
    return Sheet(hidden=frozenset(one.name for one in inputs_of(action.inputs) if one.asked.show_when))


def asks_cluster(action: Action) -> bool:
    """Whether options are looked up in a cluster."""
    return any(one.asked.options_from and one.asked.options_from.kind for one in inputs_of(action.inputs))


def depended_on(action: Action) -> frozenset[str]:
    """The inputs on which others depend: a form listens to them."""
    names = {one.name for one in inputs_of(action.inputs)}
    found: set[str] = set()
    for one in inputs_of(action.inputs):
        for expression in _expressions(one.asked):
            for variable, name in _spoken(expression):
                found |= names if variable == "inputs" and not name else {_PLACES.get(variable, name)}
    if asks_cluster(action):
        found.add("environment")
    return frozenset(found & names)


@dataclass(slots=True)
class Sheets:
    """Evaluates with limits, in a worker; nothing here changes anything."""

    planner: Planner
    directory: Directory
    _objects: Objects | None = None
    _seen: tuple[Platform, Catalog] | None = None

    async def look(self, action: Action, values: Values, person: Person, *, cluster: bool) -> Sheet:
        """The sheet for these values, as typed; ``cluster``: also ask the cluster for options. Raises nothing."""
        if not is_dynamic(action):
            return Sheet()
        sheet = await self._settle(action, values, person)
        asking = [one for one in inputs_of(action.inputs) if one.asked.options_from and one.name not in sheet.hidden]
        if not asking:
            return sheet
        variables = self._variables(action, _with(values, sheet), person)
        found = await asyncio.gather(*(self._options(action, one, variables, person, cluster) for one in asking))
        options = {one.name: given for one, given in zip(asking, found, strict=True) if isinstance(given, Mapping)}
        silent = {one.name: why for one, why in zip(asking, found, strict=True) if isinstance(why, str)}
        return replace(sheet, options=options, silent=silent)

    async def check(self, action: Action, values: Values, person: Person, *, deep: bool) -> BaseModel:
        """The inputs, when all is well with them; raises ``InputErrors``.

        ``deep`` takes its time: asks Slack who people are, and the cluster for options.
        """
        given = {name: value for name, value in values.items() if value not in (None, "")}
        sheet = await self.look(action, given, person, cluster=deep)
        fields = {one.name: one for one in inputs_of(action.inputs)}
        errors = [_not_asked(fields[name], sheet) for name in given if name in sheet.hidden]
        whole = _with(given, sheet)
        errors += [error for one in fields.values() if (error := _needed(one, whole, sheet))]
        platform = self.planner.configuration.platform
        whole, wrong = await settled(action, whole, person, self.planner.clock.now(), self.directory, deep=deep)
        errors += wrong
        errors += [error for one in fields.values() if (error := _unoffered(one, whole, sheet))]
        try:
            inputs = parse(action, whole, platform)
        except InputErrors as found:
            known = {error.field for error in errors}
            raise InputErrors([*errors, *(one for one in found.errors if one.field not in known)]) from None
        if errors:
            raise InputErrors(errors)
        if broken := await self._broken(action, inputs, person):
            raise InputErrors(broken)
        return inputs

    # inside ----------------------------------------------------------------------------------------------------------

    async def _settle(self, action: Action, values: Values, person: Person) -> Sheet:
        """Evaluates until nothing changes: what one input shows or presets may show another one."""
        fields = inputs_of(action.inputs)
        shows = [(one, one.asked.show_when) for one in fields if one.asked.show_when]
        presets = [(one, one.asked.default_from) for one in fields if one.asked.default_from]
        sheet = blank(action)
        for _ in range(min(len(shows) + len(presets), _DEEPEST) + 1):
            variables = self._variables(action, _with(values, sheet), person)
            whole = [self._catalog().variables(expression, variables) for _, expression in presets]
            pairs: list[tuple[str, Mapping[str, Any]]] = [(expression, variables) for _, expression in shows]
            pairs += [(expression, seen) for (_, expression), seen in zip(presets, whole, strict=True)]
            given = await self.planner.evaluate(pairs)
            hidden, unsure, defaults = set(), {}, {}
            for (one, expression), value in zip(shows, given, strict=False):
                if value is not True:
                    hidden.add(one.name)
                if isinstance(value, CelError) and not _lacks(expression, variables, "catalog"):
                    unsure[one.name] = value.message
            for (one, _), value in zip(presets, given[len(shows) :], strict=True):
                if values.get(one.name) in (None, "") and (text := as_text(one, value)):
                    defaults[one.name] = text
            after = Sheet(frozenset(hidden), defaults, unsure=unsure)
            if after == sheet:
                break
            sheet = after
        return sheet

    def _variables(self, action: Action, values: Values, person: Person) -> dict[str, Any]:
        """What CEL sees of a form; what is not known yet is not there, so that what depends on it waits for it."""
        platform, names = self.planner.configuration.platform, {one.name for one in inputs_of(action.inputs)}
        given = valid_values(action, values)
        environment = platform.environments.get(str(given.get("environment", "")))
        service = platform.services.get(str(given.get("service", "")))
        now = datetime.fromtimestamp(self.planner.clock.now(), UTC)
        facts = policy.facts(action, {}, person, environment=environment, service=service, now=now)
        known = {name: facts[name] for name in ("env", "service", "requester", "now")}
        for variable, name in _PLACES.items():
            if name in names and name not in given:
                del known[variable]
        known["inputs"] = action.variables(given) if action.variables is not None else given
        return known

    def _catalog(self) -> Catalog:
        platform = self.planner.configuration.platform
        if self._seen is None or self._seen[0] is not platform:
            self._seen = (platform, Catalog(platform))
        return self._seen[1]

    async def _options(
        self, action: Action, one: Input, variables: Mapping[str, Any], person: Person, cluster: bool
    ) -> Options | str | None:
        """The options, or why there are none; None while what they depend on is not known."""
        asked = one.asked.options_from
        if asked is None or _lacks(asked.cel, variables, "object", "catalog"):
            return None
        if not asked.kind:
            given = await self.planner.evaluate(self._catalog().pairs(asked.cel, variables))
            return _offered(given)
        environment = str(variables.get("env", {}).get("name", ""))
        if not environment:
            return None
        if self._objects is None:
            self._objects = Objects(self.planner.evaluate)
        spoken = {name: variables[name] for name, _ in _spoken(asked.cel) if name in variables}
        key = (action.name, one.name, environment, person.id, asked.kind, asked.cel, repr(sorted(spoken.items())))
        ctx = self.planner.context(_Place(environment=environment), person)
        if not cluster:
            return self._objects.remembered(key, ctx.now.timestamp())
        try:
            return await self._objects.look(key, asked, spoken, ctx)
        except (Unavailable, ClusterError, CelError) as error:
            return why_silent(error)

    async def _broken(self, action: Action, inputs: BaseModel, person: Person) -> list[InputError]:
        """The rules that the inputs break, and those that cannot be evaluated: those refuse too."""
        if not action.rules:
            return []
        variables = self._variables(action, inputs.model_dump(), person)
        variables["inputs"] = action.variables(inputs) if action.variables is not None else inputs.model_dump()
        given = await self.planner.evaluate([(rule.check, variables) for rule in action.rules])
        return [_refusal(rule, value) for rule, value in zip(action.rules, given, strict=True) if value is not True]


class _Place(BaseModel):
    """Inputs that name an environment, for the context of a lookup."""

    environment: str


def _refusal(rule: Rule, value: Any) -> InputError:
    if value is False:
        return InputError(rule.message, field=rule.field)
    why = value.message if isinstance(value, CelError) else "it gives neither true nor false"
    said = f"Whether this holds could not be checked: “{rule.message}” ({why})."
    return InputError(said, field=rule.field, hint="So it is refused; the platform team can tell more.")


def _not_asked(one: Input, sheet: Sheet) -> InputError:
    if why := sheet.unsure.get(one.name):
        return InputError(f"Whether {one.title} is asked for here could not be worked out ({why}).", field=one.name)
    hint = f"It is asked for only when `{one.asked.show_when}`: leave it out."
    return InputError(f"{one.title} does not apply here.", field=one.name, hint=hint)


def _needed(one: Input, values: Values, sheet: Sheet) -> InputError | None:
    """An input that its model cannot insist on, for it is asked for only sometimes."""
    if not one.asked.needed or values.get(one.name) not in (None, "", NONE):
        return None
    if one.name in sheet.unsure:
        return _not_asked(one, sheet)
    return None if one.name in sheet.hidden else InputError(f"{one.title} is needed.", field=one.name)


def _unoffered(one: Input, values: Values, sheet: Sheet) -> InputError | None:
    """A looked-up choice that is none of the options; while they can't be had, what was typed is believed."""
    options, value = sheet.options.get(one.name), values.get(one.name)
    if options is None or value in (None, ""):
        return None
    strange = next((word for word in choices(one, value) if word not in options.values()), "")
    if not strange:
        return None
    some = ", ".join(list(options)[:8])
    hint = f"There are {some}{' and more' if len(options) > 8 else ''}." if options else "There is nothing to choose."
    return InputError(f"There is no {one.title.lower()} called {strange[:60]!r}.", field=one.name, hint=hint)


def _with(values: Values, sheet: Sheet) -> dict[str, Any]:
    """The values with defaults, without what is hidden."""
    whole = {name: value for name, value in values.items() if name not in sheet.hidden}
    return whole | {name: text for name, text in sheet.defaults.items() if name not in sheet.hidden}


def _expressions(asked: Asked) -> Sequence[str]:
    cel = asked.options_from.cel if asked.options_from else ""
    return [one for one in (asked.show_when, asked.default_from, cel) if one]


def _spoken(expression: str) -> list[tuple[str, str]]:
    """(variable, field or "") that an expression speaks of."""
    try:
        return [(path.partition(".")[0], path.partition(".")[2]) for path in spoken_of(expression)]
    except CelSyntaxError:
        return []


def _offered(given: Sequence[Any]) -> Options | str:
    """The options in the answers to one expression, or why there are none."""
    if errors := [one for one in given if isinstance(one, CelError)]:
        return why_silent(errors[0])
    try:
        return options_of(given[0] if len(given) == 1 else [row for part in given for row in part])
    except (TypeError, ValueError) as wrong:
        return why_silent(CelError(str(wrong)))


def _lacks(expression: str, variables: Mapping[str, Any], *but: str) -> bool:
    """Whether an expression speaks of what is not known yet."""
    inputs = variables.get("inputs", {})
    return any(
        variable not in variables or (variable == "inputs" and bool(name) and name not in inputs)
        for variable, name in _spoken(expression)
        if variable not in but
    )
