"""Clips as waveforms: the numbers of each kind of sample, one channel, the rate and the length."""

import numpy as np
import pytest
from msgspec.structs import replace
from support.wav import RATE, fmt, riff, wav

from maas.audio.files import read_file
from maas.audio.waveforms import check_length, decode, is_cut
from maas.bundle.audio import AudioInput
from maas.errors import FieldError

FREE = AudioInput(rate=RATE, samples=RATE, shortest=10, fixed=False, normalise=False)
FIXED = replace(FREE, samples=100, shortest=100, fixed=True)
SOME = np.random.default_rng(1).uniform(-0.9, 0.9, 400)


def waveform(data: bytes, wanted: AudioInput = FREE) -> "np.typing.NDArray[np.float32]":
    file = read_file(data, field="inputs")
    check_length(file, wanted, field="inputs")
    made = decode(file, wanted, field="inputs")
    assert made.dtype == np.float32
    return made


@pytest.mark.parametrize(
    ("bits", "floats"), [(8, False), (16, False), (24, False), (32, False), (32, True)]
)
def test_samples_of_each_kind_are_what_was_written(bits: int, *, floats: bool) -> None:
    made = waveform(wav(SOME, bits=bits, floats=floats))
    np.testing.assert_allclose(made, SOME, atol=max(1e-7, 2.0**-bits))
    # And the ends of what they can say are the ends
    ends = waveform(wav([-1.0, 0.0, 1.0] * 8, bits=bits, floats=floats))[:3]
    np.testing.assert_allclose(ends, [-1, 0, 1], atol=2.0 ** (1 - bits))
    assert ends[0] == -1
    assert ends[1] == 0


def test_channels_become_their_mean() -> None:
    stereo = np.stack([SOME, np.zeros(400)], axis=1)
    np.testing.assert_allclose(waveform(wav(stereo)), SOME / 2, atol=2e-5)


def test_another_rate_becomes_the_models() -> None:
    assert len(waveform(wav(SOME, rate=2 * RATE))) == 200


def test_a_clip_is_made_of_zero_mean_and_unit_variance() -> None:
    made = waveform(wav(SOME + 0.05), replace(FREE, normalise=True)).astype(np.float64)
    assert made.mean() == pytest.approx(0, abs=1e-6)
    assert made.std() == pytest.approx(1, abs=1e-4)
    # And silence is silence
    assert not waveform(wav(np.zeros(50)), replace(FREE, normalise=True)).any()


def test_one_length_is_padded_with_silence_and_cut() -> None:
    short, long = wav(SOME[:30]), wav(SOME)
    made = waveform(short, FIXED)
    assert made.shape == (100,)
    np.testing.assert_allclose(made[:30], SOME[:30], atol=2e-5)
    assert not made[30:].any()
    np.testing.assert_allclose(waveform(long, FIXED), SOME[:100], atol=2e-5)
    for data, cut in ((short, False), (long, True), (wav(SOME[:100]), False)):
        assert is_cut(read_file(data, field="x"), FIXED) is cut
    # What follows a clip counts for nothing where it is normalised
    alone = waveform(short, replace(FIXED, normalise=True))
    assert alone[:30].mean() == pytest.approx(0, abs=1e-6)
    assert not alone[30:].any()
    # And a longer one of another rate is as long
    assert waveform(wav(np.tile(SOME, 3), rate=11_025), FIXED).shape == (100,)


@pytest.mark.parametrize(("size", "said"), [(9, "at least"), (RATE + 1, "at most 1 seconds")])
def test_a_length_that_the_model_does_not_take_is_refused(size: int, said: str) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        waveform(wav(np.zeros(size)))
    assert refused.value.field == "inputs"
    assert len(waveform(wav(np.zeros(10)))) == 10
    assert len(waveform(wav(np.zeros(RATE)))) == RATE
    # Also at another rate, where a sample more is less than one of the model's
    assert len(waveform(wav(np.zeros(2 * RATE), rate=2 * RATE))) == RATE
    with pytest.raises(FieldError, match="at most"):
        waveform(wav(np.zeros(2 * RATE + 1), rate=2 * RATE))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2.1, -3e38])
def test_floats_that_are_no_sound_are_refused(value: float) -> None:
    samples = np.zeros(20)
    samples[7] = value
    data = riff(fmt(kind=3, bits=32), (b"data", samples.astype("<f4").tobytes()))
    with pytest.raises(FieldError, match="must have samples of -1 to 1"):
        waveform(data)
