"""Resampling: a tone stays the tone that it is, and what cannot be kept is left out."""

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import resample_poly

from maas.audio.resampling import resampled

RATES = [(8_000, 16_000), (16_000, 8_000), (44_100, 16_000), (48_000, 16_000), (22_050, 16_000)]
ODD = [(44_101, 16_000), (11_025, 48_000), (7, 5), (192_000, 8_000)]


def tone(hertz: float, rate: int, seconds: float = 0.5) -> npt.NDArray[np.float64]:
    return np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def inner(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Without the ends, where silence begins."""
    size = len(samples) // 8
    return samples[size:-size]


@pytest.mark.parametrize(("rate", "wanted"), RATES + ODD[:2])
def test_a_tone_keeps_its_frequency_and_its_height(rate: int, wanted: int) -> None:
    made = resampled(tone(440, rate), rate, wanted)
    assert len(made) == math.ceil(len(tone(440, rate)) * wanted / rate)
    expected = tone(440, wanted)[: len(made)]
    np.testing.assert_allclose(inner(made[: len(expected)]), inner(expected), atol=2e-3)


@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_it_is_as_good_as_scipys(rate: int, wanted: int) -> None:
    random = np.random.default_rng(0)
    hertz = random.uniform(50, 0.3 * min(rate, wanted), 5)
    mixed = np.mean([tone(each, rate) for each in hertz], axis=0)
    common = math.gcd(rate, wanted)
    theirs = resample_poly(mixed, wanted // common, rate // common)
    np.testing.assert_allclose(inner(resampled(mixed, rate, wanted)), inner(theirs), atol=5e-3)


def as_torchaudio(
    samples: npt.NDArray[np.float64], rate: int, wanted: int
) -> npt.NDArray[np.float64]:
    """What torchaudio.functional.resample does by its defaults.

    A kernel for each phase, over all samples of a step, six crossings wide and cut off at 0.99.
    """
    common = math.gcd(rate, wanted)
    step, phases = rate // common, wanted // common
    base = min(step, phases) * 0.99
    width = math.ceil(6 * step / base)
    places = np.arange(-width, width + step) / step
    turns = np.clip((np.arange(0, -phases, -1)[:, None] / phases + places) * base, -6, 6)
    kernels = np.sinc(turns) * np.cos(turns * np.pi / 12) ** 2 * base / step
    padded = np.pad(samples, (width, width + step))
    parts = [
        kernels @ padded[at : at + 2 * width + step] for at in range(0, len(samples) + 1, step)
    ]
    found = np.concatenate(parts)[: math.ceil(len(samples) * phases / step)]
    return np.asarray(found, dtype=np.float64)


@pytest.mark.parametrize(("rate", "wanted"), [*RATES, (11_025, 48_000), (7, 5), (5, 7)])
def test_it_is_what_torchaudio_does(rate: int, wanted: int) -> None:
    samples = np.random.default_rng(3).normal(size=1_500)
    theirs = as_torchaudio(samples, rate, wanted)
    np.testing.assert_allclose(resampled(samples, rate, wanted), theirs, atol=1e-9)


def test_what_is_too_high_for_the_lower_rate_is_left_out() -> None:
    made = resampled(tone(6_000, 44_100), 44_100, 8_000)
    assert np.abs(inner(made)).max() < 0.01


@pytest.mark.parametrize("value", [0.0, 0.25])
@pytest.mark.parametrize(("rate", "wanted"), RATES)
def test_what_does_not_change_does_not(rate: int, wanted: int, value: float) -> None:
    made = resampled(np.full(4_000, value), rate, wanted)
    np.testing.assert_allclose(inner(made), value, atol=1e-3)


def test_the_same_rate_is_the_same_array() -> None:
    samples = tone(440, 8_000)
    assert resampled(samples, 8_000, 8_000) is samples


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 300), st.integers(1, 400), st.integers(1, 400))
def test_any_rates_and_lengths_give_as_many_samples_as_they_must(
    size: int, rate: int, wanted: int
) -> None:
    made = resampled(np.ones(size), rate, wanted)
    assert len(made) == -(-size * wanted // rate)
    assert np.isfinite(made).all()
    assert np.abs(made).max(initial=0) < 1.3
    assert made.tobytes() == resampled(np.ones(size), rate, wanted).tobytes()
