"""A form or App Home on somebody's screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.forms import Fields
from tests.support.rendering import render_text

if TYPE_CHECKING:
    from tests.support.people import Person

Json = dict[str, Any]
WITHIN = 5.0


@dataclass
class Modal:
    """The form on top of somebody's screen; follows updates of the view."""

    person: Person
    id: str
    fields: Fields

    @property
    def view(self) -> Json:
        return next((view for view in self.person.views if view["id"] == self.id), {"type": "modal", "blocks": []})

    @property
    def is_open(self) -> bool:
        return any(view["id"] == self.id for view in self.person.views)

    @property
    def text(self) -> str:
        return render_text(self.view, self.person.names)

    @property
    def values(self) -> dict[str, Any]:
        """What stands in the fields, by label."""
        return self.fields.shown()

    async def fill(self, more: dict[str, Any] | None = None, /, **values: Any) -> Modal:
        """Fill in by label; picks options by their text, asks for those of typeaheads, waits for fields to appear."""
        await self.fields.fill({**(more or {}), **values})
        return self

    async def click(self, label: str) -> None:
        await self.person.click(self.view, label, view_id=self.id, state_values=self.fields.typed)

    async def submit(self) -> dict[str, str]:
        """Submit; errors by label, {} when it was accepted. Raises SlackSays when the app did not answer."""
        body = {"view_id": self.id, "values": self.fields.typed}
        answer = await self.person.act("submit", **body)
        labels = self.fields.labels()
        return {labels.get(block_id, block_id): text for block_id, text in answer.get("errors", {}).items()}

    async def becomes(self, *fragments: str, within: float = WITHIN) -> Modal:
        """Wait until the form shows all fragments."""

        def found() -> Modal | None:
            return self if self.is_open and all(one in self.text for one in fragments) else None

        return await self.person.wait(found, within, lambda: f"{fragments} in\n{self.text}")

    async def closes(self, within: float = WITHIN) -> None:
        await self.person.wait(lambda: None if self.is_open else True, within, lambda: f"{self.text} to close")

    async def close(self) -> None:
        await self.person.act("close", view_id=self.id)


@dataclass
class Home:
    """Somebody's App Home."""

    person: Person

    @property
    def text(self) -> str:
        view = self.person.home_view
        return render_text(view, self.person.names) if view else "(nothing yet)"

    async def click(self, label: str) -> None:
        view = self.person.home_view or {"blocks": []}
        await self.person.click(view, label, view_id=view.get("id"))
