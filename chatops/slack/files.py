"""What goes along with an answer: files for one person, into their direct messages; pictures that a message shows."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient

from chatops.kernel.action import Answer, File
from chatops.kernel.errors import Unavailable
from chatops.notices.illustrating import Illustrator
from chatops.slack import errors

log = logging.getLogger(__name__)

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


@dataclass(frozen=True, slots=True)
class Attachments:
    """Brings to Slack what an answer has beside its words."""

    client: AsyncWebClient
    illustrator: Illustrator

    async def of(self, answer: Answer, user: str) -> Answer:
        """The answer with its picture in Slack and its file sent; or saying why one of them is not there."""
        answer = await self.illustrator.of(answer)
        return answer if answer.file is None else await self._sent(answer, answer.file, user)

    async def _sent(self, answer: Answer, file: File, user: str) -> Answer:
        try:
            await send(self.client, user, file, answer.title)
        except NOT_TAKEN as error:
            log.warning("%s could not be sent: %s", file.name, type(error).__name__)
            said = "Slack does not take files just now. Try again in a minute."
        else:
            said = "All of it is in a file that I sent you, in our direct messages."
        return replace(answer, file=None, lines=(*answer.lines, said))
