"""The logs of several pods as one: read at once, masked, in the order of their times."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from chatops.kernel.errors import ClusterError, Forbidden, Unavailable
from chatops.kernel.masking import mask
from chatops.kernel.ports import ClusterReader
from chatops.kernel.rollout import pod_troubles

MOST_PODS = 20
LOOKED_THROUGH = 10_000  # lines of all pods when only some of them are wanted
PIECE = 8 * 1024  # characters
LONGEST = 2000  # characters of a line
MOST_REASONS, MOST_NAMES = 3, 3  # told of logs that can't be read

# Colours and other sequences for terminals (ECMA-48), and control characters that are no blanks
_UNSEEN = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")

Pod = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines; ``since`` in seconds, 0: all there are."""

    container: str
    since: int
    grep: str  # plain text, in any case
    previous: bool
    lines: int


class Line(NamedTuple):
    """One line, its time in RFC 3339 (UTC) as the kubelet wrote it."""

    at: str
    pod: str
    text: str


@dataclass(frozen=True, slots=True)
class Book:
    """What was found, newest last."""

    lines: tuple[Line, ...]
    cut: bool = False  # there were more lines than asked for
    masked: bool = False
    restarted: bool = False  # a container of these pods has run before
    silent: tuple[str, ...] = ()  # sentences on pods without a log
    heard: int = 0  # logs that could be read, empty ones too
    unread: int = 0  # logs that could not

    def text(self, *, full: bool, last: int = 0) -> str:
        """The lines as people read them; ``full``: whole times and pod names, else what fits on a phone."""
        shown = self.lines[-last:]
        several = len({line.pod for line in self.lines}) > 1
        if full:
            return "\n".join(f"{line.at} {line.pod} {line.text}".strip() for line in shown)
        names = _short({line.pod for line in self.lines})
        return "\n".join(f"{line.at[11:19]} {names[line.pod] + ' ' if several else ''}{line.text}" for line in shown)


