"""What some tests want said at the end of a run, whichever worker they ran on."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints every ``record_property("said", …)``."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "said":
                    terminalreporter.write_line(str(value))
