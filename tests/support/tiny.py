"""A tiny real model, its bundle, and a home with a registry of them; no torch, all made in code.

    bundle = make_bundle(tmp_path / "bundles", seed=1)     # in <bundles>/sentiment/<digest16>/
    bundle.logits(["good film"])                           # what it must answer, by numpy alone
    home = make_home(tmp_path, versions=2)                 # registered 1 and 2, production is 1

Another seed gives other weights, so another digest and other answers. `hazards=True` gives a model
that fails on purpose: FOREVER_WORD never ends, NAN_WORD answers NaN, PANIC_TEXT makes the tokenizer
library panic. `rounded=True` adds the form int8, of rounded weights and with golden requests of its
own.
"""

import time
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from support.doors import Client, LambdaContext, rest_event
from support.graphs import INPUTS, OPSET, classifier_graph, save_external, slow_graph
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers

from maas.assembly import Services, build_registry
from maas.bundle.golden import GOLDEN, Golden
from maas.bundle.manifest import (
    MANIFEST,
    FileEntry,
    Form,
    Manifest,
    ModelLimits,
    bundle_digest,
    canonical_json,
    digest16,
)
from maas.bundle.verify import sha256_file
from maas.http.app import App
from maas.http.catalog import catalog_routes
from maas.http.inference import check_promoted, inference_routes
from maas.loading import TOKENIZER, optimised_form
from maas.observe import Observer
from maas.registry.addresses import ByNumber
from maas.registry.reader import Reader
from maas.registry.records import Candidate, TensorSpec, Verification
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from support.task_bundles import TaskBundle

    from maas.registry.registry import Registry

__all__ = [
    "Client",
    "Home",
    "LambdaContext",
    "TinyBundle",
    "make_bundle",
    "make_home",
    "open_client",
    "rest_event",
    "slow_graph",
    "write_bundle",
]

MODEL = "sentiment"
LABELS = ("negative", "positive")
MAX_TOKENS = 16
FOREVER_WORD = "forever"
NAN_WORD = "notanumber"
PANIC_TEXT = "x" * 60
WORDS = (
    *(
        "[PAD]",
        "[UNK]",
        "a",
        "the",
        "film",
        "story",
        "good",
        "bad",
        "fine",
        "dull",
        "wit",
        "warmth",
    ),
    *("gripping", "told", "with", "and", FOREVER_WORD, NAN_WORD),
)
INT8 = "int8"
GOLDEN_TEXTS = (("a fine film",), ("bad", "a gripping story told with warmth and wit"), ("good",))


@dataclass(frozen=True, slots=True)
class TinyBundle:
    """A bundle on disk and what it must answer.

    Attributes:
        folder: Where it lies.
        digest: Its digest.
        manifest: What its manifest says.
        weights: float32 `[vocabulary, labels]`.
    """

    folder: "Path"
    digest: str
    manifest: Manifest
    weights: "npt.NDArray[np.float32]"

    def logits(self, texts: "Sequence[str]") -> "npt.NDArray[np.float32]":
        """The answer by numpy alone, for texts of words and white space; float32 `[texts, 2]`."""
        return tiny_logits(self.weights, texts)

    def probabilities(self, text: str) -> dict[str, float]:
        """The softmax of one text's answer, by label."""
        powers = np.exp(self.logits([text])[0].astype(np.float64))
        return dict(zip(self.manifest.labels, (powers / powers.sum()).tolist(), strict=True))


@dataclass(frozen=True, slots=True)
class Home:
    """A laptop's state with registered versions.

    Attributes:
        settings: As the environment would say.
        bundles: The bundles by version number.
    """

    settings: Settings
    bundles: dict[int, TinyBundle]

    @property
    def environ(self) -> dict[str, str]:
        """The variables that make these settings."""
        return {"MAAS_HOME": str(self.settings.home), "MAAS_ACTOR": "tests", "MAAS_MODEL": MODEL}

    def registry(self) -> "Registry":
        """Open the registry; close it after use."""
        return build_registry(self.settings)

    def promote(self, number: int, *, weight: int = 100, alias: str = "production") -> None:
        """Promote a version."""
        with self.registry() as registry:
            registry.promote(MODEL, ByNumber(number), alias=alias, weight=weight)

    def add(self, seed: int) -> int:
        """Make a bundle and register it as the next version; answers with its number."""
        bundle = make_bundle(self.settings.bundles, seed=seed)
        with self.registry() as registry:
            number = register_bundle(registry, bundle)
        self.bundles[number] = bundle
        return number

    def services(
        self, *, full: bool = True, clock: "Callable[[], float]" = time.monotonic
    ) -> Services:
        """The services of a process that starts now."""
        registry = self.registry()
        return Services(
            self.settings,
            registry.policy,
            full=full,
            registry=registry if full else None,
            clock=clock,
        )


