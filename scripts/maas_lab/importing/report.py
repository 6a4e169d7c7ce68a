"""What an import says of a model: for people in card.md, for machines in import.json beside it.

Imports msgspec, `maas` and the lab. Both lie beside the bundle, outside its digest:

    write_report(imported)
    describe(imported)["states"]            # {"state": "stateN"}
"""

from typing import TYPE_CHECKING, Any

import msgspec

from maas_lab.files import write_file
from maas_lab.references import IMPORT_RECORD

if TYPE_CHECKING:
    from maas.registry.records import TensorSpec
    from maas_lab.importing.imported import Imported

_LABELS_NAMED = 20


def describe(imported: "Imported") -> dict[str, Any]:
    """All of it as JSON can say it."""
    made, fitted = imported.made, imported.fitted
    manifest, proof = made.bundle.manifest, imported.exported.proof
    return {
        "created": made.created,
        "model": manifest.name,
        "task": manifest.task,
        "digest": made.bundle.digest,
        "folder": str(made.bundle.folder),
        "card": str(made.card / "card.md"),
        "inputs": msgspec.to_builtins(manifest.inputs),
        "outputs": msgspec.to_builtins(manifest.outputs),
        "composites": msgspec.to_builtins(manifest.composites),
        "states": dict(fitted.states),
        "labels": list(manifest.labels),
        "golden": len(fitted.goldens),
        "bytes": made.bytes,
        "bytes_by_form": made.bytes_by_form,
        "optimised": msgspec.to_builtins(imported.optimised),
        "proof": msgspec.to_builtins(proof),
        "notes": list(fitted.notes),
    }


def lines_of(imported: "Imported") -> list[str]:
    """The same in a few lines, without digests and folders."""
    made, fitted, optimised = imported.made, imported.fitted, imported.optimised
    manifest, proof = made.bundle.manifest, imported.exported.proof
    lines = [f"reads   {spec_text(spec)}" for spec in manifest.inputs]
    lines += [f"answers {spec_text(spec)}" for spec in manifest.outputs]
    lines += [
        f"state   {given} is next what {answer} answers; send zeros first"
        for given, answer in fitted.states
    ]
    if manifest.labels:
        named = ", ".join(manifest.labels[:_LABELS_NAMED])
        more = ", …" if len(manifest.labels) > _LABELS_NAMED else ""
        lines.append(f"labels  {len(manifest.labels)}: {named}{more}")
    if proof is not None:
        lines.append(
            f"torch   {proof.rows} rows differ by at most {proof.max_difference:.1e} from torch"
        )
    lines.append(f"golden  {len(fitted.goldens)} requests were recorded")
    if optimised.kept:
        lines.append(f"form    the optimised one differs by {optimised.max_difference:.1e}")
    else:
        lines.append(f"form    the optimised one was left out: {optimised.reason}")
    return lines + [f"note    {note}" for note in fitted.notes]


def spec_text(spec: "TensorSpec") -> str:
    """A tensor in one word: `bytes int32[batch, 2048]`."""
    return f"{spec.name} {spec.dtype}[{', '.join(map(str, spec.shape))}]"


def write_report(imported: "Imported") -> None:
    """Write card.md, and import.json last: it says that this bundle was imported just now."""
    made = imported.made
    manifest = made.bundle.manifest
    text = "\n".join(f"    {line}" for line in lines_of(imported))
    producer = manifest.lineage.get("producer", "somebody else")
    card = (
        f"# {manifest.name}\n\n`{made.bundle.digest}`\n\nA model for {manifest.task}, made by"
        f" {producer} and imported from `{manifest.lineage['source']}`. How good it is was not"
        f" measured here.\n\n{text}\n"
    )
    write_file(made.card / "card.md", card.encode())
    record = {key: value for key, value in describe(imported).items() if key not in _PLACES}
    write_file(made.card / IMPORT_RECORD, msgspec.json.format(msgspec.json.encode(record)) + b"\n")


_PLACES = frozenset(("created", "folder", "card"))
