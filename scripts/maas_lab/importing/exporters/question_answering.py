"""A model that answers questions about a text, from a folder of Hugging Face's.

Imports `maas.errors` and the lab.

    exported = export(folder, out)
"""

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
    network = hub.load("AutoModelForQuestionAnswering")
    speaking = Speaking(network, ("start_logits", "end_logits"), typed=is_typed(hub))
    return export_windows(hub, speaking, "question-answering", out, per_token=True)
