"""Models that go on with texts, from folders of Hugging Face's: served, they write what torch does.

The networks are tiny and new, of bytes; transformers' own `generate` says what is to be written.
"""

import json
import time
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
import transformers
from support.tiny_generator import generator_graph, generator_tokenizer, generator_weights
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from maas.bundle.golden import TOLERANCE, read_golden
from maas.bundle.manifest import Manifest
from maas.bundle.verify import verify_bundle
from maas.errors import FieldError, RefusedError
from maas.loading import load_version
from maas.tasks.chat import Message
from maas.tasks.generate import Generator
from maas.tasks.generation import GenerateRequest
from maas.tasks.sampling import Sampling
from maas_lab.importing.importer import import_model
from maas_lab.importing.texts import TEXTS
from maas_lab.importing.wishes import Wishes

pytestmark = pytest.mark.recipes
GENERATE = "text-generation"
END, WORDS, CONTEXT, MOST = 256, 257, 96, 12
_WIDE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4}
_LONG = {**_WIDE, "max_position_embeddings": CONTEXT, "intermediate_size": 64}
SIZES: dict[str, dict[str, Any]] = {
    "GPT2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT},
    "Llama": {**_LONG, "num_key_value_heads": 2},
    "Qwen2": {**_LONG, "num_key_value_heads": 2},
    "Mistral": {**_LONG, "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 48},
    "GPTNeoX": _LONG,
    "Gemma2": {**_LONG, "num_key_value_heads": 2, "head_dim": 8},
    "OPT": {
        **_WIDE,
        **{"ffn_dim": 64, "max_position_embeddings": CONTEXT, "word_embed_proj_dim": 32},
    },
    "Phi": _LONG,
}
THOROUGH = ("GPT2", "Llama")
"""Kinds that are asked all prompts; `generate` takes its time."""
PROMPTS = tuple(
    sorted({part for text in TEXTS for at in (0, 9) if (part := text[at : at + 16].strip())})
)[:36]


def by_bytes() -> str:
    """A tokenizer.json of bytes and an end, without a token that pads."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    native = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    native.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    native.decoder = decoders.ByteLevel()
    native.add_special_tokens([AddedToken("<end>", special=True)])
    return str(native.to_str())


def make_folder(folder: Path, kind: str, **more: Any) -> Any:  # noqa: ANN401
    """A folder as save_pretrained writes it; gives the network."""
    torch.manual_seed(7)
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=WORDS, bos_token_id=END, eos_token_id=END, pad_token_id=None, **SIZES[kind]
    )
    auto: Any = transformers.AutoModelForCausalLM
    network = auto.from_config(config, attn_implementation="eager")
    for weights in network.parameters():
        if weights.dim() > 1:
            torch.nn.init.normal_(weights, std=0.3)  # so that no token is chosen narrowly
    network.eval().save_pretrained(folder)
    (folder / "tokenizer.json").write_text(by_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "<end>"} | more))
    return network


def served(folder: Path, bundles: Path, **wishes: Any) -> tuple[Generator, Manifest, Any]:  # noqa: ANN401
    """The imported model as serving opens it, its manifest, and what the import says."""
    done = import_model(folder, bundles, Wishes(task=GENERATE, **wishes))
    task = load_version(verify_bundle(done.made.bundle.folder), threads=1).task
    assert isinstance(task, Generator)
    return task, done.made.bundle.manifest, done


def ids_of(generator: Generator, text: str, how: Sampling) -> list[int]:
    request = GenerateRequest((text,), how=how, max_new_tokens=MOST, seed=1)
    (row,) = generator.predict(request, deadline=time.monotonic() + 10).rows
    return [token.id for token in row.tokens]


def generated(network: Any, text: str, **how: Any) -> list[int]:  # noqa: ANN401
    """What transformers writes."""
    prompt = torch.tensor([Tokenizer.from_str(by_bytes()).encode(text).ids])
    with torch.inference_mode():
        written = network.generate(
            prompt,
            attention_mask=torch.ones_like(prompt),
            max_new_tokens=MOST,
            pad_token_id=END,
            **how,
        )
    ids: list[int] = written[0, prompt.shape[1] :].tolist()
    return ids


@pytest.mark.parametrize("kind", SIZES)
def test_a_network_writes_what_transformers_does(tmp_path: Path, kind: str) -> None:
    # Given a folder of a new network
    folder = tmp_path / "mine"
    network = make_folder(folder, kind)

    # When it is imported
    generator, manifest, done = served(folder, tmp_path / "bundles")

    # Then it was compared with torch step by step, within what it may differ by
    assert done.exported.proof.rows >= 32
    assert done.exported.proof.max_difference <= TOLERANCE
    context = 48 if kind == "Mistral" else CONTEXT  # within its window it sees all
    assert (manifest.limits.max_tokens, manifest.limits.max_new_tokens) == (context, context - 1)
    assert manifest.generation is not None
    assert (manifest.generation.end_ids, manifest.generation.chat) == ((END,), None)
    assert len(read_golden(done.made.bundle)) >= 4

    # And it writes the very tokens of transformers' own loop, without a cache or with one
    assert len(PROMPTS) >= 32
    for text in PROMPTS if kind in THOROUGH else PROMPTS[::6]:
        assert ids_of(generator, text, Sampling()) == generated(network, text, do_sample=False)
        wanted = generated(network, text, do_sample=False, repetition_penalty=1.3)
        assert ids_of(generator, text, Sampling(repetition_penalty=1.3)) == wanted
        likeliest = Sampling(sample=True, top_k=1, temperature=0.7)
        assert ids_of(generator, text, likeliest) == generated(
            network, text, do_sample=True, top_k=1, temperature=0.7
        )


def test_chances_are_those_of_transformers(tmp_path: Path) -> None:
    """Drawn ids are within what its processors leave, and as likely as they say."""
    folder = tmp_path / "mine"
    network = make_folder(folder, "Llama")
    generator, _, _ = served(folder, tmp_path / "bundles")
    prompt = torch.tensor([Tokenizer.from_str(by_bytes()).encode("not bad").ids])
    with torch.inference_mode():
        row = network(prompt).logits[:, -1]
    processors: Any = transformers.LogitsProcessorList(
        [
            transformers.RepetitionPenaltyLogitsProcessor(1.2),
            transformers.TemperatureLogitsWarper(1.7),
            transformers.TopKLogitsWarper(12),
            transformers.TopPLogitsWarper(0.8),
        ]
    )
    chances = processors(prompt, row).softmax(-1)[0]
    how = Sampling(sample=True, temperature=1.7, top_k=12, top_p=0.8, repetition_penalty=1.2)
    drawn = []
    for seed in range(400):
        request = GenerateRequest(("not bad",), how=how, max_new_tokens=1, seed=seed)
        (only,) = generator.predict(request, deadline=time.monotonic() + 10).rows
        drawn.append(only.tokens[0].id)
    allowed = set(chances.nonzero().flatten().tolist())
    assert set(drawn) <= allowed
    for number in allowed:
        chance = float(chances[number])
        spread = 4 * (chance * (1 - chance) / len(drawn)) ** 0.5
        assert drawn.count(number) / len(drawn) == pytest.approx(chance, abs=spread + 1e-9)


def test_a_conversation_is_written_as_the_folders_template_says(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    make_folder(folder, "Llama", chat_template=template)
    generator, manifest, done = served(folder, tmp_path / "bundles")
    assert manifest.generation is not None
    assert manifest.generation.chat is not None
    assert any("answers conversations" in note for note in done.fitted.notes)
    talk = (Message("system", "be brief"), Message("user", "hi"))
    request = GenerateRequest(messages=talk, max_new_tokens=4)
    (row,) = generator.predict(request, deadline=time.monotonic() + 10).rows
    # The end of each message is one token, all else are bytes
    assert row.read == len("system: be brief") + 1 + len("user: hi") + 1 + len("assistant: ")


def test_a_context_may_be_wished_shorter(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    make_folder(folder, "GPT2")
    _, manifest, _ = served(folder, tmp_path / "bundles", max_tokens=40)
    assert manifest.limits.max_tokens == 40


# ---- Graphs that somebody else exported ---------------------------------------------------------


@pytest.mark.parametrize("positions", [False, True])
def test_a_graph_with_the_names_of_optimum_fits_as_it_is(
    tmp_path: Path, *, positions: bool
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    tables = generator_weights(3)
    (folder / "model.onnx").write_bytes(generator_graph(tables, positions=positions))
    (folder / "tokenizer.json").write_text(generator_tokenizer())
    (folder / "config.json").write_text('{"eos_token_id": 2, "max_position_embeddings": 48}')
    wishes = Wishes(task=GENERATE, tokenizer=folder / "tokenizer.json")
    done = import_model(folder / "model.onnx", tmp_path / "bundles", wishes)
    manifest = done.made.bundle.manifest
    assert manifest.generation is not None
    assert manifest.generation.end_ids == (2,)
    assert manifest.limits.max_tokens == 48
    assert load_version(verify_bundle(done.made.bundle.folder), threads=1).replay.requests >= 1


def test_a_graph_without_a_cache_is_refused_with_the_remedy(tmp_path: Path) -> None:
    graph = onnx.load_from_string(generator_graph(generator_weights(3)))
    kept = [value for value in graph.graph.output if value.name != "present.0.value"]
    del graph.graph.output[:]
    graph.graph.output.extend(kept)
    onnx.save(graph, tmp_path / "mine.onnx")
    (tmp_path / "tokenizer.json").write_text(generator_tokenizer())
    wishes = Wishes(task=GENERATE, tokenizer=tmp_path / "tokenizer.json")
    with pytest.raises(RefusedError, match="text-generation-with-past"):
        import_model(tmp_path / "mine.onnx", tmp_path / "bundles", wishes)


def test_without_a_tokenizer_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").write_bytes(generator_graph(generator_weights(3)))
    with pytest.raises(FieldError) as refused:
        import_model(tmp_path / "mine.onnx", tmp_path / "bundles", Wishes(task=GENERATE))
    assert refused.value.field == "tokenizer"


def test_a_network_that_cannot_be_traced_is_refused_with_the_remedy(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    torch.manual_seed(7)
    config = transformers.BloomConfig(vocab_size=WORDS, hidden_size=32, n_layer=1, n_head=4)
    transformers.BloomForCausalLM(config).save_pretrained(folder)
    (folder / "tokenizer.json").write_text(by_bytes())
    with pytest.raises(RefusedError, match="cannot be traced"):
        import_model(folder, tmp_path / "bundles", Wishes(task=GENERATE))
