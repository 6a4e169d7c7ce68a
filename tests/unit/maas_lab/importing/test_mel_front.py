"""What stands before an audio spectrogram transformer: number by number what transformers makes."""

from typing import Any

import numpy as np
import pytest
import torch
from support.sound_folders import MEL_RATE, extract_mel

from maas.errors import RefusedError
from maas_lab.importing.exporters.mel_front import FRAME, MelFront, open_front


def opened(extractor: Any) -> MelFront:  # noqa: ANN401
    front = open_front(extractor)
    assert front is not None
    return front


@pytest.mark.parametrize("options", [{}, {"do_normalize": False, "num_mel_bins": 32}])
def test_it_is_what_the_extractor_makes(options: dict[str, Any]) -> None:
    extractor = extract_mel(max_length=64, **options)
    front = opened(extractor)
    rng = np.random.default_rng(0)
    # Clips of one frame, of almost two and two, of fewer and of more than there may be
    for size in (FRAME, FRAME + 159, FRAME + 160, 3_000, 16_000):
        # Loud, a whisper, beside a constant, and silence
        for loud, constant in ((0.3, 0.0), (1e-3, 0.0), (0.2, 0.5), (0.0, 0.0)):
            clip = (rng.normal(size=size) * loud + constant).astype(np.float32)
            wanted = extractor(clip, sampling_rate=MEL_RATE, return_tensors="np")["input_values"]
            found = front(torch.from_numpy(clip)[None]).numpy()
            assert found.shape == wanted.shape
            assert np.abs(found - wanted).max() < 1e-6


def test_each_row_of_a_batch_is_as_it_is_alone() -> None:
    front = opened(extract_mel(max_length=32))
    clips = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 4_000)).astype(np.float32))
    both = front(clips)
    for row, clip in zip(both, clips, strict=True):
        assert torch.equal(row, front(clip[None])[0])


def test_another_rate_is_refused_and_another_extractor_is_none() -> None:
    with pytest.raises(RefusedError, match="16000 samples a second, and the folder says 8000"):
        open_front(extract_mel(sampling_rate=8_000))
    assert open_front(object()) is None
