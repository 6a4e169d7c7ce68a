"""Signals: the first asks, the second acts."""

import signal
import threading
from collections.abc import Iterator

import pytest

from maas.errors import TryAgainError
from maas_lab.interruption import stop_on_signals


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Python's own handler: a shell that starts a program in the background has SIGINT ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_asks_and_the_work_ends_politely(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with stop_on_signals() as stop:
        stop.obey()  # nobody has asked
        signal.raise_signal(number)
        assert stop.requested
        with pytest.raises(TryAgainError, match="--resume") as caught:
            stop.obey()

    assert caught.value.exit_code == 5
    assert signal.getsignal(number) == before


def test_the_second_signal_acts_at_once() -> None:
    with stop_on_signals():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_the_handlers_are_put_back_when_the_work_is_done() -> None:
    before = signal.getsignal(signal.SIGINT)

    with stop_on_signals() as stop:
        assert signal.getsignal(signal.SIGINT) != before

    assert not stop.requested
    assert signal.getsignal(signal.SIGINT) == before


def test_off_the_main_thread_no_handler_is_set() -> None:
    found = []

    def work() -> None:
        with stop_on_signals() as stop:
            found.append((stop.requested, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert found == [(False, signal.getsignal(signal.SIGINT))]
