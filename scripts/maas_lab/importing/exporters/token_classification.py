"""A classifier of tokens from a folder of Hugging Face's.

Imports `maas.errors` and the lab.

    exported = export(folder, out)
    exported.labels                     # of config.json, such as B-PER
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from maas_lab.importing.exporters.hub_folder import open_folder
from maas_lab.importing.exporters.window_networks import Speaking, export_windows, is_typed

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported


def export(folder: "Path", out: "Path") -> "Exported":
    """Trace the network, and prove it.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    hub = open_folder(folder)
    network = hub.load("AutoModelForTokenClassification")
    speaking = Speaking(network, ("logits",), typed=is_typed(hub))
    exported = export_windows(hub, speaking, "token-classification", out, per_token=True)
    return replace(exported, labels=hub.labels)
