"""`maas diff`: how two versions differ, by their records and, where both are here, their bundles.

Imports `maas`; onnx comes with the first graph.

    found = compare_versions(settings.bundles, third, fifth)
    found.rows        # (Row("metric accuracy", "0.91", "0.93"), …)
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.bundle.golden import read_golden
from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.bundle.verify import Bundle
    from maas.registry.records import TensorSpec, VersionRecord

    Asked = dict[tuple[object, ...], Golden]

_CHARACTERS = 60
_NOTHING_ALIKE = (
    "Answers were not compared: no golden request is of both. To ask both alike, serve them and"
    " send one request to each, by @N or x-maas-version."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing in which two versions differ."""

    what: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class Differences:
    """How two versions differ.

    Attributes:
        first: The one.
        second: The other.
        rows: What differs.
        notes: What could not be compared, and why.
    """

    first: str
    second: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def compare_versions(
    bundles: "Path", first: "VersionRecord", second: "VersionRecord"
) -> Differences:
    """Compare two versions; bundles are looked into where both are here."""
    rows = [*_records(first, second)]
    notes: list[str] = []
    try:
        one, other = _bundle(bundles, first), _bundle(bundles, second)
    except BundleError as error:
        notes.append(f"Sizes, graphs and golden answers were not compared: {error}")
    else:
        firsts, seconds = _asked(one), _asked(other)
        rows += [*_sizes(one, other), *_graphs(one, other), *_goldens(firsts, seconds)]
        if firsts.keys().isdisjoint(seconds):
            notes.append(_NOTHING_ALIKE)
    return Differences(_name(first), _name(second), tuple(rows), tuple(notes))


def _name(version: "VersionRecord") -> str:
    return f"{version.model}@{version.number}"


def _bundle(bundles: "Path", version: "VersionRecord") -> "Bundle":
    folder = bundles / version.model / digest16(version.digest)
    if not folder.exists():
        raise BundleError(f"the bundle of {_name(version)} is not here.")
    return verify_bundle(folder, digest=version.digest)


def _records(first: "VersionRecord", second: "VersionRecord") -> "Iterator[Row]":
    plain = {
        "task": (first.task, second.task),
        "status": (first.status, second.status),
        "tags": (", ".join(first.tags), ", ".join(second.tags)),
        "description": (first.description, second.description),
    }
    for what, (one, other) in plain.items():
        if one != other:
            yield Row(what, one or "none", other or "none")
    yield from _mapped("input", _specs(first.inputs), _specs(second.inputs))
    yield from _mapped("output", _specs(first.outputs), _specs(second.outputs))
    if first.labels != second.labels:
        yield Row("labels", _short(first.labels), _short(second.labels))
    yield from _mapped("metric", _figures(first.metrics), _figures(second.metrics))
    yield from _mapped("lineage", first.lineage, second.lineage)


def _specs(specs: "tuple[TensorSpec, ...]") -> dict[str, str]:
    return {spec.name: f"{spec.dtype} [{', '.join(map(str, spec.shape))}]" for spec in specs}


def _figures(metrics: "Mapping[str, float]") -> dict[str, str]:
    return {name: f"{value:.6g}" for name, value in metrics.items()}


def _mapped(what: str, one: "Mapping[str, str]", other: "Mapping[str, str]") -> "Iterator[Row]":
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield Row(f"{what} {name}", one.get(name, "none"), other.get(name, "none"))


def _sizes(one: "Bundle", other: "Bundle") -> "Iterator[Row]":
    """Bytes of each form, with what all forms share."""
    yield from _mapped("bytes of", _bytes(one), _bytes(other))


def _bytes(bundle: "Bundle") -> dict[str, str]:
    shared = sum(entry.size for entry in bundle.manifest.files)
    return {
        form.name: f"{shared + sum(entry.size for entry in form.files):,}"
        for form in bundle.manifest.forms
    }


def _graphs(one: "Bundle", other: "Bundle") -> "Iterator[Row]":
    """Operators of the portable graphs, by count."""
    yield from _mapped("operator", _operators(one), _operators(other))


def _operators(bundle: "Bundle") -> dict[str, str]:
    import onnx  # noqa: PLC0415 - only where two graphs are compared

    path = bundle.graph(bundle.manifest.form("portable"))
    graphs = [onnx.load(path, load_external_data=False).graph]
    counts: Counter[str] = Counter()
    while graphs:
        graph = graphs.pop()
        for node in graph.node:
            counts[f"{node.domain}.{node.op_type}".lstrip(".")] += 1
            graphs += [each.g for each in node.attribute if each.HasField("g")]
    return {name: str(count) for name, count in sorted(counts.items())}


def _goldens(firsts: "Asked", seconds: "Asked") -> "Iterator[Row]":
    """What the same golden requests were answered with."""
    for at, (request, golden) in enumerate(firsts.items(), start=1):
        if request in seconds and (row := _answers(f"golden {at}", golden, seconds[request])):
            yield row
    alone = len(firsts.keys() - seconds.keys()), len(seconds.keys() - firsts.keys())
    if any(alone):
        yield Row("golden requests of its own", *map(str, alone))


def _asked(bundle: "Bundle") -> "Asked":
    """Golden requests with their answers, by what is asked."""
    return {
        (each.texts, each.pairs, each.images, each.clips, each.tensors): each
        for each in read_golden(bundle)
    }


def _answers(what: str, one: "Golden", other: "Golden") -> Row | None:
    if one == other:
        return None
    if one.outputs != other.outputs:
        return Row(what, _short(one.outputs), _short(other.outputs))
    if one.logits and [*map(len, one.logits)] == [*map(len, other.logits)]:
        apart = max(
            abs(a - b)
            for row, other_row in zip(one.logits, other.logits, strict=True)
            for a, b in zip(row, other_row, strict=True)
        )
        same = _best(one) == _best(other)
        said = "the best of each row is the same" if same else "another one is the best"
        return Row(what, "", f"differs by {apart:.3g}; {said}")
    return Row(what, "", "is answered otherwise")


def _best(golden: "Golden") -> list[int]:
    return [row.index(max(row)) for row in golden.logits]


def _short(texts: "tuple[str, ...]") -> str:
    said = ", ".join(texts)
    return said if len(said) <= _CHARACTERS else said[: _CHARACTERS - 1] + "…"
