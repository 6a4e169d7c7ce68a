"""Recipes: what is accepted, and how every mistake is told."""

import ast
import inspect
import re
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from support.recipes import (
    GOOD,
    NETWORKS,
    PAIRS,
    PICTURES,
    SUMMARIES,
    VECTORS,
    with_network,
    written,
)

from maas.bundle.manifest import LABEL
from maas.errors import FieldError
from maas_lab.recipes.networks import BiLstmRecipe
from maas_lab.recipes.networks import NetworkRecipe as Network
from maas_lab.recipes.recipe import KINDS, AnyRecipe, TextClassification, decode_recipe, load_recipe

RECIPES = Path(__file__).parents[4] / "scripts" / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_committed_recipe_parses(path: Path) -> None:
    encoded = load_recipe(path).encode()

    assert decode_recipe(encoded).encode() == encoded  # of a file as source the name is kept


@pytest.mark.parametrize(("section", "text"), NETWORKS.items())
def test_every_architecture_has_sizes_of_its_own(tmp_path: Path, section: str, text: str) -> None:
    recipe = load_recipe(written(tmp_path, with_network(section, text)))

    said = tomllib.loads(section)
    assert said.pop("architecture") == recipe.network.__struct_config__.tag
    kept = msgspec.json.decode(recipe.encode())["network"]
    if "checkpoint" in said:
        said["checkpoint"] = said["checkpoint"].removeprefix("./")  # no path is kept
    assert said.items() <= kept.items()
    assert decode_recipe(recipe.encode()).task == recipe.task


def test_there_is_an_example_of_every_task_and_architecture() -> None:
    tasks = {tomllib.loads(text)["task"] for text in NETWORKS.values()}
    named = {tomllib.loads(section)["architecture"] for section in NETWORKS}

    assert tasks == KINDS.keys()
    assert named == {
        kind.__struct_config__.tag for kind in structs_of(AnyRecipe) if issubclass(kind, Network)
    }


