"""Copying: a token is likely because it would be written, or because the source has it.

Imports torch:

    pointer = Pointer(width=384)
    log_probabilities = pointer(states, logits, weights, input_ids)
"""

import torch
from torch import Tensor, nn

_LEAST = 1e-9  # the probability of what can neither be written nor copied


class Pointer(nn.Module):
    """Mixes the probability of writing a token with that of copying it from the source.

    An attention says where it would be copied from; a gate shares out between the two (See et al.
    2017).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 1)

    def forward(self, states: Tensor, logits: Tensor, weights: Tensor, input_ids: Tensor) -> Tensor:
        """Mix the two.

        Args:
            states: float32 `[rows, tokens, width]`, what the gate decides by.
            logits: float32 `[rows, tokens, vocabulary]`, of writing.
            weights: float32 `[rows, tokens, source]`, which token of the source would be copied;
                their sum is 1.
            input_ids: int64 `[rows, source]`.

        Returns:
            Log-probabilities, float32 `[rows, tokens, vocabulary]`.
        """
        # Probabilities are float32, also where training computes in fewer bits.
        share = torch.sigmoid(self.gate(states).float())
        written = torch.softmax(logits.float(), dim=2) * (1 - share)
        places = input_ids.unsqueeze(1).expand_as(weights)
        return written.scatter_add(2, places, weights.float() * share).clamp(min=_LEAST).log()
