"""A classifier of texts from a folder of Hugging Face's.

Imports torch, `maas.errors` and the lab.

    exported = export(folder, out)
    exported.labels                     # of config.json
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from torch import Tensor

from maas_lab.importing.exporters.hub_folder import open_folder
from maas_lab.importing.exporters.text_networks import Answering, export_rows

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported

_MULTI = "multi_label_classification"


class _Logits(Answering):
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """float32 `[batch, labels]`."""
        said = self.network(input_ids=input_ids, attention_mask=attention_mask)
        logits: Tensor = said.logits
        return logits


def export(folder: "Path", out: "Path") -> "Exported":
    """Trace the network, and prove it.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    hub = open_folder(folder)
    network = hub.load("AutoModelForSequenceClassification")
    exported = export_rows(hub, _Logits(network), "logits", out)
    several = hub.config.get("problem_type") == _MULTI
    notes = ("Several labels may be true: ask it with function_to_apply sigmoid.",)
    return replace(exported, labels=hub.labels, notes=notes if several else ())