def structs_of(kind: object) -> "set[type[msgspec.Struct]]":
    """The structs that a recipe is made of, at any depth."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = [field.type for field in msgspec.structs.fields(kind)]
        return {kind}.union(*map(structs_of, fields))
    return set().union(*map(structs_of, get_args(kind)))


def documented(kind: type) -> set[str]:
    """The keys of a struct, and of those that it extends, below which a docstring stands."""
    found: set[str] = set()
    for each in (base for base in kind.__mro__ if issubclass(base, msgspec.Struct)):
        if each is msgspec.Struct:
            continue
        (tree,) = ast.parse(inspect.getsource(each)).body
        assert isinstance(tree, ast.ClassDef)
        for line, after in pairwise(tree.body):
            told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and told:
                found.add(line.target.id)
    return found


@pytest.mark.parametrize("kind", sorted(structs_of(AnyRecipe), key=str), ids=str)
def test_every_key_of_a_recipe_says_what_it_is(kind: type[msgspec.Struct]) -> None:
    assert kind.__doc__
    sections = {
        field.name
        for field in msgspec.structs.fields(kind)
        if structs_of(field.type)  # a section says what it is in the docstring of its own struct
    }
    assert set(kind.__struct_fields__) - documented(kind) - sections == set()


def test_the_sentiment_recipe_is_the_network_of_the_issue() -> None:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml")

    assert isinstance(recipe, TextClassification)
    assert isinstance(recipe.network, BiLstmRecipe)
    assert recipe.name == "sentiment"
    assert recipe.vocabulary.size == 10_000
    assert (recipe.network.embedding, recipe.network.hidden) == (128, 64)
    assert recipe.targets.test_accuracy >= 0.76


_TASKS = "allowed: text-classification, image-classification, translation, summarization, feature-"
_OF_TEXTS = "allowed: bilstm, lstm, gru, transformer, bert"


@pytest.mark.parametrize(
    ("good", "bad", "where", "told"),
    [
        ("seed = 1\n", "", "seed", "is missing"),
        ("seed = 1\n", 'seed = "1"\n', "line 5: seed", "`int`, got `str`"),
        ("seed = 1\n", "seed = true\n", "line 5: seed", "got `bool`"),
        ("seed = 1\n", "seed = -1\n", "line 5: seed", ">= 0"),
        ("hidden = 64", "hiden = 64", "line 21: network.hiden", "Known: architecture, embedding"),
        ('"bilstm"', '"cnn"', "line 19: network.architecture", _OF_TEXTS),
        ('"bilstm"', '"seq2seq-rnn"', "line 19: network.architecture", _OF_TEXTS),
        ('"bilstm"', '"Bert"', "line 19: network.architecture", _OF_TEXTS),
        ('architecture = "bilstm"\n', "", "line 18: network.architecture", _OF_TEXTS),
        ('"bilstm"', '"bert"', "line 20: network.embedding", "Known: architecture, checkpoint, wi"),
        (
            '"bilstm"',
            '"gru"\nheads = 2',
            "line 20: network.heads",
            "Known: architecture, embedding",
        ),
        ('"bilstm"', '"transformer"\nlayers = 0', "line 20: network.layers", ">= 1"),
        ("clip = 1.0", "clip = nan", "line 30: training.clip", "> 0"),
        ("= 0.001", "= inf", "line 27: training.learning_rate", "<= 1.0"),
        ("= 0.001", "= 1e9", "line 27: training.learning_rate", "<= 1.0"),
        ("= 0.001", "= 0", "line 27: training.learning_rate", "> 0"),
        (
            "clip = 1.0",
            'loss = "rmse"',
            "line 30: training.loss",
            "allowed: bce, cross-entropy, ms",
        ),
        ("clip = 1.0", "steps = 0", "line 30: training.steps", "Known: batch_size"),
        ("patience = 3", "patience = 0", "line 29: training.patience", ">= 1"),
        ("max_tokens = 256", "max_tokens = 513", "line 16: vocabulary.max_tokens", "<= 512"),
        ("= 256", '= "256 tokens"', "line 16: vocabulary.max_tokens", "got `str`"),
        ("= 256", '= 256\nkind = "letters"', "line 17: vocabulary.kind", "allowed: characters, c"),
        ("10_000", "10_000.5", "line 15: vocabulary.size", "got `float`"),
        ("test = 0.1", "test = 0.5", "line 11: data.test", "<= 0.4"),
        ("test = 0.1", "test = 10", "line 11: data.test", "<= 0.4"),  # percent
        ("= 0.76", "= 76", "line 35: targets.test_accuracy", "<= 1.0"),  # percent
        ("= 0.76", "= 0.76\ntest_bleu = 3", "line 36: targets.test_bleu", "Known: test_accuracy"),
        ('"positive"]', '"negative"]', "line 9: data.labels", "differ"),
        (', "positive"]', "]", "line 9: data.labels", "at least 2 classes"),
        ('"positive"]', '""]', "line 9: data.labels", "matching regex"),
        ('"sentiment"', '"Sentiment"', "line 3: name", "matching regex"),
        ('"sentiment"', '"sentiment\\n"', "line 3: name", "matching regex"),
        ('"text-classification"', '"chess"', "line 4: task", _TASKS),
        ('task = "text-classification"\n', "", "task", _TASKS),
        ('"text-classification"', "5", "line 4: task", _TASKS),
        ("[targets]", "[goals]", "line 34: goals", "Known: task, name, seed, note, minutes"),
        ("test_accuracy = 0.76", "", "line 34: targets.test_accuracy", "is missing"),
    ],
)
def test_a_mistake_names_file_line_key_and_what_is_allowed(
    tmp_path: Path, good: str, bad: str, where: str, told: str
) -> None:
    # Given a recipe with one mistake
    path = tmp_path / "broken.toml"
    assert good in GOOD
    path.write_text(GOOD.replace(good, bad, 1))

    # When it is loaded
    with pytest.raises(FieldError) as caught:
        load_recipe(path)

    # Then the message is enough to mend it
    message = str(caught.value)
    assert caught.value.field == where.rsplit(": ", maxsplit=1)[-1]
    assert caught.value.exit_code == 2
    assert message.startswith(f"{path}, {where} " if "line" in where else f"{path}: {where} ")
    assert told in message


@pytest.mark.parametrize(
    ("text", "change", "key", "told"),
    [
        (PICTURES, ('"cnn"', '"bert"'), "network.architecture", "allowed: mlp, cnn"),
        (PICTURES, ('"cnn"', '"cnn"\nchannels = []'), "network.channels", "length >= 1"),
        (
            PICTURES,
            ('"cnn"', '"cnn"\nkernel = 3'),
            "network.kernel",
            "Known: architecture, channels",
        ),
        (PICTURES, ('["0", "1"]', '["0"]'), "data.labels", "length >= 2"),
        (PICTURES, ('["0", "1"]', '["0", "0"]'), "data.labels", "differ"),
        (PICTURES, ("[network]", "[vocabulary]\n[network]"), "vocabulary", "Known: task, name"),
        (
            PAIRS,
            ('"seq2seq-transformer"', '"gru"'),
            "network.architecture",
            "seq2seq-rnn, seq2seq-tr",
        ),
        (PAIRS, ("test_bleu = 10", "test_bleu = 101"), "targets.test_bleu", "<= 100"),
        (PAIRS, ("test_bleu", "test_accuracy"), "targets.test_accuracy", "Known: test_bleu"),
        (PAIRS, ("[decoding]", "[decoding]\nbeams = 0"), "decoding.beams", ">= 1"),
        (
            SUMMARIES,
            ("former", 'former"\nwidth = 10\n#"'),
            "network.width",
            "a multiple of `heads`",
        ),
        (VECTORS, ('"bert"', '"bilstm"'), "network.architecture", "allowed: bert"),
        (VECTORS, ("test_cosine = 0.999", "test_cosine = 99"), "targets.test_cosine", "<= 1.0"),
    ],
)
def test_what_is_allowed_depends_on_the_task(
    tmp_path: Path, text: str, change: tuple[str, str], key: str, told: str
) -> None:
    assert change[0] in text
    with pytest.raises(FieldError) as caught:
        load_recipe(written(tmp_path, text.replace(*change, 1)))

    assert caught.value.field == key
    assert re.search(rf", line \d+: {key} ", str(caught.value))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"name = = 1", "is not TOML"),
        (b"name = '\xff'", "is not UTF-8"),
        (b"#" * 1_048_577, "larger than"),
        (b"a = " + b"[" * 5000, "is not TOML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, told: str) -> None:
    path = tmp_path / "strange.toml"
    path.write_bytes(content)

    with pytest.raises(FieldError, match=told):
        load_recipe(path)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match=r"absent\.toml: cannot be read"):
        load_recipe(tmp_path / "absent.toml")
    with pytest.raises(FieldError, match="cannot be read"):
        load_recipe(tmp_path)


def test_the_command_line_replaces_what_the_file_says(tmp_path: Path) -> None:
    recipe = load_recipe(
        RECIPES / "sentiment-lstm.toml",
        seed=7,
        name="stars",
        data=tmp_path / "mine.csv",
        columns={"text_column": "body", "label_column": "stars"},
        labels=["1", "5"],
    )

    assert isinstance(recipe, TextClassification)
    assert (recipe.name, recipe.seed) == ("stars", 7)
    assert recipe.data.source == str(tmp_path / "mine.csv")
    assert (recipe.data.text_column, recipe.data.label_column) == ("body", "stars")
    assert recipe.data.labels == ("1", "5")


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file() -> None:
    with pytest.raises(FieldError, match=r"^The command line: seed is not acceptable"):
        load_recipe(RECIPES / "sentiment-lstm.toml", seed=-1)
    with pytest.raises(FieldError, match=r"^The command line: data\.labels is not acceptable"):
        load_recipe(RECIPES / "sentiment-lstm.toml", labels=["one"])
    with pytest.raises(FieldError, match=r"^The command line: data\.source_column is not known"):
        load_recipe(RECIPES / "sentiment-lstm.toml", columns={"source_column": "text"})


@pytest.mark.parametrize("name", ["Stars", "s", "stars\n", ""])
def test_a_name_on_the_command_line_is_checked_like_that_of_the_file(name: str) -> None:
    with pytest.raises(FieldError, match=r"^The command line: name is not acceptable") as caught:
        load_recipe(RECIPES / "sentiment-lstm.toml", name=name)
    assert caught.value.field == "name"


@pytest.mark.parametrize("label", ["x" * 128, "très bien", "\U0001f600" * 128, "a|b", " "])
def test_labels_that_a_bundle_may_have_are_accepted(label: str) -> None:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml", labels=["bad", label])

    assert LABEL.fullmatch(label)
    decoded = decode_recipe(recipe.encode())
    assert isinstance(decoded, TextClassification)
    assert decoded.data.labels == ("bad", label)


@pytest.mark.parametrize(
    "label", ["", "x" * 129, "x\n", "a\tb", "\x7f", "\x85", "a\u2028b", "\u2029", "\0"]
)
def test_labels_that_no_bundle_may_have_are_refused_before_training(label: str) -> None:
    assert not LABEL.fullmatch(label)
    with pytest.raises(FieldError, match="labels is not acceptable") as caught:
        load_recipe(RECIPES / "sentiment-lstm.toml", labels=["bad", label])
    assert caught.value.field == "data.labels"


def test_a_note_is_not_kept_for_other_rows(tmp_path: Path) -> None:
    path = tmp_path / "noted.toml"
    path.write_text(GOOD.replace("seed = 1\n", 'seed = 1\nnote = "Film reviews."\n'))

    assert load_recipe(path, seed=2).note == "Film reviews."
    assert load_recipe(path, data=tmp_path / "mine.csv").note == ""


def test_a_source_beside_the_recipe_is_found_and_its_folder_is_not_written_down(
    tmp_path: Path,
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('"movie-reviews"', '"rows.csv"'))

    recipe = load_recipe(path)

    assert recipe.data.source == str(tmp_path / "rows.csv")
    assert str(tmp_path).encode() not in recipe.encode()
    assert decode_recipe(recipe.encode()).data.source == "rows.csv"


def test_an_encoded_recipe_of_another_kind_is_refused() -> None:
    with pytest.raises(FieldError, match="is not a recipe"):
        decode_recipe(b'{"name": "sentiment"}')
    with pytest.raises(FieldError, match="is not a recipe"):
        decode_recipe(b"{")


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        ("sentiment-lstm", "shift = 2"),
        ("sentiment-bert", "word_dropout = 0.1"),
        ("digits-cnn", "word_dropout = 0.1"),
        ("translate", 'loss = "mse"'),
        ("translate", 'class_weights = "balanced"'),
        ("sentiment-lstm", 'loss = "mse"\nlabel_smoothing = 0.1'),
    ],
)
def test_a_key_that_would_do_nothing_is_refused(tmp_path: Path, recipe: str, key: str) -> None:
    path = tmp_path / "idle.toml"
    text = (RECIPES / f"{recipe}.toml").read_text()
    name = key.partition(" ")[0]
    kept = "\n".join(line for line in text.splitlines() if not line.startswith(name))
    path.write_text(kept.replace("[training]", f"[training]\n{key}"))

    with pytest.raises(FieldError, match=key.splitlines()[-1].partition(" ")[0]):
        load_recipe(path)
