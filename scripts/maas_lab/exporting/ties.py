"""How narrowly each answer was found: two beams that rate alike leave it to rounding which is kept.

Imports torch and `maas_lab.exporting.decoding`:

    written, margins = write_with_margins(search, ids, mask, beams=4, max_new_tokens=64)
    margins[0] < TIE                          # another answer to this text is as right
"""

import torch
from torch import Tensor

from maas_lab.exporting.decoding import Search, Written

TIE = 1e-5
"""Ratings that differ by less are equal: about what the order of additions does to them."""


@torch.inference_mode()
def write_with_margins(
    search: Search, input_ids: Tensor, attention_mask: Tensor, *, beams: int, max_new_tokens: int
) -> tuple[Written, Tensor]:
    """Write like `write_texts`.

    Returns:
        Also float32 `[batch]`: by how much, at the closest of all turns, the last beam that was
        kept was better than the first that was not, and the best in the end than the second.
    """
    memory, held = search.begin(input_ids, attention_mask, torch.tensor([beams]))
    margins = torch.full((len(input_ids),), float("inf"))
    for _ in range(max_new_tokens):
        found = search.propose(memory, held)
        best = found.ranks.topk(beams + 1, dim=1).values
        margins = torch.minimum(margins, _gap(best[:, beams - 1], best[:, beams]))
        held = search.keep(held, found)
        if bool(held.finished.all()):
            break
    if beams > 1 and max_new_tokens:
        ratings = held.sums / held.lengths**search.length_penalty
        margins = torch.minimum(margins, _gap(ratings[:, 0], ratings[:, 1]))
    return Written(*search.finish(held.outputs, held.sums, held.lengths)), margins


def _gap(better: Tensor, worse: Tensor) -> Tensor:
    """The difference; none where both are impossible."""
    return torch.nan_to_num(better - worse, nan=float("inf"), posinf=float("inf"))
