"""A model that says what follows from a text, from a folder of Hugging Face's.

Imports `maas` and the lab.

    exported = export(folder, out)
    exported.labels                     # of config.json, entailment among them
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from maas.bundle.task_rules import entailment_of
from maas.errors import BundleError, RefusedError
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
    try:
        entailment_of(hub.labels)
    except BundleError:
        raise RefusedError(
            "None of the labels of config.json begins with entail: the model does not tell what"
            " follows from a text. Where it does, name them there (id2label)."
        ) from None
    network = hub.load("AutoModelForSequenceClassification")
    speaking = Speaking(network, ("logits",), typed=is_typed(hub))
    exported = export_windows(hub, speaking, "zero-shot-classification", out, per_token=False)
    return replace(exported, labels=hub.labels)
