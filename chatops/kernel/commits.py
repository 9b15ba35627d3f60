"""The commits between two versions of a service, as far as they are known."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from chatops.kernel.catalog import Platform

MOST_COMMITS = 5  # that are shown
MOST_AUTHORS = 20
_REF = re.compile(r"(?!.*\.\.)[\w./@+-]{1,200}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two states of a repository (``acme/checkout``): tags, branches or commits."""

    repository: str
    base: str
    head: str

    @property
    def path(self) -> str:
        """``v1.4.1...v1.4.2``, as it stands in addresses."""
        return f"{quote(self.base, safe='')}...{quote(self.head, safe='')}"


@dataclass(frozen=True, slots=True)
class Commit:
    """One of them, as people read it; ``login`` is empty when the author has none."""

    title: str
    author: str
    login: str = ""


@dataclass(frozen=True, slots=True)
class Compared:
    """How many commits the later state has that the earlier one has not, and the other way round.

    ``commits`` are some of the former, the newest first; ``authors`` the logins of those who wrote them.
    """

    ahead: int
    behind: int
    commits: tuple[Commit, ...] = ()
    authors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Between:
    """What is shown of it: a page that compares (``link``), and the page about the later version (``release``)."""

    label: str = ""  # v1.4.1...v1.4.2
    link: str = ""
    release: str = ""
    compared: Compared | None = None  # None: not known, perhaps not yet
    problem: str = ""  # why it won't be known


def comparison(platform: Platform, service: str, before: str, after: str) -> Comparison | None:
    """What is to be compared; None where the catalog names no repository, or a version is no tag or commit."""
    found = platform.services.get(service)
    if found is None or not found.repository or not before or not after or before == after:
        return None
    base, head = found.tag_of(before), found.tag_of(after)
    if not (_REF.fullmatch(base) and _REF.fullmatch(head)):  # a digest, or the image of somebody else
        return None
    return Comparison(found.repository, base, head)
