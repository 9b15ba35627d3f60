"""What lies between the two versions of a deploy, put together from the configuration and what is stored."""

from __future__ import annotations

from approvals.request import Request
from chatops.kernel.catalog import Platform
from chatops.kernel.commits import Between, Comparison, comparison
from chatops.kernel.ports import Tx
from chatops.notices import comparisons, releases

VERSIONED = frozenset({"deploy", "rollback"})  # the actions whose plan goes from a version to a version


def compared(platform: Platform, request: Request) -> Comparison | None:
    """What a request's card and notice compare."""
    if request.action not in VERSIONED or request.plan is None:
        return None
    return comparison(platform, request.service, request.plan.before, request.plan.after)


def of_request(tx: Tx, platform: Platform, request: Request) -> Between:
    """What a request's card and notice show of it."""
    version = request.plan.after if request.action in VERSIONED and request.plan is not None else ""
    return between(tx, platform, compared(platform, request), request.service, version)


def between(tx: Tx, platform: Platform, asked: Comparison | None, service: str, version: str) -> Between:
    """What is known of a comparison, and of the later version."""
    release = releases.page_of(tx, service, version) if version else ""
    if asked is None:
        return Between(release=release)
    link = f"{platform.github.web}/{asked.repository}/compare/{asked.path}"
    found, problem = comparisons.find(tx, asked)
    return Between(f"{asked.base}...{asked.head}", link, release, found, problem)
