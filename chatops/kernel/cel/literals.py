"""Checks constants that are understood only when a function is called with them: times, durations, patterns, zones."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

Problem = tuple[str, str] | None


def _timestamp(text: str) -> Problem:
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        return f'"{text}" is no time in RFC 3339', '"2026-12-24T00:00:00Z"'
    if read.tzinfo is None or "T" not in text.upper():
        return f'"{text}" says no time zone', f'"{text[:10]}T{text[11:] or "00:00:00"}Z"'
    return None


def _duration(text: str) -> Problem:
    if re.fullmatch(r"[-+]?(0|(\d+(\.\d+)?(h|m|s|ms|us|ns))+)", text):
        return None
    days = re.fullmatch(r"(\d+)([dw])", text)
    hours = int(days[1]) * (24 if days[2] == "d" else 168) if days else 4
    return f'"{text}" is no duration of CEL, which knows h, m, s and ms', f'"{hours}h"'


def _regex(text: str) -> Problem:
    if found := re.search(r"\(\?(?:[=!]|<[=!])|\\[1-9]", text):
        return (
            f"the pattern may not use {found.group()}: CEL's patterns (RE2) have no look-around or back-references",
            "",
        )
    try:
        re.compile(text)
    except re.error as error:
        return f'"{text}" is no pattern: {error}', ""
    return None


def _zone(text: str) -> Problem:
    try:
        ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        return f'there is no time zone "{text}"', '"Europe/Berlin"'
    return None


_BY_FUNCTION = {"timestamp": _timestamp, "duration": _duration, "matches": _regex}


def literal_problem(function: str, text: str) -> Problem:
    """What is wrong with a constant given to a function, and what would be right; None: nothing."""
    if function.startswith("get"):
        return _zone(text)
    checked = _BY_FUNCTION.get(function)
    return checked(text) if checked else None
