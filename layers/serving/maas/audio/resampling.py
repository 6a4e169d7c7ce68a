"""A waveform at another rate: band-limited interpolation, by numpy alone.

Imports numpy. The method is J. O. Smith's (Digital Audio Resampling, CCRMA, Stanford), with the
filter that `torchaudio.functional.resample` has by default, because that is what `transformers`
resamples by: a sinc with a Hann window over six of its zero crossings on either side, cut off at
0.99 of the lower one of the two rates. As many filters as there are phases are made, each is laid
over the samples that it meets, and nothing is drawn by chance:

    resampled(samples, 44_100, 16_000)          # float64, ceil(len(samples) · 160 / 441) samples
"""

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Doubles = npt.NDArray[np.float64]

_CROSSINGS = 6
_ROLLOFF = 0.99


def resampled(samples: "Doubles", rate: int, wanted: int) -> "Doubles":
    """Samples at another rate.

    Args:
        samples: float64 `[samples]`.
        rate: How many of them a second has.
        wanted: How many it is to have.

    Returns:
        float64, rounded up to a whole number of samples; the same array where the rates are.
    """
    if rate == wanted:
        return samples
    common = math.gcd(rate, wanted)
    step, phases = rate // common, wanted // common
    count = -(-len(samples) * phases // step)
    filters, reach = _filters(step, phases)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(samples, (reach, reach + step)), 2 * reach + 1
    )
    out = np.empty(count)
    for phase in range(min(phases, count)):
        places = out[phase::phases]
        first = phase * step // phases  # the sample at or before the phase's first moment
        places[:] = windows[first::step][: len(places)] @ filters[phase]
    return out


def _filters(step: int, phases: int) -> "tuple[Doubles, int]":
    """A filter for each phase, `[phases, 2 · reach + 1]`, and the samples that it has on a side."""
    cutoff = _ROLLOFF * min(1.0, phases / step)  # of the samples' own rate
    reach = math.ceil(_CROSSINGS / cutoff)
    moments = (np.arange(phases) * step % phases / phases)[:, None]
    turns = (np.arange(-reach, reach + 1) - moments) * cutoff
    window = np.cos(np.clip(turns, -_CROSSINGS, _CROSSINGS) * np.pi / _CROSSINGS / 2) ** 2
    return np.sinc(turns) * window * cutoff, reach
