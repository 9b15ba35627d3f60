"""Who may decide on an incident."""

from __future__ import annotations

from chatops.incidents.incident import Incident
from chatops.incidents.lifecycle import was_paged
from chatops.kernel.catalog import Platform
from chatops.kernel.errors import Refused
from chatops.kernel.people import Person


def check_has_or_may(platform: Platform, incident: Incident, person: Person) -> None:
    """Whoever has it, and who may take it; raises ``Refused``."""
    if incident.holder is None or incident.holder.id != person.id:
        check_may_take(platform, incident, person)


def check_may_take(platform: Platform, incident: Incident, person: Person) -> None:
    """The owning team, those who are ever paged for it, the platform team; of what nobody owns, anybody at home."""
    if not incident.team or incident.team in person.teams or was_paged(incident, person):
        return
    targets = {target for step in incident.escalation.get("steps", ()) for target in step["page"]}
    rotas = [rota for name, rota in platform.rotas.items() if f"rota:{name}" in targets]
    on_rota = any(person.is_named(one) for rota in rotas for one in rota.people)
    groups = {target.removeprefix("group:") for target in targets if target.startswith("group:")}
    named = any(person.is_named(one.removeprefix("user:")) for one in (*targets, *platform.operators))
    operator = any(one.removeprefix("group:") in person.groups for one in platform.operators)
    if not (on_rota or groups.intersection(person.groups) or named or operator):
        said = f"{incident.name} belongs to team {incident.team}."
        raise Refused(
            said,
            hint=f"Its people, and those who are paged for it, decide on it: `/platform page {incident.team}`.",
        )
