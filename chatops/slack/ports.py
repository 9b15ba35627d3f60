"""What the listeners need from the inner parts; ``chatops.requests.road.Road`` is the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol

from chatops.kernel.action import Action, Answer, Button, Questions
from chatops.kernel.people import Person
from chatops.kernel.ports import Tx
from chatops.requests.sheets import Sheet

Verdict = Literal["approve", "reject", "withdraw"]
Choice = Literal["cancel", "wait", "replace", "start", "break_glass"]


class Asked(Protocol):
    """A request that was taken in."""

    @property
    def id(self) -> int: ...
    @property
    def post(self) -> str: ...
    @property
    def channel(self) -> str: ...
    @property
    def fresh(self) -> bool: ...


class HomePage(Protocol):
    """What App Home shows of a person."""

    @property
    def waiting(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def mine(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def buttons(self) -> Sequence[Button]: ...
    @property
    def paused(self) -> str: ...
    @property
    def incidents(self) -> Sequence[str]: ...
    @property
    def oncall(self) -> Sequence[str]: ...
    @property
    def held(self) -> Sequence[str]: ...
    @property
    def services(self) -> Sequence[str]: ...
    @property
    def current(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def wishes(self) -> Sequence[str]: ...
    @property
    def change(self) -> Button | None: ...
    @property
    def scheduled(self) -> Sequence[str]: ...


class Road(Protocol):
    """What people can do."""

    @property
    def actions(self) -> Mapping[str, Action]: ...
    @property
    def questions(self) -> Questions: ...

    def permit(self, person: Person, action: str = "") -> None: ...

    def offered(self, person: Person | None) -> Mapping[str, Action]: ...

    def parse(self, action: str, values: Mapping[str, Any]) -> Any: ...

    async def check(self, action: str, values: Mapping[str, Any], *, person: Person) -> Any: ...

    async def sheet(self, action: str, values: Mapping[str, Any], *, person: Person, cluster: bool) -> Sheet: ...

    async def ask(
        self,
        action: str,
        values: Mapping[str, Any],
        *,
        person: Person,
        key: str,
        channel: str = "",
        thread_ts: str = "",
        break_glass: bool = False,
    ) -> Asked: ...

    async def answer(
        self, action: str, values: Mapping[str, Any], *, person: Person, asked_at: float, key: str, again: bool
    ) -> Answer: ...

    async def preview(self, action: str, values: Mapping[str, Any], *, person: Person) -> tuple[str, ...]: ...

    async def first_page(self, *, person: Person) -> Answer: ...

    async def diff(self, request: int, *, person: Person) -> str: ...

    async def vote(
        self, request: int, digest: str, verdict: Verdict, *, person: Person, key: str, reason: str = "",
        told: Callable[[Tx, str], None],
    ) -> str: ...  # fmt: skip

    async def choose(
        self, request: int, choice: Choice, *, person: Person, key: str, reason: str = "", saw: str = "",
        told: Callable[[Tx, str], None],
    ) -> str: ...  # fmt: skip

    async def home(self, *, person: Person) -> HomePage: ...
