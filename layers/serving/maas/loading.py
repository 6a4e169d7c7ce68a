"""From a verified bundle to a version that answers, proven on its golden requests.

May import `maas.bundle`, `maas.engine`, `maas.tasks` and `maas.errors`.

    loaded = load_version(verify_bundle(folder), form=None, threads=1)
    loaded.task.predict(request, deadline=deadline)
"""

import math
import platform
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from msgspec import Struct

from maas.bundle.golden import read_golden, tolerance_of
from maas.engine.session import open_session
from maas.errors import BundleError, DeadlineError
from maas.tasks import TOKENIZER, open_task

if TYPE_CHECKING:
    from maas.bundle.golden import Golden
    from maas.bundle.manifest import Form, Manifest
    from maas.bundle.verify import Bundle
    from maas.tasks.task import Task

__all__ = ["TOKENIZER", "LoadedVersion", "Replay", "choose_form", "load_version", "optimised_form"]

_REPLAY_SECONDS = 10.0
_WORD = 3  # characters
_ARCHITECTURES = {"x86_64": "x86", "amd64": "x86", "aarch64": "arm64", "arm64": "arm64"}


class Replay(Struct, frozen=True):
    """What the golden requests showed.

    Attributes:
        requests: How many were replayed.
        max_difference: Largest absolute difference of a number from the recorded one.
        seconds: How long it took.
    """

    requests: int
    max_difference: float
    seconds: float


class LoadedVersion(Struct, frozen=True):
    """A bundle in memory, ready to answer. Safe to share between threads."""

    bundle: "Bundle"
    form: str
    task: "Task"
    replay: Replay
    seconds: float


def optimised_form() -> str:
    """The form's name whose graph was optimised for this machine's kind of processor."""
    machine = platform.machine().lower()
    return f"optimised-{_ARCHITECTURES.get(machine, machine)}"


def choose_form(manifest: "Manifest") -> "Form":
    """Choose the form for this machine: optimised for it if there is one, else portable."""
    names = [form.name for form in manifest.forms]
    return manifest.form(optimised_form() if optimised_form() in names else "portable")


def load_version(
    bundle: "Bundle", *, form: str | None = None, threads: int, replays: int | None = None
) -> LoadedVersion:
    """Open a bundle's model and replay its golden requests.

    Args:
        bundle: A verified bundle.
        form: Which form to open; when None the one that lies here, else the one for this machine.
        threads: Intra-op threads of ONNX Runtime.
        replays: Golden requests to replay, the shortest ones; when None all of them, and the
            widest request too.

    Raises:
        BundleError: The model is not the one that was exported, or takes less than it should.
        ModelError: The tokenizer or the graph cannot be loaded.
    """
    started = time.perf_counter()
    manifest = bundle.manifest
    name = form or bundle.form
    chosen = manifest.form(name) if name else choose_form(manifest)
    # ONNX Runtime opens a graph without holding Python's lock, and a tokenizer is read holding it.
    with ThreadPoolExecutor(1, thread_name_prefix="graph") as aside:
        path, optimised = bundle.graph(chosen), chosen.optimised
        session = aside.submit(open_session, path, optimised=optimised, threads=threads)
        task = open_task(manifest, bundle.folder, session.result)
    replay = _replay(bundle, chosen, task, replays)
    bundle.check_unchanged()
    return LoadedVersion(bundle, chosen.name, task, replay, time.perf_counter() - started)


def _replay(bundle: "Bundle", form: "Form", task: "Task", count: int | None) -> Replay:
    started = time.perf_counter()
    worst = 0.0
    recorded = read_golden(bundle, form)
    goldens = recorded if count is None else sorted(recorded, key=_effort)[:count]
    tolerance = tolerance_of(form, goldens)
    deadline = time.monotonic() + _REPLAY_SECONDS
    try:
        for golden in goldens:
            difference = task.replay(golden, deadline=deadline)
            worst = math.inf if math.isnan(difference) else max(worst, difference)
        if count is None:
            task.check_widest(deadline=time.monotonic() + _REPLAY_SECONDS)
    except DeadlineError:
        raise BundleError(
            f"Its golden requests did not end within {_REPLAY_SECONDS:g} s."
        ) from None
    if not worst <= tolerance:
        raise BundleError(
            f"A golden request's answer differs by {worst:.3g} (at most {tolerance:.3g}):"
            " this is not the model that was exported."
        )
    return Replay(len(goldens), worst, time.perf_counter() - started)


def _effort(golden: "Golden") -> tuple[bool, int]:
    """How much a model is asked, roughly; less than a word shows too little, and comes last."""
    if golden.tensors:
        return False, sum(len(tensor.data) + len(tensor.texts) for tensor in golden.tensors)
    read = sum(map(len, (*golden.texts, *golden.pairs, *golden.images, *golden.clips)))
    return read < _WORD, read
