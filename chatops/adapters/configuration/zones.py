"""Time zones, as several sections of ``platform.yml`` name them."""

from __future__ import annotations

from zoneinfo import ZoneInfo, available_timezones

from chatops.adapters.configuration.fields import Fields, suggestion


def zone(fields: Fields, default: str | None = None) -> str:
    """``timezone:``, which has to be there unless there is a default; UTC when it is wrong."""
    name = fields.text("timezone", required=default is None, like="like Europe/Berlin")
    if not name or _is_zone(name):
        return name or ("UTC" if default is None else default)
    there = suggestion(name, available_timezones())
    fields.wrong(fields.line("timezone"), f"has timezone {name!r}: there is no such zone{there}")
    return "UTC"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return False
    return True
