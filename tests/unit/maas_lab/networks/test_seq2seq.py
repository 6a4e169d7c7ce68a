"""The two writers: steps come to what `forward` says, and padding changes nothing."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from maas_lab.networks.seq2seq_rnn import Seq2SeqRnn
from maas_lab.networks.seq2seq_transformer import Seq2SeqTransformer

if TYPE_CHECKING:
    from pathlib import Path

Network = Seq2SeqRnn | Seq2SeqTransformer

VOCABULARY = 50
LENGTHS = (5, 1, 12, 3)


def build(name: str) -> Network:
    torch.manual_seed(0)
    copy = name.startswith("copying ")
    if name.endswith("rnn"):
        sizes: Any = SimpleNamespace(embedding=16, hidden=8, layers=2, dropout=0.3, copy=copy)
        return Seq2SeqRnn(sizes, vocabulary_size=VOCABULARY).eval()
    sizes = SimpleNamespace(width=16, heads=4, layers=2, decoder_layers=3, feedforward=32)
    sizes.dropout, sizes.copy = 0.3, copy
    return Seq2SeqTransformer(sizes, vocabulary_size=VOCABULARY).eval()


COPYING = ("copying transformer", "copying rnn")


@pytest.fixture(params=["transformer", "rnn", *COPYING])
def network(request: pytest.FixtureRequest) -> Network:
    return build(request.param)


def random_rows(lengths: tuple[int, ...] = LENGTHS) -> tuple[Tensor, Tensor]:
    ids = torch.randint(4, VOCABULARY, (len(lengths), max(lengths)))
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1)).long()
    return ids * mask, mask


def random_targets(rows: int = len(LENGTHS)) -> Tensor:
    return torch.cat([torch.full((rows, 1), 2), torch.randint(4, VOCABULARY, (rows, 6))], dim=1)


def close(left: Tensor, right: Tensor) -> None:
    torch.testing.assert_close(left, right, atol=1e-5, rtol=0)


def test_forward_has_the_promised_shape_and_type(network: Network) -> None:
    logits = network(*random_rows(), random_targets())

    assert logits.shape == (4, 7, VOCABULARY)
    assert logits.dtype == torch.float32


def test_steps_come_to_what_forward_says(network: Network) -> None:
    ids, mask = random_rows()
    targets = random_targets()
    expected = network(ids, mask, targets)

    memory = network.encode(ids, mask)
    state = network.start(memory)
    for at in range(targets.shape[1]):
        logits, state = network.step(memory, state, targets[:, at])

        close(logits, expected[:, at])


def test_memory_and_state_have_the_rows_first(network: Network) -> None:
    memory = network.encode(*random_rows())
    state = network.start(memory)
    _, later = network.step(memory, state, torch.full((4,), 2))

    assert {part.shape[0] for part in (*memory, *state, *later)} == {4}


def test_rows_may_be_repeated_and_change_places_between_steps(network: Network) -> None:
    # Given a step of two rows
    ids, mask = random_rows((5, 3))
    targets = random_targets(2)
    memory = network.encode(ids, mask)
    _, state = network.step(memory, network.start(memory), targets[:, 0])
    expected, _ = network.step(memory, state, targets[:, 1])

    # When a search keeps other rows, as often as it likes
    order = torch.tensor([1, 0, 1])
    kept, moved = (tuple(part[order] for part in parts) for parts in (memory, state))
    logits, _ = network.step(kept, moved, targets[order, 1])

    # Then each goes on as it was
    close(logits, expected[order])


def test_a_row_has_the_same_answer_alone_and_padded_in_a_batch(network: Network) -> None:
    ids, mask = random_rows()
    targets = random_targets()
    together = network(ids, mask, targets)

    for row, length in enumerate(LENGTHS):
        one = slice(row, row + 1)
        close(together[one], network(ids[one, :length], mask[one, :length], targets[one]))


def test_what_stands_in_the_padding_changes_nothing(network: Network) -> None:
    ids, mask = random_rows()
    targets = random_targets()
    # Without a pointer no id is read where the mask is 0; with one it gets no weight.
    rubbish = torch.where(mask == 1, ids, torch.full_like(ids, 42))

    close(network(rubbish, mask, targets), network(ids, mask, targets))


def test_a_row_of_padding_alone_has_a_finite_answer(network: Network) -> None:
    empty = torch.zeros(2, 4, dtype=torch.int64)

    memory = network.encode(empty, empty)
    logits, _ = network.step(memory, network.start(memory), torch.full((2,), 2))

    assert torch.isfinite(logits).all()
    assert torch.isfinite(network(empty, empty, random_targets(2))).all()


def test_no_token_sees_the_ones_after_it(network: Network) -> None:
    ids, mask = random_rows()
    targets = random_targets()
    changed = targets.clone()
    changed[:, 4:] = 7

    close(network(ids, mask, targets)[:, :4], network(ids, mask, changed)[:, :4])


def test_all_parts_learn(network: Network) -> None:
    network.train()

    network(*random_rows(), random_targets()).logsumexp(2).sum().backward()

    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.parametrize("name", COPYING)
def test_copying_gives_log_probabilities_and_prefers_the_source(name: str) -> None:
    network = build(name)
    ids, mask = random_rows()
    nn.init.constant_(network.get_parameter("pointer.gate.bias"), 20.0)

    chances = network(ids, mask, random_targets()).exp()

    close(chances.sum(2), torch.ones(4, 7))
    assert (chances.argmax(2).unsqueeze(2) == ids.unsqueeze(1)).any(2).all()


class Step(nn.Module):
    """One step as a graph: memory, state and tokens one after another."""

    def __init__(self, network: Network, memory: int) -> None:
        super().__init__()
        self.network = network
        self.memory = memory

    def forward(self, *parts: Tensor) -> tuple[Tensor, ...]:
        *before, tokens = parts
        logits, state = self.network.step(
            tuple(before[: self.memory]), tuple(before[self.memory :]), tokens
        )
        return (logits, *state)


@pytest.mark.filterwarnings("ignore")
def test_a_traced_step_takes_other_rows_sources_and_caches(
    network: Network, tmp_path: "Path"
) -> None:
    # Given the graph of one step, traced after one token of two rows
    memory = network.encode(*random_rows((7, 4)))
    _, state = network.step(memory, network.start(memory), torch.full((2,), 2))
    parts = (*memory, *state, torch.full((2,), 5))
    names = [f"part{at}" for at in range(len(parts))]
    free = {
        name: {
            at: f"{name}_{at}" for at, size in enumerate(part.shape) if at == 0 or size in (1, 7)
        }
        for name, part in zip(names, parts, strict=True)
    }
    path = tmp_path / "step.onnx"
    torch.onnx.export(
        Step(network, len(memory)).eval(),
        parts,
        path,
        dynamo=False,
        opset_version=20,
        input_names=names,
        dynamic_axes=free,
    )
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    # When it reads the first two tokens of four rows of another length
    targets = random_targets()
    memory = network.encode(*random_rows())
    state = network.start(memory)
    for at in range(2):
        parts = (*memory, *state, targets[:, at])
        feeds = {name: np.asarray(part.detach()) for name, part in zip(names, parts, strict=True)}
        used = {given.name for given in session.get_inputs()}
        answers = session.run(None, {name: feeds[name] for name in feeds if name in used})
        logits, state = network.step(memory, state, targets[:, at])

        # Then it answers what torch answers, from the empty cache on
        for answer, expected in zip(answers, (logits, *state), strict=True):
            close(torch.as_tensor(answer), expected)
