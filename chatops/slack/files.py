"""Files for one person, into their direct messages with the app; and pictures that a message shows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import File
from chatops.kernel.errors import Unavailable
from chatops.slack import errors

UPLOADS = 20.0  # seconds for the three calls that bring a picture to Slack

# Why a file could not be sent; whether it arrived is unknown for the last of them.
NOT_TAKEN: tuple[type[Exception], ...] = (SlackApiError, *errors.AWAY)


async def send(client: AsyncWebClient, user: str, file: File, title: str) -> None:
    """Sends a file to a person; raises one of ``NOT_TAKEN``."""
    opened = await client.conversations_open(users=[user])
    await client.files_upload_v2(
        channel=opened["channel"]["id"], filename=file.name, title=title, content=file.content,
        initial_comment=f"{title}.",
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SlackPictures:
    """Pictures in Slack that nobody sees before a message of ours shows them.

    A file that is shared when it is uploaded makes a message by itself, which cannot be found again after a lost answer
    nor edited. This one is shown by a post (an image block, ``slack_file``), which can; what a crash leaves behind is a
    file that nobody sees. https://docs.slack.dev/reference/block-kit/composition-objects/slack-file-object
    """

    client: AsyncWebClient

    async def keep(self, name: str, title: str, picture: bytes) -> str:
        """Uploads a PNG and gives its file's id; raises ``Unavailable``."""
        try:
            async with asyncio.timeout(UPLOADS):
                answer = await self.client.files_upload_v2(
                    filename=name, title=title, content=picture, highlight_type="png"
                )
            return str(answer["files"][0]["id"])
        except SlackApiError as error:
            raise Unavailable(f"Slack did not take the picture ({errors.slack_said(error)})") from error
        except (SlackClientError, KeyError, IndexError) as error:
            raise Unavailable(f"Slack did not take the picture ({type(error).__name__})") from error
        except errors.AWAY as error:
            raise Unavailable(f"Slack did not take the picture ({type(error).__name__})") from error
