"""Whether a place of the catalog is among those that a section of the configuration names. Pure."""

from __future__ import annotations

from chatops.kernel.catalog import Environment, Freeze, Route, Service


def covers(one: Route | Freeze, environment: Environment | None, service: Service | None, team: str = "") -> bool:
    """Whether each list that it has names what the place is; all empty: every place.

    ``team``: whose it is where it is about no service.
    """
    fits = (
        (one.environments, environment.name if environment else ""),
        (one.tiers, environment.tier if environment else ""),
        (one.teams, service.team if service else team),
        (one.services, service.name if service else ""),
    )
    return all(not names or found in names for names, found in fits)
