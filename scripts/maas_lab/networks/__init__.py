"""Networks, one module per architecture. Imports torch and `maas_lab.recipe`.

network = build_network(recipe.network, vocabulary_size=10_000, classes=2)
logits = network(input_ids, attention_mask)
"""

from typing import TYPE_CHECKING

from maas_lab.networks.bilstm import BiLstm
from maas_lab.recipe import BiLstmRecipe

if TYPE_CHECKING:
    from torch import nn

    from maas_lab.recipe import NetworkRecipe

# In code, never by a name that data brings.
_ARCHITECTURES = {BiLstmRecipe: BiLstm}


def build_network(recipe: "NetworkRecipe", *, vocabulary_size: int, classes: int) -> "nn.Module":
    """Build a network with fresh weights from torch's own random state.

    Args:
        recipe: The architecture and its sizes.
        vocabulary_size: The number of token ids; id 0 is padding.
        classes: The number of logits per row.

    Returns:
        A module whose forward takes input_ids and attention_mask, int64 `[batch, sequence]`, and
        gives logits, float32 `[batch, classes]`. A row's logits do not depend on its padding.
    """
    return _ARCHITECTURES[type(recipe)](recipe, vocabulary_size=vocabulary_size, classes=classes)
