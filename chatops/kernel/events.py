"""What a cluster's events warn of, in lines for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from chatops.kernel.masking import mask
from chatops.kernel.texts import shorten

# client-go's event correlator begins what it has put together so; the rest is the newest one's message.
_COMBINED = "(combined from similar events): "
# The random end of a pod's name (apimachinery's util/rand: neither vowels nor what looks like one).
_RANDOM = re.compile(r"-[bcdfghjklmnpqrstvwxz2456789]{5}\b")


def is_telling(event: Mapping[str, Any]) -> bool:
    """Whether an event warns of something that nothing else says.

    "Error: ImagePullBackOff" says in one word what the event before it and the pod's trouble say in full, and BackOff
    what the pod's trouble says, with its uid.
    """
    if event.get("type") != "Warning" or event.get("reason") == "BackOff":
        return False
    return not re.fullmatch(r"Error: \w+", str(event.get("message", "")).strip())


def told(events: Iterable[Mapping[str, Any]], longest: int) -> list[str]:
    """Each warning once, masked, with how often it came; messages are cut to ``longest`` characters.

    A quota refuses a pod of another name every time: what differs in nothing else is one warning, worded as its first.
    """
    worded: dict[tuple[str, str], str] = {}
    times: dict[tuple[str, str], int] = {}
    for event in events:
        reason = str(event.get("reason") or "Warning")
        said = " ".join(str(event.get("message", "")).split()).removeprefix(_COMBINED)
        key = (reason, _RANDOM.sub("", said))
        worded.setdefault(key, f"{reason}: {shorten(mask(said)[0], longest)}")
        times[key] = times.get(key, 0) + int(event.get("count") or (event.get("series") or {}).get("count") or 1)
    return [f"{line} ({times[key]} times)" if times[key] > 1 else line for key, line in worded.items()]