def tiny_weights(
    seed: int, *, labels: int = 2, rows: int = len(WORDS)
) -> "npt.NDArray[np.float32]":
    """Weights of their own for every seed; padding has none."""
    weights = np.random.default_rng(seed).normal(size=(rows, labels)).astype(np.float32)
    weights[WORDS.index("[PAD]")] = 0.0
    return weights


def tiny_logits(
    weights: "npt.NDArray[np.float32]", texts: "Sequence[str]"
) -> "npt.NDArray[np.float32]":
    """Add up the rows of each text's words."""
    sums = np.zeros((len(texts), weights.shape[1]), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in text.lower().split()[:MAX_TOKENS]:
            sums[row] += weights[WORDS.index(word if word in WORDS else "[UNK]")]
    return sums


def tiny_tokenizer(*, words: "Sequence[str]" = WORDS, panics: bool = False) -> str:
    """A tokenizer.json that knows the words; `panics` makes PANIC_TEXT one that it dies of."""
    vocabulary = {word: index for index, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    splits: list[pre_tokenizers.PreTokenizer] = [pre_tokenizers.WhitespaceSplit()]
    if panics:
        splits.insert(0, pre_tokenizers.Split(Regex("(x+x+)+y"), "isolated"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(splits)
    return str(tokenizer.to_str())


def make_bundle(
    bundles: "Path",
    *,
    seed: int = 0,
    hazards: bool = False,
    rows: int = len(WORDS),
    golden_shift: float = 0.0,
    labels: "Sequence[str]" = LABELS,
    rounded: bool = False,
    graph_of: "Callable[[npt.NDArray[np.float32]], bytes] | None" = None,
) -> TinyBundle:
    """Make a bundle where serving looks for it.

    Args:
        bundles: The folder of all bundles.
        seed: Chooses the weights.
        hazards: Whether the model can be made to fail; see the module.
        rows: Rows of the table of weights; 150,000 make a file of more than a megabyte.
        golden_shift: Added to the recorded answers, so that the model is not the recorded one.
        labels: Class names.
        rounded: Whether there is a form of rounded weights.
        graph_of: Makes another graph of the weights; it answers the golden requests as ours does.
    """
    weights = tiny_weights(seed, labels=len(labels), rows=rows)
    if hazards:
        weights[WORDS.index(NAN_WORD)] = np.nan
        graph = slow_graph(weights, slow_id=WORDS.index(FOREVER_WORD))
    else:
        graph = (graph_of or classifier_graph)(weights)
    part = bundles / f".part-{seed}"
    for name in ("portable", optimised_form()):
        (part / name).mkdir(parents=True)
    (part / "portable" / "model.onnx").write_bytes(graph)
    save_external(graph, part / optimised_form())
    (part / TOKENIZER).write_text(tiny_tokenizer(panics=hazards), encoding="utf-8")
    (part / GOLDEN).write_bytes(golden_lines(weights, golden_shift))
    if rounded:
        (part / INT8).mkdir()
        save_external(classifier_graph(rounded_weights(weights)), part / INT8)
        (part / INT8 / GOLDEN).write_bytes(golden_lines(rounded_weights(weights)))
    manifest = describe_bundle(part, labels=labels)
    digest = write_bundle(part, manifest)
    folder = bundles / MODEL / digest16(digest)
    folder.parent.mkdir(exist_ok=True)
    part.rename(folder)
    return TinyBundle(folder, digest, manifest, weights)


def describe_bundle(folder: "Path", *, labels: "Sequence[str]" = LABELS) -> Manifest:
    """The manifest of the files that lie there."""
    return Manifest(
        format=1,
        name=MODEL,
        task="text-classification",
        labels=tuple(labels),
        inputs=tuple(TensorSpec(name, "int64", ("batch", "sequence")) for name in INPUTS),
        outputs=(TensorSpec("logits", "float32", ("batch", len(labels))),),
        limits=ModelLimits(max_tokens=MAX_TOKENS),
        metrics={"test_accuracy": 0.75},
        lineage={"run": "tiny"},
        files=tuple(file_entry(folder, path) for path in sorted((GOLDEN, TOKENIZER))),
        forms=tuple(_form(folder, path.parent.name) for path in sorted(folder.glob("*/*.onnx"))),
    )


def write_bundle(folder: "Path", manifest: Manifest) -> str:
    """Write a manifest beside its files; answers with the bundle's digest."""
    data = canonical_json(manifest)
    (folder / MANIFEST).write_bytes(data)
    return bundle_digest(data)


def register_bundle(registry: "Registry", bundle: "TinyBundle | TaskBundle") -> int:
    """Register a bundle as the next version; its golden requests are taken as replayed."""
    manifest = bundle.manifest
    registered = registry.register(
        Candidate(
            model=manifest.name,
            digest=bundle.digest,
            task=manifest.task,
            inputs=manifest.inputs,
            outputs=manifest.outputs,
            verification=Verification(golden=3, max_difference=0.0, seconds=0.001),
            labels=manifest.labels,
            metrics=manifest.metrics,
            lineage=manifest.lineage,
        )
    )
    return registered.record.number


def make_home(
    path: "Path", versions: int = 2, *, hazards: bool = False, promoted: bool = True
) -> Home:
    """Make a home with versions 1 to `versions` of `sentiment`, and promote version 1.

    Args:
        path: The home's folder.
        versions: How many; seeds are the numbers.
        hazards: Whether their models can be made to fail; see the module.
        promoted: Whether production routes to version 1.
    """
    environ = {"MAAS_HOME": str(path), "MAAS_ACTOR": "tests", "MAAS_MODEL": MODEL}
    settings = Settings.parse(environ)
    bundles = {}
    with build_registry(settings) as registry:
        for seed in range(1, versions + 1):
            bundle = make_bundle(settings.bundles, seed=seed, hazards=hazards)
            bundles[register_bundle(registry, bundle)] = bundle
        if promoted:
            registry.promote(MODEL, ByNumber(1))
    return Home(settings, bundles)


def open_client(
    services: Services,
    *,
    reader: Reader | None = None,
    base_path: str = "",
    threads: bool = False,
    concurrency: int | None = None,
    metrics: bool = False,
) -> Client:
    """HTTP to an app over these services, whose request ids are request-0, request-1 and so on.

    With a reader of the registry it has the catalog's routes too, as a laptop's server does.
    """
    ids = (f"request-{number}" for number in count())
    routes = dict(inference_routes(services, threads=threads))
    if reader is not None:
        routes |= catalog_routes(reader, ready=partial(check_promoted, services))
    app = App(
        routes,
        observer=Observer("INFO", metrics=metrics),
        new_id=lambda: next(ids),
        base_path=base_path,
        concurrency=concurrency,
    )
    return Client(app)


def rounded_weights(weights: "npt.NDArray[np.float32]") -> "npt.NDArray[np.float32]":
    """Weights to the nearest quarter; answers differ by far more than a float's last bits."""
    return np.round(weights * 4) / np.float32(4)


def golden_lines(weights: "npt.NDArray[np.float32]", shift: float = 0.0) -> bytes:
    """The golden requests with what these weights answer, and `shift` added."""
    lines = []
    for texts in GOLDEN_TEXTS:
        rows = (tiny_logits(weights, texts) + np.float32(shift)).tolist()
        lines.append(Golden(texts=texts, logits=tuple(map(tuple, rows))).encode())
    return b"\n".join(lines) + b"\n"


def _form(folder: "Path", name: str) -> Form:
    return Form(
        name=name,
        graph=f"{name}/model.onnx",
        optimised=name != "portable",
        opset=OPSET,
        files=tuple(
            file_entry(folder, f"{name}/{file.name}") for file in sorted((folder / name).iterdir())
        ),
    )


def file_entry(folder: "Path", path: str) -> FileEntry:
    """What a manifest says of a file that lies there."""
    file = folder / path
    return FileEntry(path=path, size=file.stat().st_size, sha256=sha256_file(file))
