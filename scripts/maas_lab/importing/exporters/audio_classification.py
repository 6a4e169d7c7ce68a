"""A classifier of sounds from a folder of Hugging Face's.

Imports `maas_lab`.

    exported = export(folder, out)
    exported.labels                     # of config.json
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from maas_lab.importing.exporters.audio_networks import export_listening, open_listening

if TYPE_CHECKING:
    from pathlib import Path

    from maas_lab.importing.exported import Exported


def export(folder: "Path", out: "Path") -> "Exported":
    """Trace the network, and prove it.

    Raises:
        FieldError: The folder lacks a file.
        RefusedError: It holds no such model, or one that cannot be traced.
    """
    listening = open_listening(folder, "AutoModelForAudioClassification")
    exported = export_listening(listening, out, axes={0: "batch"})
    several = listening.hub.config.get("problem_type") == "multi_label_classification"
    notes = ("Several labels may be true: ask it with function_to_apply sigmoid.",)
    return replace(exported, labels=listening.hub.labels, notes=notes if several else ())
