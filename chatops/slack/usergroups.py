"""Members of Slack usergroups by handle; needs a paid plan and ``usergroups:read``, and does without."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.ports import Clock

log = logging.getLogger(__name__)

FRESH = 300.0  # seconds an answer counts
KEPT = 3600.0  # seconds the last good answer is kept when Slack gives no new one
AGAIN = 30.0  # seconds before a failed question is asked anew
# Answers that will not change by asking again soon: the groups' configured members stand alone.
_NEVER = frozenset(
    {"missing_scope", "paid_teams_only", "plan_upgrade_required", "not_allowed_token_type", "access_denied"}
)


class Usergroups:
    """Asks for all handles the configuration names, at most every five minutes."""

    def __init__(self, client: AsyncWebClient, clock: Clock, wanted: Callable[[], Iterable[str]]) -> None:
        self._client = client
        self._clock = clock
        self._wanted = wanted
        self._members: dict[str, frozenset[str]] = {}
        self._good_at = -KEPT  # when Slack last told us
        self._asked_at = -KEPT
        self._impossible = False
        self._lock = asyncio.Lock()

    def members(self, handle: str) -> frozenset[str]:
        """Ids of a usergroup's members; empty when nobody could say within the last hour."""
        if self._clock.now() - self._good_at > KEPT:
            return frozenset()
        return self._members.get(_bare(handle), frozenset())

    def fresh(self, handles: Collection[str]) -> bool:
        """Whether what is known of these handles may be used without asking Slack first."""
        now = self._clock.now()
        if self._impossible or not handles:
            return now - self._asked_at < KEPT or not handles
        return now - self._good_at < FRESH or now - self._asked_at < AGAIN

    async def refresh(self) -> None:
        """Asks Slack again, unless somebody just did. Failures keep what was known."""
        async with self._lock:
            wanted = {_bare(handle) for handle in self._wanted() if handle}
            if not wanted or self.fresh(wanted):
                return
            self._asked_at = self._clock.now()
            try:
                self._members = await self._ask(wanted)
            except SlackApiError as error:
                said = str(error.response.get("error"))
                self._impossible = said in _NEVER
                if self._impossible:
                    log.warning("usergroups can't be read (%s): only members named in the configuration count", said)
                else:
                    log.warning("usergroups can't be read now (%s)", said)
            except Exception as error:  # a lost connection: the last good answer stands for an hour
                log.warning("usergroups can't be read now (%s)", type(error).__name__)
            else:
                self._impossible, self._good_at = False, self._clock.now()

    async def _ask(self, wanted: set[str]) -> dict[str, frozenset[str]]:
        told = await self._client.usergroups_list(include_disabled=False)
        found: dict[str, frozenset[str]] = {}
        for group in told.get("usergroups") or ():
            if group.get("handle") in wanted:
                users = await self._client.usergroups_users_list(usergroup=group["id"])
                found[group["handle"]] = frozenset(users.get("users") or ())
        for handle in wanted - set(found):
            log.warning("there is no usergroup @%s", handle)
        return found


def _bare(handle: str) -> str:
    return handle.removeprefix("@")
