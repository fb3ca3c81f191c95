"""Signals, sent to this very process."""

from __future__ import annotations

import signal
import time

import pytest

from facemotion.training.interrupts import Interrupts

pytestmark = pytest.mark.usefixtures("in_the_foreground")


def test_a_signal_is_held_back_until_it_is_passed_on() -> None:
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        signal.raise_signal(signal.SIGINT)
        assert interrupts.caught is signal.SIGINT
        interrupts.pass_on()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_one_that_comes_too_late_to_be_asked_for_is_not_lost() -> None:
    done = False
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGINT)
        done = True
    assert done


def test_an_error_goes_before_a_signal() -> None:
    with pytest.raises(ValueError, match="the reason"), Interrupts():
        signal.raise_signal(signal.SIGINT)
        raise ValueError("the reason")


def test_a_second_one_acts_at_once_unless_it_is_the_echo_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    later = False
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        later = True
        monkeypatch.setattr("facemotion.training.interrupts._ECHO", 0.0)
        time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        pytest.fail("the second signal did nothing")
    assert later


def test_what_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts() as interrupts:
            signal.raise_signal(signal.SIGINT)
            assert interrupts.caught is None
    finally:
        signal.signal(signal.SIGINT, before)
