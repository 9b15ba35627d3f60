"""What some tests want said at the end of a run, whichever worker they ran on."""

from __future__ import annotations

import os

import pytest

# Every client reads the system's certificates, 26 ms each, also to speak plain HTTP on loopback: give it none to read.
# A real cluster (`make test-cluster`) may need them.
if not os.environ.get("CHATOPS_TEST_KUBECONFIG"):
    os.environ["SSL_CERT_FILE"] = os.environ["SSL_CERT_DIR"] = os.devnull


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints every ``record_property("said", …)``."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "said":
                    terminalreporter.write_line(str(value))
