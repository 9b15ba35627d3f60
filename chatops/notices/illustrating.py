"""The picture of an answer: drawn in a process of its own, and given to Slack before a message shows it."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from chatops.kernel.action import Answer
from chatops.kernel.chart import Pictures
from chatops.kernel.errors import Unavailable
from chatops.kernel.panels import PanelPainter

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Illustrator:
    """Gives answers their pictures."""

    painter: PanelPainter
    pictures: Pictures

    async def of(self, answer: Answer) -> Answer:
        """The answer with its picture in Slack; or saying why it is not there."""
        if answer.panels is None:
            return answer
        panels, answer = answer.panels, replace(answer, panels=None)
        drawn = await self.painter.paint(panels)
        if not drawn.picture:
            log.error("the picture of %r could not be drawn: %s", panels.title, drawn.problem)
            return replace(answer, lines=(*answer.lines, f"There is no picture: {drawn.problem}."))
        try:
            file = await self.pictures.keep("figures.png", panels.title, drawn.picture)
        except Unavailable as away:
            return replace(answer, lines=(*answer.lines, f"There is no picture: {away.message}."))
        return replace(answer, image=(file, panels.title))
