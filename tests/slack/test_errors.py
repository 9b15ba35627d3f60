"""What people read when something went wrong."""

from __future__ import annotations

import logging

import pytest

from chatops.kernel import accidents
from chatops.kernel.errors import (
    ClusterError,
    Conflict,
    Forbidden,
    InputError,
    Invalid,
    NotFound,
    PlatformError,
    Refused,
    TooLate,
    Unavailable,
)
from chatops.requests.line import Line, Misread
from chatops.requests.parse import InputErrors
from chatops.slack import errors


@pytest.mark.parametrize(
    "error",
    [kind("said so", hint="do this") for kind in (
        PlatformError, InputError, Refused, TooLate, Unavailable, ClusterError, NotFound, Forbidden, Conflict, Invalid,
    )],
)  # fmt: skip
def test_what_was_foreseen_is_said_as_it_stands_with_what_to_do_next(error: PlatformError) -> None:
    answer = errors.answer(error)
    assert answer.lines == ("said so", "do this")
    assert answer.title != "Sorry"


def test_how_long_to_wait_is_said_when_somebody_knows() -> None:
    assert "30 seconds" in errors.lines(Unavailable("busy", retry_after=30))[-1]


def test_several_mistakes_are_all_said() -> None:
    several = InputErrors([InputError("a"), InputError("b", hint="c")])
    assert errors.lines(several) == ["a", "b", "c"]


def test_an_accident_has_a_reference_that_finds_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise KeyError("boom")
    except KeyError as error:
        said = " ".join(errors.answer(error, doing="line k").lines)
    [record] = [one for one in caplog.records if one.levelno == logging.ERROR]
    name = record.getMessage().split()[0]
    assert name in said
    assert "boom" not in said
    assert "boom" in caplog.text


def test_references_are_short_and_hold_nothing_that_reads_like_something_else() -> None:
    names = {accidents.reference() for _ in range(200)}
    assert len(names) == 200
    assert all(len(name) == 8 and not set(name[2:]) & set("01OIL") for name in names)


def test_a_misread_line_comes_with_the_right_one_and_the_form() -> None:
    wrong = Misread("no", Line("deploy"), suggestion="checkout", corrected="deploy checkout 1.4.2")
    answer = errors.answer(wrong, form="deploy")
    assert [(one.label, one.line, one.form) for one in answer.buttons] == [
        ("Use checkout", "deploy checkout 1.4.2", False),
        ("Open the form", "deploy", True),
    ]


def test_a_corrected_line_that_no_button_could_hold_is_not_offered() -> None:
    wrong = Misread("no", Line("deploy"), suggestion="x" * 100, corrected="deploy " + "x" * 3000)
    assert errors.answer(wrong).buttons == ()