async def read(cluster: ClusterReader, namespace: str, pods: Sequence[Pod], asked: Asked) -> Book:
    """Reads every pod's log; one that can't be read is told of, unless the cluster forbids it: that is raised.

    What arrived of a log that was cut is not shown: the newest lines, which people look for, would be missing. Raises
    ``Forbidden``.
    """
    known = sorted(pods, key=_born, reverse=True)[:MOST_PODS]
    having = [pod for pod in known if asked.container in _containers(pod)]
    most = asked.lines
    each = max(LOOKED_THROUGH // max(len(having), 1), 500) if asked.grep else most + 1
    found = await asyncio.gather(*(_lines(cluster, namespace, pod, asked, each) for pod in having))
    merged = sorted((line for one in found for line in one.lines), key=_moment)
    silent = [f"{len(pods) - MOST_PODS} more pods were not looked at."] if len(pods) > MOST_PODS else []
    silent += [one.older for one in found if one.older]
    silent += _unread(found)
    if not asked.previous:
        empty = [pod for pod, one in zip(having, found, strict=True) if not (one.lines or one.older or one.why)]
        silent += list(dict.fromkeys(one.sentence for one in pod_troubles(empty)))[:3]
    return Book(
        lines=tuple(merged[-most:]),
        cut=len(merged) > most,
        masked=any(one.masked for one in found),
        restarted=any(_restarts(pod, asked.container) for pod in having),
        silent=tuple(silent),
        heard=sum(not one.why for one in found),
        unread=sum(bool(one.why) for one in found),
    )


class _Log(NamedTuple):
    """What one pod's log gave."""

    pod: str
    lines: Sequence[Line] = ()
    masked: bool = False
    older: str = ""  # a sentence on lines that were not looked through
    why: str = ""  # it could not be read


def _unread(found: Sequence[_Log]) -> list[str]:
    """A sentence for each reason why logs can't be read, the commonest first."""
    by: dict[str, list[str]] = {}
    for one in found:
        if one.why:
            by.setdefault(one.why, []).append(one.pod)
    reasons = sorted(by.items(), key=lambda one: -len(one[1]))
    said = [f"The {_named(names)} can't be read: {why.rstrip('.')}." for why, names in reasons[:MOST_REASONS]]
    more = sum(len(names) for _, names in reasons[MOST_REASONS:])
    return [*said, f"{more} more log{'' if more == 1 else 's'} can't be read."] if more else said


def _named(pods: Sequence[str]) -> str:
    """``log of a``; ``logs of a, b and c``; ``logs of a, b, c and 2 more``."""
    names = sorted(pods)
    if len(names) == 1:
        return f"log of {names[0]}"
    if len(names) > MOST_NAMES:
        names[MOST_NAMES:] = [f"{len(names) - MOST_NAMES} more"]
    return f"logs of {', '.join(names[:-1])} and {names[-1]}"


async def _lines(cluster: ClusterReader, namespace: str, pod: Pod, asked: Asked, most: int) -> _Log:
    name = str(pod["metadata"]["name"])
    try:
        text = await cluster.logs(
            namespace, name, asked.container, lines=most, previous=asked.previous, since=asked.since, stamped=True
        )
    except Forbidden:
        raise
    except (ClusterError, Unavailable) as no:
        return _Log(name, why=no.message)
    lines, masked = await asyncio.to_thread(_parted, name, text)  # masking a megabyte takes a while
    word = asked.grep.casefold()
    found = [line for line in lines if not word or word in line.text.casefold()]
    older = f"Of {name} only the last {most:,} lines were looked through." if asked.grep and len(lines) >= most else ""
    return _Log(name, found, masked, older)


def _parted(pod: str, text: str) -> tuple[list[Line], bool]:
    """The lines of a masked log. Masked as a whole, for a key may stand on many lines, and before anybody searches it:
    else what is masked could be guessed letter by letter."""
    # What no terminal shows goes first: a colour in the middle of a password's name would hide it from the mask.
    pieces = [mask(piece) for piece in _pieces(_UNSEEN.sub("", text))]
    lines, at = [], ""
    for line in "".join(shown for shown, _ in pieces).removesuffix("\n").split("\n") if text else ():
        stamp, _, rest = line.partition(" ")
        if _is_time(stamp):
            at = stamp
        else:
            rest = line  # the rest of what was masked: it goes with the line before
        rest = rest.rstrip("\r").rpartition("\r")[2]  # a progress bar writes over itself
        lines.append(Line(at, pod, rest if len(rest) <= LONGEST else f"{rest[:LONGEST]}…"))
    return lines, any(masked for _, masked in pieces)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that take milliseconds each, for nothing else runs while one is masked; a private key and a
    name with its value stay together."""
    piece, length, key = list[str](), 0, False
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        piece.append(line)
        length += len(line)
        key = (key or "PRIVATE KEY-----" in line) and "-----END" not in line
        if length >= PIECE and not key and not line.rstrip().endswith((":", "=")):
            yield "".join(piece)
            piece, length = [], 0
    yield "".join(piece)


def _is_time(word: str) -> bool:
    return len(word) >= 20 and word[4] == "-" and word[10] == "T" and word[:4].isdigit()


def _moment(line: Line) -> tuple[str, str]:
    """Times of one zone order as text, once a fraction is there in all of them."""
    whole, _, fraction = line.at.rstrip("Z").partition(".")
    return whole, fraction.ljust(9, "0")


def _short(pods: set[str]) -> dict[str, str]:
    """Each pod by the end of its name, which tells pods of one workload apart."""
    ends = {pod: pod.rpartition("-")[2] for pod in pods}
    return ends if len(set(ends.values())) == len(pods) else {pod: pod for pod in pods}


def _containers(pod: Pod) -> list[str]:
    spec = pod["spec"]
    return [one["name"] for group in ("containers", "initContainers") for one in spec.get(group) or []]


def _restarts(pod: Pod, container: str) -> bool:
    states = (pod.get("status") or {}).get("containerStatuses") or []
    return any(one.get("name") == container and one.get("restartCount", 0) for one in states)


def _born(pod: Pod) -> datetime:
    return datetime.fromisoformat(str(pod["metadata"]["creationTimestamp"]).replace("Z", "+00:00"))
