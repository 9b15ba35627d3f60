"""A proxy before Slack and one before the cluster, for a house whose peers are in trouble."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from chatops.sandbox.slack import LocalSlack
from tests.support.between import HOST, Between, Port


class Wires:
    """Ends with the house; what is still wrong then is taken back."""

    slack: Between
    cluster: Between

    async def __aenter__(self) -> Self:
        self._laid: list[Between] = []
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for wire in self._laid:
            wire.speaking.set()
            await wire.close()

    async def lay(self, slack: LocalSlack, kubeconfig: dict[str, Any]) -> None:
        """Lets what Slack tells the app (its API, sockets, response URLs) and the kubeconfig lead through them."""
        self.slack, address = await self._before(slack.url)
        slack.known_as(address)
        server = kubeconfig["clusters"][0]["cluster"]
        self.cluster, server["server"] = await self._before(server["server"])

    async def _before(self, url: str) -> tuple[Between, str]:
        port = Port(urlsplit(url).port or 0)
        wire = Between(port)
        await wire.open()
        self._laid.append(wire)
        return wire, f"http://{HOST}:{port.port}"
