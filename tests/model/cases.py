"""What an incident must be after whatever monitors and people do, in plain words: some fields and a list."""

from __future__ import annotations

from dataclasses import dataclass, field

from chatops.kernel.people import Person

WORDS = {"critical": "sev1", "error": "sev2", "warning": "sev3"}
UNRESOLVED = {"sev1": 1800.0, "sev2": 3600.0, "sev3": 4 * 3600.0, "sev4": 24 * 3600.0}
PAGES = {"sev1", "sev2"}
COMES_BACK_WITHIN = 900.0


@dataclass
class Case:
    """What a model believes of one incident; ``due`` is when somebody is paged next, 0: nobody is."""

    number: int
    service: str
    severity: str
    pages: bool
    since: float
    due: float
    state: str = "open"
    alerts: dict[str, tuple[str, str]] = field(default_factory=dict)  # by name: status and severity, as last told
    holder: Person | None = None
    judged: bool = False
    round: int = 1
    step: int = 0
    paged: set[str] = field(default_factory=set)
    resolved_at: float = 0.0
    trail: list[str] = field(default_factory=lambda: ["opened"])

    @property
    def firing(self) -> int:
        return sum(status == "firing" for status, _ in self.alerts.values())

    def asked(self, person: Person) -> bool:
        """Whether this person was paged; Dana's second account is a lead's."""
        return person.id in self.paged or (person.id == "U0DANA" and "U0DANATOO" in self.paged)

    # what happens ---------------------------------------------------------------------------------------------------

    def anew(self, now: float) -> None:
        """Nobody has it: paging begins with the first step."""
        self.holder, self.paged, self.step = None, set(), 0
        self.round, self.since, self.due = self.round + 1, now, now if self.pages else 0.0

    def held(self, person: Person, now: float) -> None:
        self.state, self.holder, self.due = "acknowledged", person, self.again(now)

    def again(self, now: float) -> float:
        """When whoever has it is paged again."""
        return now + UNRESOLVED[self.severity] if self.pages else 0.0

    def told(self, news: dict[str, tuple[str, str]], now: float) -> None:
        """Some of its alerts changed: worse makes it worse, and what fires again opens it again."""
        fires = [WORDS[word] for status, word in news.values() if status == "firing"]
        ended = self.state == "resolved"
        if ended:
            news = {name: one for name, one in news.items() if one[0] == "firing" or name in self.alerts}
        self.alerts |= news
        if not news or (ended and not fires):
            return
        if fires and not self.judged and min(fires) < self.severity:
            self.severity = min(fires)
            if self.severity in PAGES and not self.pages:
                self.pages = True
                if self.holder is None:
                    self.anew(now)
            if self.holder is not None and self.again(now):
                self.due = min(self.due or self.again(now), self.again(now))
        if ended:
            self.state, self.resolved_at = "open", 0.0
            self.anew(now)
            self.trail.append("reopened")
        else:
            self.trail.append("alerted" if self.firing else "calmed")

    def graded(self, severity: str, now: float) -> None:
        """A person says how bad it is."""
        paged, self.severity, self.pages, self.judged = self.pages, severity, severity in PAGES, True
        if self.holder is not None:
            self.due = self.again(now)
        elif not self.pages:
            self.due = 0.0
        elif not paged:
            self.since = self.due = now

    def steps(self, now: float) -> None:
        """Whoever is due is paged: Olu, ten minutes later the leads, twice; from then on all of them at once."""
        while self.state != "resolved" and 0 < self.due <= now:
            if self.state == "acknowledged":
                self.state = "open"
                self.anew(now)
                self.trail.append("taken_up_again")
                continue
            olu, leads = {"U0OLU"}, {"U0LEE", "U0SAM", "U0DANATOO"}
            self.paged |= (olu | leads) if self.step >= 4 else (olu, leads)[self.step % 2]
            self.step += 1
            self.due = max(now, self.since + offset(self.step))
            self.trail.append("paged")


def offset(step: int) -> float:
    """Seconds from the beginning of paging to a step."""
    return step // 2 * 1200.0 + step % 2 * 600.0 if step < 4 else (step - 2) * 1200.0
