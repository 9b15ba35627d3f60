"""Files for one person: into their direct messages with the app, where nobody else sees them."""

from __future__ import annotations

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import File
from chatops.slack import errors

# Why a file could not be sent; whether it arrived is unknown for the last of them.
NOT_TAKEN: tuple[type[Exception], ...] = (SlackApiError, *errors.AWAY)


async def send(client: AsyncWebClient, user: str, file: File, title: str) -> None:
    """Sends a file to a person; raises one of ``NOT_TAKEN``."""
    opened = await client.conversations_open(users=[user])
    await client.files_upload_v2(
        channel=opened["channel"]["id"], filename=file.name, title=title, content=file.content,
        initial_comment=f"{title}.",
    )  # fmt: skip
