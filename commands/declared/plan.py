"""The plan of a declared action: its templates filled in, judged, and tried out on the cluster without changing it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC
from typing import Any

from chatops.kernel.action import Context
from chatops.kernel.catalog import Environment
from chatops.kernel.declaration import Declaration, DeclaredStep
from chatops.kernel.errors import ClusterError, InputError, Refused
from chatops.kernel.plan import Change, ObjectRef, Plan, Step, Write
from chatops.kernel.variables import around
from commands.declared import guard, inputs, jobs
from commands.declared.looking import Look, Looker, key
from commands.declared.templates import Sheet, is_deferred

LONGEST_STAY = 366 * 86400.0  # seconds


async def planned(declaration: Declaration, given: Any, ctx: Context) -> Plan:
    """What the steps of a declaration would do with these inputs.

    Raises ``Refused``, ``Unavailable`` or a ``ClusterError`` that names the step.
    """
    cluster, environment, evaluate = ctx.cluster, ctx.environment, ctx.evaluate
    if cluster is None or environment is None or evaluate is None:
        raise Refused(f"{declaration.name} names no environment to do it in: give it an input called environment.")
    now = ctx.now.astimezone(UTC).replace(microsecond=0).isoformat()
    ctx = replace(ctx, frozen={"now": now, **ctx.frozen})
    sheet = Sheet()
    _write_down(declaration, sheet)
    await sheet.work_out(around(inputs.seen(declaration, given), ctx), evaluate)
    for rule in declaration.rules:
        if sheet.values[rule.check] is not True:
            raise InputError(rule.message, field=rule.field)
    looker = Looker(ctx, cluster, environment.name)
    made = _Making(declaration, ctx, environment, sheet, looker, dict(ctx.frozen))
    for number, step in enumerate(declaration.steps, start=1):
        await made.add(step, f"step {number}")
    return made.plan(declaration)


def _write_down(declaration: Declaration, sheet: Sheet) -> None:
    for rule in declaration.rules:
        sheet.ask(rule.check, "rules")
    for number, step in enumerate(declaration.steps, start=1):
        for one, where in ((step, f"step {number}"), *((undo, f"step {number}, undo") for undo in step.undo)):
            for value, place in _templates(one):
                sheet.write(value, _at(f"{where} ({one.kind})", place))
    for name, template in declaration.outputs.items():
        sheet.write(template, f"outputs.{name}")
    sheet.write(declaration.expires, "expires")


def _templates(step: DeclaredStep) -> Iterator[tuple[Any, str]]:
    for number, template in enumerate(step.templates):
        yield template, _place(step, number)
    if step.job is not None:
        yield jobs.manifest(step.job, timeout=step.timeout, retries=step.retries), ""
    yield step.object, "object"
    yield step.namespace, "namespace"


def _place(step: DeclaredStep, number: int) -> str:
    return f"manifest {number + 1}" if len(step.templates) > 1 else ""


def _at(where: str, place: str) -> str:
    """``step 2 (wait), object``: what messages begin with."""
    return f"{where}, {place}" if place else where


@dataclass(slots=True)
class _Making:
    """A plan in the making: its steps, and what has been learned about the objects so far."""

    declaration: Declaration
    ctx: Context
    environment: Environment
    sheet: Sheet
    looker: Looker
    frozen: dict[str, str]
    steps: list[Step] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)  # what would be made, changed, run, removed
    first: str = ""  # the name of the first object that something is done to
    _shown: dict[str, str] = field(default_factory=dict)  # str(ref) → key

    async def add(self, declared: DeclaredStep, where: str) -> None:
        """One more step with its undo; one that has nothing to do is left out."""
        step = await self._explained(declared, where, back=False)
        if step is not None:
            undo = [await self._explained(one, f"{where}, undo", back=True) for one in declared.undo]
            self.steps.append(step.model_copy(update={"undo": tuple(one for one in undo if one is not None)}))

    async def _explained(self, declared: DeclaredStep, where: str, *, back: bool) -> Step | None:
        """The step; what the cluster refuses says at which step."""
        at = f"{where} ({declared.kind})"
        try:
            return await self._step(declared, at, back=back)
        except ClusterError as error:
            error.message = f"{at}: {error.message}"
            error.args = (error.message,)
            raise

    async def _step(self, declared: DeclaredStep, at: str, *, back: bool) -> Step | None:
        base: dict[str, Any] = {
            "name": declared.name,
            "outputs": declared.outputs,
            "timeout": declared.timeout,
            "retries": declared.retries,
        }
        if declared.kind == "apply":
            return await self._apply(declared, at, base, back=back)
        if declared.kind == "job":
            return await self._job(declared, at, base, back=back)
        ref = await self._named(declared, at)
        if declared.kind == "wait":
            self._spare_secrets(ref, declared, at)
            deferred = "${" in ref.name
            return Step(
                kind="wait", title=f"wait for {ref}", refs=(ref,), until=declared.until,
                fail_when=declared.fail_when, deferred=deferred, **base,
            )  # fmt: skip
        return await self._remove(ref, at, base, back=back)

    # apply and job ---------------------------------------------------------------------------------------------------

    async def _apply(self, declared: DeclaredStep, at: str, base: Mapping[str, Any], *, back: bool) -> Step:
        later = is_deferred(declared.templates)
        looks = []
        for number, template in enumerate(declared.templates):
            place = _at(at, _place(declared, number))
            body = self.sheet.made(template, place, again=later)
            looks.append(await self._object(body, declared, place, deferred=later, back=back))
            self._spare_secrets(looks[-1].write.ref, declared, at)
        names = [str(look.write.ref) for look in looks]
        title = f"apply {names[0]}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
        return Step(
            kind="apply", title=title, writes=tuple(look.write for look in looks), deferred=later,
            created=tuple(name for look, name in zip(looks, names, strict=True) if look.created), **base,
        )  # fmt: skip

    async def _object(
        self, body: Any, declared: DeclaredStep, at: str, *, deferred: bool, back: bool, job: bool = False
    ) -> Look:
        write = await self._write(body, declared, at)
        ref = write.ref
        if back:
            return Look(write, False, ())
        look = await self.looker.look(write, at, deferred=deferred)
        self.changes += look.changes
        self.warnings += look.warnings
        self.first = self.first or ("" if job else ref.name)
        fields = f"{len(look.changes)} field{'' if len(look.changes) == 1 else 's'}"
        if job:
            self.words.append(f"runs {ref}")
        elif look.created:
            self.words.append(f"makes {ref}")
        elif look.changes:
            self.words.append(f"changes {fields} of {ref}")
        return look

    async def _write(self, body: Any, declared: DeclaredStep, at: str) -> Write:
        """The write of one template that is filled in. Raises ``Refused`` for what is no object, or not allowed."""
        metadata = body.get("metadata") if isinstance(body, dict) else None
        metadata = metadata if isinstance(metadata, dict) else {}
        words = [body.get("apiVersion"), body.get("kind"), metadata.get("name")] if metadata else []
        if not words or not all(isinstance(word, str) and word for word in words):
            raise Refused(f"{at}: an object needs texts for apiVersion, kind and metadata.name.", rule="template")
        api_version, kind, name = words
        if is_deferred([api_version, kind, name, metadata.get("namespace", "")]):
            said = "what an object is called and where it is has to be known before anyone approves."
            raise Refused(f"{at}: {said}", rule=guard.RULE)
        group = api_version.partition("/")[0] if "/" in api_version else ""
        _, namespaced = await self.looker.resolve(kind, group, at)
        namespace = str(metadata.get("namespace") or self._namespace(declared, at)) if namespaced else ""
        ref = self._known(ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name), at)
        if guard.is_secret(ref) and (body.get("data") or body.get("stringData")):
            hint = "Use secret set, secret rotate, or a Job that makes the value where it is needed."
            raise Refused(f"{at}: a Secret's values never pass through the assistant.", rule=guard.RULE, hint=hint)
        manager = f"chatops-{self.declaration.name.replace('.', '-')}"
        return Write(ref=ref, manager=manager, body=body)

    async def _job(self, declared: DeclaredStep, at: str, base: Mapping[str, Any], *, back: bool) -> Step:
        if declared.job is None:
            raise TypeError(f"{at}: a job step without its job")
        template = jobs.manifest(declared.job, timeout=declared.timeout, retries=declared.retries)
        later = is_deferred(template)
        body = jobs.with_texts(self.sheet.made(template, at, again=later))
        place = f"job.{len(self.steps) + 1}{'.undo' if back else ''}"
        step = declared.name or str(len(self.steps) + 1)
        self.frozen[place] = jobs.name_of(self.declaration.name, step, self.frozen, place)
        body["metadata"] = {"name": self.frozen[place]}
        look = await self._object(body, declared, at, deferred=later, back=back, job=True)
        ref = look.write.ref
        if not back and not look.created:
            raise Refused(f"{at}: {ref} is there already, and a Job is run but once.")
        return Step(
            kind="job", title=f"run {ref}", writes=(look.write,), created=(str(ref),), deferred=later, **base
        )  # fmt: skip

    # wait and remove -------------------------------------------------------------------------------------------------

    async def _named(self, declared: DeclaredStep, at: str) -> ObjectRef:
        """The object of a wait or a removal; only a wait's name may still be open."""
        later = is_deferred(declared.object)
        if later and declared.kind == "remove":
            raise Refused(f"{at}: what is removed has to be known before anyone approves.", rule=guard.RULE)
        title, _, name = str(self.sheet.made(declared.object, f"{at}, object", again=later)).partition("/")
        if is_deferred(title) or not name:
            raise Refused(f"{at}: {declared.object} is no object: write Kind/name or Kind.group/name.")
        kind, _, group = title.partition(".")
        api_version, namespaced = await self.looker.resolve(kind, group, at)
        namespace = self._namespace(declared, at) if namespaced else ""
        ref = ObjectRef(api_version=api_version, kind=kind, namespace=namespace, name=name)
        return self._known(ref, at, looks=declared.kind == "wait", later=later)

    async def _remove(self, ref: ObjectRef, at: str, base: Mapping[str, Any], *, back: bool) -> Step | None:
        step = Step(kind="remove", title=f"remove {ref}", refs=(ref,), **base)
        if key(ref) in self.looker.making:
            return step
        live = await self.looker.owned(ref, at)
        if back:  # it was there before, and stays; or it is not there, and whoever makes it keeps it
            if live is None:
                self.warnings.append(f"Undoing does not remove {ref}: none of these steps applies it")
            return None
        if live is None:
            return None
        self.changes.append(Change(object=str(ref), field="metadata.name", before=ref.name, after=None))
        self.words.append(f"removes {ref}")
        self.first = self.first or ref.name
        return step.model_copy(update={"uids": {str(ref): str(live["metadata"]["uid"])}})

    # what all share --------------------------------------------------------------------------------------------------

    @staticmethod
    def _spare_secrets(ref: ObjectRef, declared: DeclaredStep, at: str) -> None:
        """Raises ``Refused`` for outputs that read a Secret: they would end up on the card."""
        if guard.is_secret(ref) and declared.outputs:
            raise Refused(f"{at}: what a Secret holds never passes through the assistant.", rule=guard.RULE)

    def _namespace(self, declared: DeclaredStep, at: str) -> str:
        if not declared.namespace:
            return self.environment.namespace
        return self.sheet.text(declared.namespace, f"{at}, namespace")

    def _known(self, ref: ObjectRef, at: str, *, looks: bool = False, later: bool = False) -> ObjectRef:
        """The object, when it may be touched. Raises ``Refused`` naming the step."""
        judged = ref.model_copy(update={"name": "later"}) if later else ref  # it is judged again when it is known
        try:
            guard.check(judged, self.ctx.platform, self.environment, looks=looks)
        except Refused as no:
            raise Refused(f"{at}: {no.message}", rule=no.rule, hint=no.hint) from no
        if self._shown.setdefault(str(ref), key(ref)) != key(ref):
            raise Refused(f"{at}: two different objects are called {ref}; a card could not tell them apart.")
        return ref

    def plan(self, declaration: Declaration) -> Plan:
        """The whole plan."""
        undone = any(step.undo for step in self.steps)
        only_waits = all(step.kind == "wait" for step in declaration.steps)
        waits = [f"nothing; {step.title.replace('wait', 'waits', 1)}" for step in self.steps[:1]] if only_waits else []
        summary = self.first or self._about()  # the card puts the action's title before it
        outputs = {
            name: str(self.sheet.made(template, f"outputs.{name}", again=True) or "")
            for name, template in declaration.outputs.items()
        }
        return Plan(
            summary=summary,
            changes=tuple(self.changes),
            warnings=tuple(dict.fromkeys(self.warnings)),
            now="" if self.changes or only_waits else "Nothing would change: everything is as it should be.",
            impact=" · ".join(self.words or waits),
            on_failure="what was made is undone backwards" if undone else "it stays as far as it came",
            frozen=self.frozen,
            steps=tuple(self.steps),
            outputs=outputs,
            expires=self._expires(declaration),
            only_waits=only_waits,
            risk=guard.risk_of(self.steps),
        )

    def _about(self) -> str:
        return self.ctx.service.name if self.ctx.service else ""

    def _expires(self, declaration: Declaration) -> float:
        found = self.sheet.made(declaration.expires, "expires")
        if found is None:
            return 0.0
        try:
            span = inputs.seconds(found) if isinstance(found, str) and not found.isdigit() else float(found)
        except ValueError as wrong:
            raise Refused(f"expires: {wrong}", rule="template") from wrong
        if not 0 <= span <= LONGEST_STAY:
            raise Refused(f"expires: {span:g} seconds is not between now and a year from now.", rule="template")
        return float(span)
