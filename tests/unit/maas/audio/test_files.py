"""WAV files: what they say of themselves is read, and what is no clip is refused with a remedy."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wav import FLOAT, GUID, PCM, RATE, extensible, fmt, riff, wav

from maas.audio.files import ClipFile, read_file
from maas.errors import FieldError
from maas.limits import LIMITS, Limits

SOME = np.linspace(-0.5, 0.5, 40)
DATA = (b"data", bytes(80))


def read(data: bytes, limits: Limits = LIMITS) -> ClipFile:
    return read_file(data, field="inputs", limits=limits)


def refused(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(FieldError) as raised:
        read(data, limits)
    assert (raised.value.field, raised.value.status) == ("inputs", 422)
    return str(raised.value)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_what_a_file_says_of_itself_is_read(bits: int, channels: int) -> None:
    file = read(wav(SOME.reshape(-1, channels), rate=44_100, bits=bits))
    assert (file.kind, file.bits, file.channels, file.rate) == ("pcm", bits, channels, 44_100)
    assert file.frames == 40 // channels
    assert file.seconds == pytest.approx(40 / channels / 44_100)


def test_floats_and_the_longer_way_to_say_a_kind_are_read() -> None:
    assert read(wav(SOME, bits=32, floats=True)).kind == "float"
    assert read(riff(extensible(PCM), DATA)).frames == 40
    assert read(riff(extensible(FLOAT, bits=32), DATA)).kind == "float"


def test_what_stands_beside_the_samples_is_left_out() -> None:
    notes = (b"LIST", b"odd")  # and a zero follows, for chunks begin at even places
    file = read(riff(notes, fmt(), notes, DATA, notes))
    assert bytes(file.data) == DATA[1]
    # And what was streamed says no size
    streamed = riff(fmt(), DATA)[:-88] + b"data" + b"\xff" * 4 + DATA[1]
    assert read(streamed).frames == 40


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"fLaC\0\0\0\x22", "FLAC"),
        (b"OggS\0\2", "Ogg"),
        (b"ID3\4\0", "MP3"),
        (b"\xff\xfb\x90\x44", "MP3"),
        (b"\0\0\0\x20ftypM4A ", "MP4"),
        (b"\x1aE\xdf\xa3", "WebM"),
        (b"FORM\0\0\0\0AIFF", "AIFF"),
        (b"RF64" + bytes(40), "RF64"),
        (b"RIFF\0\0\0\0AVI ", "no WAV file"),
        (b"\x89PNG\r\n\x1a\n", "no WAV file"),
        (b"", "no WAV file"),
    ],
)
def test_another_format_is_named_and_the_remedy_said(data: bytes, name: str) -> None:
    said = refused(data)
    assert name in said
    assert "send 16-bit PCM WAV" in said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (riff(DATA), "damaged"),
        (riff(fmt()), "damaged"),
        (riff((b"fmt ", b"short"), DATA), "damaged"),
        (riff(fmt(), DATA)[:-1], "damaged"),
        (riff(fmt(), (b"data", bytes(81))), "damaged"),
        (riff(fmt(align=3), (b"data", bytes(81))), "damaged"),
        (riff(fmt(align=0), DATA), "damaged"),
        (riff(*[(b"junk", b"")] * 2_000, fmt(), DATA), "damaged"),
        (riff(fmt(kind=6, bits=8), DATA), "of a kind that is not read"),  # A-law
        (riff(fmt(kind=FLOAT, bits=64), DATA), "of a kind that is not read"),
        (riff(fmt(bits=12, align=2), DATA), "of a kind that is not read"),
        (riff(extensible(PCM, guid=GUID[::-1]), DATA), "of a kind that is not read"),
        (riff(extensible(7, bits=8), DATA), "of a kind that is not read"),
        (riff(fmt(channels=0, align=2), DATA), "1 to 8 channels"),
        (riff(fmt(channels=9), (b"data", bytes(90))), "1 to 8 channels"),
        (riff(fmt(rate=0), DATA), "samples a second"),
        (riff(fmt(rate=2**32 - 1), DATA), "samples a second"),
        (riff(fmt(), (b"data", b"")), "holds no sample"),
    ],
)
def test_a_file_that_is_none_is_refused(data: bytes, said: str) -> None:
    assert said in refused(data)


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_clip_is_as_long_as_the_limit_and_no_longer(step: int) -> None:
    limits = Limits(clip_seconds=2)
    data = riff(fmt(), (b"data", bytes(2 * (2 * RATE + step))))
    if step <= 0:
        assert read(data, limits).frames == 2 * RATE + step
    else:
        assert "at most 2 seconds; send it in parts" in refused(data, limits)


def test_a_size_that_is_said_is_not_believed() -> None:
    for size in (2**32 - 2, 2**31, 81):
        lying = riff(fmt()) + b"data" + struct.pack("<I", size) + bytes(80)
        assert "damaged" in refused(lying)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=120), st.integers(0, 80), st.integers(0, 255))
def test_whatever_is_sent_is_a_clip_or_a_refusal(tail: bytes, at: int, value: int) -> None:
    whole = bytearray(wav(SOME))
    whole[at % len(whole)] = value
    for data in (tail, b"RIFF\0\0\0\0WAVE" + tail, riff(fmt())[:-1] + tail, bytes(whole)):
        try:
            file = read(data)
        except FieldError:
            continue
        assert 1 <= file.frames * file.channels * file.bits // 8 <= len(data)
