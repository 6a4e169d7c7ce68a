"""A network that turns texts into vectors, from a folder of Hugging Face's.

Imports torch, `maas.errors` and the lab. A text's vector is the mean of its tokens', or the first
one's where 1_Pooling/config.json says so, made to length 1:

    exported = export(folder, out)
"""

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from maas.errors import RefusedError
from maas_lab.importing.exporters.hub_folder import open_folder
from maas_lab.importing.exporters.text_networks import Answering, export_rows

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported
    from maas_lab.importing.exporters.hub_folder import HubFolder

_POOLING = "1_Pooling/config.json"
_MODES = ("pooling_mode_mean_tokens", "pooling_mode_cls_token")
_KNOWN = ("Transformer", "Pooling", "Normalize")


class _Vectors(Answering):
    def __init__(self, network: nn.Module, *, first: bool) -> None:
        super().__init__(network)
        self._first = first

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """float32 `[batch, width]`, of length 1."""
        states = self.network(input_ids=input_ids, attention_mask=attention_mask)[0]
        if self._first:
            return functional.normalize(states[:, 0], dim=1)
        kept = attention_mask[:, :, None].to(states.dtype)
        mean = (states * kept).sum(1) / kept.sum(1).clamp(min=1e-9)
        return functional.normalize(mean, dim=1)


def export(folder: "Path", out: "Path") -> "Exported":
    """Trace the network with its pooling, and prove it.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    hub = open_folder(folder)
    first = _takes_first(hub)
    network = hub.load("AutoModel", needless=("pooler.",))
    return export_rows(hub, _Vectors(network, first=first), "embedding", out)


def _takes_first(hub: "HubFolder") -> bool:
    """Whether the first token's vector is the text's."""
    modules = hub.folder / "modules.json"
    if modules.is_file():
        said = modules.read_text(errors="replace")
        if said.count('"type"') != sum(said.count(f'.{name}"') for name in _KNOWN):
            raise RefusedError(
                f"modules.json names more than {', '.join(_KNOWN)}. Export the model to ONNX with"
                " sentence-transformers, and import the .onnx file."
            )
    pooling = hub.read(_POOLING)
    chosen = [mode for mode, value in pooling.items() if "_mode_" in mode and value is True]
    if chosen and (len(chosen) > 1 or chosen[0] not in _MODES):
        raise RefusedError(
            f"{_POOLING} asks for {', '.join(chosen)}; mean or first token is known."
        )
    return chosen == ["pooling_mode_cls_token"]
