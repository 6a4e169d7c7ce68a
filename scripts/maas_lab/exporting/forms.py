"""The forms of a model: portable, optimised and quantised, each proven before it is kept.

Imports onnx, `maas` and the lab. A form is a folder with model.onnx, and its weights beside it; the
quantised one has golden requests of its own there, for it does not answer what torch answers:

    forms = write_exact_forms(subject, folder)
    form, quantisation = write_quantised(subject, folder)
"""

import hashlib
import shutil
from typing import TYPE_CHECKING

import msgspec
import onnx

from maas.bundle.golden import GOLDEN, TOLERANCE
from maas.bundle.graph_policy import check_graph
from maas.bundle.verify import sha256_file
from maas.engine.session import open_session
from maas.errors import BundleError, RefusedError
from maas.loading import optimised_form
from maas_lab.export_record import ExportedForm, Quantisation
from maas_lab.exporting.timing import median_milliseconds
from maas_lab.optimise import optimise_graph

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from maas.bundle.golden import Golden
    from maas.engine.session import Session
    from maas_lab.exporting.subject import Likeness, Subject

GRAPH = "model.onnx"
PORTABLE, INT8 = "portable", "int8"
_MOST_POINTS = 1.0
_LEAST_SPEED, _MOST_SIZE = 1.3, 0.5
_GAIN = 0.95  # of the time; what is gained less often than not is noise


def write_exact_forms(subject: "Subject", folder: "Path") -> tuple[ExportedForm, ...]:
    """Write the portable and the optimised form, whose answers are torch's own.

    Args:
        subject: What is exported.
        folder: Of the export; each form becomes a folder in it.

    Raises:
        RefusedError: A form does not answer what torch answers.
    """
    portable, optimised = folder / PORTABLE, folder / optimised_form()
    portable.mkdir(parents=True)
    onnx.save(subject.graph(), portable / GRAPH)
    optimise_graph(portable / GRAPH, optimised)
    found = [
        _proven(subject, portable, optimised=False),
        _fused_if_faster(subject, folder, _proven(subject, optimised, optimised=True)),
    ]
    return tuple(sorted(found, key=lambda form: form.name))


def _proven(subject: "Subject", folder: "Path", *, optimised: bool) -> ExportedForm:
    """Ask a form and torch the same; refuse the form above the tolerance."""
    session = open_session(folder / GRAPH, optimised=optimised, threads=1)
    likeness = subject.likeness(session)
    if not is_alike(likeness):
        wrong = likeness.differing - likeness.ties
        what = f" and writes {wrong} texts otherwise" if wrong else ""
        raise RefusedError(
            f"The form {folder.name} differs from torch by {likeness.max_difference:.3g} in a"
            f" number{what} (at most {TOLERANCE:g}); no model was written."
        )
    return ExportedForm(
        name=folder.name,
        digest=form_digest(folder),
        optimised=optimised,
        max_difference=likeness.max_difference,
        ties=likeness.ties,
    )


def is_alike(likeness: "Likeness") -> bool:
    """Whether a form may be taken for the trained network."""
    return likeness.max_difference <= TOLERANCE and likeness.differing == likeness.ties


def _fused_if_faster(subject: "Subject", folder: "Path", plain: ExportedForm) -> ExportedForm:
    """Take the fused graph where it is one, is admitted, answers the same and is faster here."""
    fused, target = subject.fused(), folder / plain.name
    if fused is None:
        return plain
    part = folder / ".fused" / plain.name  # the form's own name: a digest is over names, too
    try:
        part.parent.mkdir()
        onnx.save(fused, part.parent / GRAPH)
        optimise_graph(part.parent / GRAPH, part)
        files = {path.name: path.stat().st_size for path in part.iterdir()}
        check_graph((part / GRAPH).read_bytes(), files)
        form = msgspec.structs.replace(_proven(subject, part, optimised=True), fused=True)
        if not _is_faster(subject, part, target):
            return plain
        shutil.rmtree(target)
        part.rename(target)
    except (RefusedError, BundleError):
        return plain
    finally:
        shutil.rmtree(part.parent, ignore_errors=True)
    return form


def _is_faster(subject: "Subject", new: "Path", old: "Path") -> bool:
    sessions = [open_session(each / GRAPH, optimised=True, threads=1) for each in (new, old)]
    ours, theirs = median_milliseconds(sessions, subject.request())
    return ours <= _GAIN * theirs


def write_quantised(subject: "Subject", folder: "Path") -> tuple[ExportedForm | None, Quantisation]:
    """Write the form with 8-bit weights, and keep it where it is worth it.

    Args:
        subject: What is exported.
        folder: Of the export, with the optimised form in it.

    Returns:
        The form, or None where it was left out; and the figures that decided it.
    """
    before, after = folder / optimised_form(), folder / INT8
    source = folder / f".{INT8}"
    try:
        source.mkdir()
        onnx.save(subject.quantised(), source / GRAPH)
        optimise_graph(source / GRAPH, after)
    finally:
        shutil.rmtree(source, ignore_errors=True)
    sessions = [open_session(each / GRAPH, optimised=True, threads=1) for each in (before, after)]
    found = _weigh(subject, sessions, [form_bytes(before), form_bytes(after)])
    if not found.accepted:
        shutil.rmtree(after)
        return None, found
    write_goldens(after / GOLDEN, subject.goldens(sessions[1]))
    likeness = subject.likeness(sessions[1])
    form = ExportedForm(
        name=INT8,
        digest=form_digest(after),
        optimised=True,
        max_difference=likeness.max_difference,
        ties=likeness.ties,
    )
    return form, found


def _weigh(subject: "Subject", sessions: "list[Session]", sizes: list[int]) -> Quantisation:
    """Measure both forms; the second is the quantised one."""
    was, now = (subject.measure(session) for session in sessions)
    slow, fast = median_milliseconds(sessions, subject.request())
    speed, size = slow / fast, sizes[1] / sizes[0]
    lost = was - now
    good = lost <= _MOST_POINTS
    worth = speed >= _LEAST_SPEED or size <= _MOST_SIZE
    verdict = "accepted" if good and worth else "left out"
    reason = (
        f"{verdict}: {now - was:+.2f} points, {speed:.2f} times as fast, {size:.2f} of the size"
    )
    if not good:
        reason += "; one point may be lost"
    elif not worth:
        reason += f"; {_LEAST_SPEED:g} times as fast or {_MOST_SIZE:g} of the size is needed"
    return Quantisation(
        metric=subject.metric,
        metric_before=was,
        metric_after=now,
        bytes_before=sizes[0],
        bytes_after=sizes[1],
        milliseconds_before=slow,
        milliseconds_after=fast,
        accepted=good and worth,
        reason=reason,
    )


def write_goldens(path: "Path", goldens: "Sequence[Golden]") -> None:
    """Write golden requests, one a line."""
    path.write_bytes(b"".join(golden.encode() + b"\n" for golden in goldens))


def form_bytes(folder: "Path") -> int:
    """Bytes of all files of a form."""
    return sum(path.stat().st_size for path in folder.iterdir())


def form_digest(folder: "Path") -> str:
    """One digest for all files of a form."""
    files = sorted((path.name, sha256_file(path)) for path in folder.iterdir())
    return "sha256:" + hashlib.sha256(msgspec.json.encode(files)).hexdigest()
