"""The log tells what nobody foresaw with its traceback, and what was foreseen in one line."""

import logging

import pytest

from chatops.kernel.accidents import Foreseen
from chatops.kernel.errors import PlatformError, Unavailable

AWAY = Unavailable("Another chatops has taken over the database.", hint="Try again in a moment.")


def logged(error: Exception) -> str:
    try:
        raise error
    except Exception as caught:
        found = (type(caught), caught, caught.__traceback__)
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "%s failed", ("paging",), found)
    assert Foreseen().filter(record)
    return logging.Formatter("%(levelname)s %(message)s").format(record)


@pytest.mark.parametrize("error", [AWAY, ExceptionGroup("two", [ExceptionGroup("one", [AWAY]), AWAY])])
def test_that_something_is_away_is_one_line(error: Exception) -> None:
    assert logged(error) == "WARNING paging failed: Another chatops has taken over the database."


@pytest.mark.parametrize(
    "error", [ZeroDivisionError(), PlatformError("no"), ExceptionGroup("two", [AWAY, ValueError()])]
)
def test_a_defect_keeps_its_traceback(error: Exception) -> None:
    said = logged(error)
    assert said.startswith("ERROR paging failed\n")
    assert "Traceback" in said
    assert type(error).__name__ in said


def test_a_line_without_a_traceback_stays_as_it_is() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "%s", ("paging",), None)
    assert Foreseen().filter(record)
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "paging")
