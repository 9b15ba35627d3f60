"""What is done by the one replica that leads, and what replicas tell each other (``kernel.replicas``)."""

from __future__ import annotations

from collections.abc import Callable

from chatops.kernel.replicas import Replicas

Act = Callable[[str], object]


class Bells:
    """Who hears what; used on the event loop."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas

    def leads(self) -> bool:
        """Whether this replica does what only one may do."""
        return self._replicas.leads.is_set()

    def led(self, bell: str, act: Act) -> Callable[[str], None]:
        """A call that is acted on by who leads: here, or there when the bell is heard."""

        def heard(what: str) -> None:
            if self.leads():
                act(what)

        def call(what: str) -> None:
            if self.leads():
                act(what)
            else:
                self._replicas.ring(bell, what)

        self._replicas.on(bell, heard)
        return call

    def here(self, bell: str, wake: Callable[[], object]) -> Callable[[], bool]:
        """Whether to begin here what only the leader does; where not, the leader is woken for it."""
        elsewhere = self.led(bell, lambda _: wake())

        def asked() -> bool:
            if not self.leads():
                elsewhere("")
            return self.leads()

        return asked
