"""Bundles of the tasks beside text classification, and a home of one of them.

    folder, digest, manifest = seal(bundles, model="writer", task="translation", graph=…, files=…)
    home = home_with(tmp_path, make_writer)     # registered, promoted, ready to be asked
    with serving(home) as url: ...              # by a server of its own

What each tiny model is and must answer lies in a module of its own: `tiny_writer`, `tiny_image`,
`tiny_audio`, `tiny_embedding`.
"""

import shutil
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import uvicorn
from support.graphs import OPSET, save_external
from support.resealed import manifest_of, resealed
from support.tiny import Home, file_entry, register_bundle, write_bundle

from maas.assembly import Services, build_registry
from maas.bundle.manifest import Form, Manifest, ModelLimits, digest16
from maas.loading import optimised_form
from maas.registry.addresses import ByNumber
from maas.settings import Settings
from maas_lab.serving import build_local_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from maas.bundle.audio import AudioInput, CtcVocabulary
    from maas.bundle.generation import Generation
    from maas.bundle.manifest import ImageInput
    from maas.registry.records import TensorSpec
    from maas.registry.registry import Registry


@dataclass(frozen=True, slots=True)
class TaskBundle:
    """A bundle on disk.

    Attributes:
        folder: Where it lies.
        digest: Its digest.
        manifest: What its manifest says.
    """

    folder: "Path"
    digest: str
    manifest: Manifest


@dataclass(frozen=True, slots=True)
class TaskHome:
    """A laptop's state with one model, whose version 1 is production.

    Attributes:
        settings: As the environment would say.
        bundles: The bundles by version number.
    """

    settings: Settings
    bundles: dict[int, Any]

    @property
    def bundle(self) -> Any:  # noqa: ANN401 - each tiny model's own
        """Version 1."""
        return self.bundles[1]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make these settings."""
        home = str(self.settings.home)
        return {"MAAS_HOME": home, "MAAS_ACTOR": "tests", "MAAS_MODEL": str(self.settings.model)}

    @property
    def path(self) -> str:
        """Where the model is asked."""
        return f"/models/{self.settings.model}"

    def registry(self) -> "Registry":
        """Open the registry; close it after use."""
        return build_registry(self.settings)

    def services(self, *, full: bool = True) -> Services:
        """The services of a process that starts now."""
        registry = self.registry()
        return Services(
            self.settings, registry.policy, full=full, registry=registry if full else None
        )


def seal(
    bundles: "Path",
    *,
    model: str,
    task: str,
    graph: bytes,
    files: "Mapping[str, bytes]",
    inputs: "tuple[TensorSpec, ...]",
    outputs: "tuple[TensorSpec, ...]",
    limits: ModelLimits,
    labels: tuple[str, ...] = (),
    image: "ImageInput | None" = None,
    columns: tuple[str, ...] = (),
    generation: "Generation | None" = None,
    audio: "AudioInput | None" = None,
    ctc: "CtcVocabulary | None" = None,
) -> "tuple[Path, str, Manifest]":
    """Write a bundle of two forms where serving looks for it.

    Returns:
        Its folder, digest and manifest.
    """
    part = bundles / f".part-{model}"
    for name in ("portable", optimised_form()):
        (part / name).mkdir(parents=True)
    (part / "portable/model.onnx").write_bytes(graph)
    save_external(graph, part / optimised_form())
    for name, data in files.items():
        (part / name).write_bytes(data)
    manifest = Manifest(
        format=1,
        name=model,
        task=task,  # type: ignore[arg-type]
        labels=labels,
        inputs=inputs,
        outputs=outputs,
        limits=limits,
        metrics={"test_figure": 0.75},
        lineage={"run": "tiny"},
        files=tuple(file_entry(part, name) for name in sorted(files)),
        forms=tuple(_form(part, name) for name in sorted((optimised_form(), "portable"))),
        image=image,
        columns=columns,
        generation=generation,
        audio=audio,
        ctc=ctc,
    )
    digest = write_bundle(part, manifest)
    folder = bundles / model / digest16(digest)
    folder.parent.mkdir(exist_ok=True)
    if folder.exists():
        shutil.rmtree(part)
    else:
        part.rename(folder)
    return folder, digest, manifest


def home_with(
    path: "Path",
    make: "Callable[..., Any]",
    *,
    versions: int = 1,
    damage: "Callable[[Any], object] | None" = None,
    **options: object,
) -> TaskHome:
    """Make a home with one model, and promote its first version.

    Args:
        path: The home's folder.
        make: Makes a bundle.
        versions: How many; those after the first are of seeds that are as high as their numbers.
        damage: Changes the files of the first before it is sealed and registered.
        options: What the first is made with beside the folder.
    """
    settings = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests"})
    settings.bundles.mkdir(parents=True, exist_ok=True)
    bundle = make(settings.bundles, **options)
    if damage is not None:
        damage(bundle)
        bundle = resealed(bundle, manifest_of(bundle))
    bundles = {1: bundle}
    bundles |= {n: make(settings.bundles, seed=n) for n in range(2, versions + 1)}
    model = bundle.manifest.name
    named = Settings.parse({"MAAS_HOME": str(path), "MAAS_ACTOR": "tests", "MAAS_MODEL": model})
    with build_registry(named) as registry:
        for each in bundles.values():
            register_bundle(registry, each)
        registry.promote(model, ByNumber(1))
    return TaskHome(named, bundles)


@contextmanager
def serving(home: "TaskHome | Home") -> "Iterator[str]":
    """A server over a home, in a thread."""
    app, _ = build_local_app(home.settings)
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="critical", log_config=None, lifespan="off")
    )
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join()


def _form(folder: "Path", name: str) -> Form:
    paths = sorted(f"{name}/{file.name}" for file in (folder / name).iterdir())
    return Form(
        name=name,
        graph=f"{name}/model.onnx",
        optimised=name != "portable",
        opset=OPSET,
        files=tuple(file_entry(folder, path) for path in paths),
    )
