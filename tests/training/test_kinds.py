"""Every task, architecture and optimiser: trained, stopped on the way, and gone on with."""

import gzip
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from maas_lab.checkpoint import load_best
from maas_lab.metrics import read_metrics
from maas_lab.recipes.recipe import AnyRecipe, load_recipe
from maas_lab.records import Scores, WritingScores
from maas_lab.runs import Run
from maas_lab.train import train

pytestmark = pytest.mark.training

HEAD = """
name = "tiny"
task = "{task}"
seed = 3

[data]
source = "{source}"
validation = 0.2
{data}

[network]
{network}

[training]
batch_size = 8
learning_rate = 0.01
max_epochs = 3
patience = 3
checkpoint_steps = 2
{training}

[targets]
{targets}
"""
WORDS = '\n[vocabulary]\nkind = "words"\nsize = 40\nmax_tokens = 12\n'
PIECES = '\n[vocabulary]\nkind = "subwords"\nsize = 60\nmax_tokens = 12\n'
DECODING = "\n[decoding]\nmax_new_tokens = 8\nbeams = 2\n"

TEXTS = {
    "bilstm": 'architecture = "bilstm"\nembedding = 6\nhidden = 4',
    "lstm": 'architecture = "lstm"\nembedding = 6\nhidden = 4',
    "gru": 'architecture = "gru"\nembedding = 6\nhidden = 4',
    "transformer": (
        'architecture = "transformer"\nwidth = 8\nheads = 2\nlayers = 1\nfeedforward = 8'
    ),
    "bert": 'architecture = "bert"\nwidth = 8\nheads = 2\nlayers = 1\nfeedforward = 8',
}
PICTURES = {
    "mlp": 'architecture = "mlp"\nhidden = [6]',
    "cnn": 'architecture = "cnn"\nchannels = [2, 3]\nhidden = 6',
}
PAIRS = {
    "seq2seq-rnn": 'architecture = "seq2seq-rnn"\nembedding = 8\nhidden = 6\nlayers = 2',
    "seq2seq-transformer": (
        'architecture = "seq2seq-transformer"\nwidth = 8\nheads = 2\nlayers = 1\n'
        "decoder_layers = 1\nfeedforward = 8\ncopy = true"
    ),
}
# Other ways to learn, spread over the architectures: each is tried once.
WAYS = {
    "lstm": 'optimizer = "sgd"\nlabel_smoothing = 0.1',
    "gru": 'optimizer = "momentum"\nclass_weights = "balanced"',
    "transformer": 'optimizer = "adamw"\nweight_decay = 0.1\nschedule = "cosine"\nwarmup = 0.1',
    "bert": 'loss = "bce"\naverage = 0.9\nprecision = "bf16"',
    "mlp": 'loss = "mse"\naccumulate = 3',
    "cnn": 'average = 0.9\nshift = 1\nrotate = 5\nflip = true\nschedule = "linear"',
    "seq2seq-transformer": (
        'batch_tokens = 40\nschedule = "inverse-sqrt"\nwarmup = 0.1\nprecision = "bf16"'
    ),
}


def write_idx(path: Path, values: np.ndarray) -> None:
    header = bytes([0, 0, 8, values.ndim]) + b"".join(
        size.to_bytes(4, "big") for size in values.shape
    )
    path.write_bytes(gzip.compress(header + values.tobytes()))


def text_recipe(folder: Path, network: str, training: str) -> str:
    rows = [f"n{row} {('dull', 'fine')[row % 2]},{('bad', 'good')[row % 2]}" for row in range(40)]
    (folder / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    return WORDS + HEAD.format(
        task="text-classification",
        source="rows.csv",
        data="test = 0.2",
        network=network,
        training=training,
        targets="test_accuracy = 0.5",
    )


def picture_recipe(folder: Path, network: str, training: str) -> str:
    rng = np.random.default_rng(0)
    for split, count in (("train", 40), ("t10k", 10)):
        labels = (np.arange(count) % 2).astype(np.uint8)
        pixels = rng.integers(0, 80, size=(count, 8, 8), dtype=np.uint8)
        pixels[labels == 1, :4] += 120
        write_idx(folder / f"{split}-images-idx3-ubyte.gz", pixels)
        write_idx(folder / f"{split}-labels-idx1-ubyte.gz", labels)
    return HEAD.format(
        task="image-classification",
        source=".",
        data='labels = ["dark", "light"]',
        network=network,
        training=training,
        targets="test_accuracy = 0.5",
    )


def pair_recipe(folder: Path, network: str, training: str) -> str:
    names = ("one", "two", "three", "four", "five", "six")
    rows = [
        f"{names[a]} {names[b]} {names[c]},{b} {a} {c}"
        for a in range(6)
        for b in range(6)
        for c in range(2)
    ]
    (folder / "pairs.csv").write_text("source,target\n" + "\n".join(rows) + "\n")
    return (
        PIECES
        + DECODING
        + HEAD.format(
            task="translation",
            source="pairs.csv",
            data="test = 0.2",
            network=network,
            training=training,
            targets="test_bleu = 1.0",
        )
    )


CASES = [
    *((text_recipe, name, network) for name, network in TEXTS.items()),
    *((picture_recipe, name, network) for name, network in PICTURES.items()),
    *((pair_recipe, name, network) for name, network in PAIRS.items()),
]


class StoppedError(Exception):
    """A process that ends just after something was saved."""


def trained(recipe: AnyRecipe, home: Path, *, saves: int | None = None) -> Run:
    """Train; with `saves`, end as if killed after so many times that something was saved."""
    left = [saves]

    def saved(_: Run) -> None:
        if left[0] is not None:
            left[0] -= 1
            if left[0] == 0:
                raise StoppedError

    return train(
        recipe,
        home=home,
        cache=home / "cache",
        resume=True,
        console=Console(file=StringIO()),
        device="cpu",
        saved=saved,
    )


@pytest.mark.parametrize(("make", "name", "network"), CASES, ids=[case[1] for case in CASES])
def test_p9_each_kind_of_network_is_gone_on_with(
    tmp_path: Path, make: object, name: str, network: str
) -> None:
    # Given a training that went through, and one that is ended twice on the way
    path = tmp_path / "tiny.toml"
    assert callable(make)
    content = make(tmp_path, network, WAYS.get(name, ""))
    head, _, rest = content.partition('\nname = "tiny"')  # tables come after the keys at the top
    path.write_text('name = "tiny"' + rest + head)
    recipe = load_recipe(path)
    whole = trained(recipe, tmp_path / "whole")
    for saves in (2, 3):
        with pytest.raises(StoppedError):
            trained(recipe, tmp_path / "stopped", saves=saves)

    # When it is gone on with
    run = trained(recipe, tmp_path / "stopped")

    # Then weights, course and figures are the same
    assert run.best_file.read_bytes() == whole.best_file.read_bytes()
    summary, expected = run.summary(), whole.summary()
    assert (summary.test, summary.steps) == (expected.test, expected.steps)
    course, wanted = (read_metrics(each.metrics_file)[1] for each in (run, whole))
    assert [line.train_loss for line in course] == [line.train_loss for line in wanted]
    assert all(np.isfinite(line.validation_loss) for line in course)
    # And the figures are of the right kind, and the weights are found again
    assert isinstance(summary.test, WritingScores if name in PAIRS else Scores)
    assert summary.baselines
    parameters = sum(each.numel() for each in load_best(run).parameters())
    assert parameters == summary.parameters
