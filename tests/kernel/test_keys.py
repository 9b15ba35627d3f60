"""Keys from outside fit into an index and stay different."""

from chatops.kernel.keys import LONGEST, bounded


def test_a_key_that_fits_stays_as_it_is() -> None:
    assert bounded("production//ErrorRate") == "production//ErrorRate"
    assert bounded("警" * (LONGEST // 3)) == "警" * (LONGEST // 3)


def test_long_keys_become_short_and_stay_different_and_the_same() -> None:
    one, other = "警" * 1000 + "a", "警" * 1000 + "b"
    assert len(bounded(one).encode()) <= LONGEST
    assert bounded(one) != bounded(other)
    assert bounded(one) == bounded(one) == bounded(bounded(one))
    assert bounded(one).startswith("警" * 100)
    assert len(bounded("\ud800" * 1000).encode()) <= LONGEST
