"""A recipe: all that decides what a training run computes, typed and checked before any work.

Imports msgspec, `maas.errors`, `maas.limits` and the other modules of this room, which hold
the types of its sections. One TOML file per model lies in scripts/recipes; the key `task` says
which struct it is. The run keeps the canonical JSON of what was really used:

    recipe = load_recipe(Path("scripts/recipes/sentiment-lstm.toml"), seed=2)
    recipe.training.learning_rate                # 0.001
    run.recipe_file.write_bytes(recipe.encode())
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from maas.bundle.manifest import TaskName
from maas.errors import FieldError
from maas.limits import LIMITS
from maas_lab.recipes.data import ImageData, PairData, TextData, is_known_set
from maas_lab.recipes.errors import explain, parse_toml
from maas_lab.recipes.networks import BertRecipe, ImageNetwork, Seq2SeqNetwork, TextNetwork
from maas_lab.recipes.parts import Seed
from maas_lab.recipes.training import TrainingRecipe

if TYPE_CHECKING:
    from collections.abc import Sequence

Score = Annotated[float, Meta(ge=0.0, le=1.0)]
_TOKENS = Annotated[int, Meta(ge=1, le=LIMITS.tokens)]


class VocabularyRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which tokens the model knows."""

    kind: Literal["words", "subwords", "characters", "checkpoint"] = "words"
    """`words`: whole lower-cased words. `subwords`: the pieces that byte-pair encoding finds, upper
    and lower case kept. `characters`: single characters and pairs of them, for languages without
    spaces. `checkpoint`: the tokenizer of the network's checkpoint."""
    size: Annotated[int, Meta(ge=3, le=1_000_000)] = 10_000
    """Entries at the most, special tokens included."""
    max_tokens: _TOKENS = 256
    """Tokens of a text that are read; what is longer is cut (tokens)."""


class DecodingRecipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a sequence-to-sequence model writes."""

    max_new_tokens: _TOKENS = 128
    """Tokens that an answer may have (tokens)."""
    beams: Annotated[int, Meta(ge=1, le=8)] = 4
    """Answers that are followed at a time; 1 is greedy."""
    length_penalty: Annotated[float, Meta(ge=0.0, le=4.0)] = 1.0
    """An answer's log probability is divided by its length to this power."""


class Targets(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a classifier has to reach to be called good."""

    test_accuracy: Score
    """Share of the test rows that are classified rightly (0 to 1)."""


class BleuTarget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a translator has to reach to be called good."""

    test_bleu: Annotated[float, Meta(ge=0.0, le=100.0)]
    """BLEU of characters on the test rows (0 to 100)."""


class RougeTarget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a summariser has to reach to be called good."""

    test_rouge_l: Annotated[float, Meta(ge=0.0, le=100.0)]
    """ROUGE-L, F measure, on the test rows (0 to 100)."""


class CosineTarget(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an embedding has to keep of its checkpoint."""

    test_cosine: Score
    """The lowest cosine to the checkpoint's own vector over the test rows (0 to 1)."""


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One training run, but for its data's bytes. What differs by task is in the structs below."""

    name: Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{1,31}\Z")]
    """The model's name, such as `sentiment`."""
    seed: Seed
    """Seed of the first weights, of the order of the batches and of dropout."""
    note: Annotated[str, Meta(max_length=2000)] = ""
    """What readers of the card must know and no figure says."""
    minutes: Annotated[float, Meta(ge=0.0)] = 0.0
    """What training took on two CPU cores when it was measured; 0 where it was not (minutes)."""
    training: TrainingRecipe
    data: Any
    network: Any
    targets: Any

    @property
    def task(self) -> TaskName:
        """What the model is for; decides how it is served."""
        return cast("TaskName", self.__struct_config__.tag)

    def encode(self) -> bytes:
        """The canonical JSON: sorted keys, no path.

        Of a file, and of a checkpoint's folder, only the name is kept. The run knows the file's
        rows by their digest, and nothing that is shipped may hold a path of this machine.
        """
        replace = msgspec.structs.replace
        kept = replace(self, data=replace(self.data, source=Path(self.data.source).name))
        if checkpoint := getattr(self.network, "checkpoint", ""):
            kept = replace(kept, network=replace(self.network, checkpoint=Path(checkpoint).name))
        return msgspec.json.encode(kept, order="sorted")


_PICTURES = ("shift", "rotate", "flip")
_CLASSES = ("loss", "class_weights")


def _refuse_idle(recipe: Recipe, *keys: str) -> None:
    """Refuse a key that does nothing for this task: whoever sets it believes otherwise."""
    plain = TrainingRecipe()
    for key in keys:
        if getattr(recipe.training, key) != getattr(plain, key):
            raise ValueError(f"Expected no `training.{key}`, which does nothing for this task")


class TextClassification(
    Recipe, frozen=True, kw_only=True, tag_field="task", tag="text-classification"
):
    """Texts to labels."""

    data: TextData
    vocabulary: VocabularyRecipe
    network: TextNetwork
    targets: Targets

    def __post_init__(self) -> None:
        """Refuse what does nothing, and to drop words where a checkpoint says what that is."""
        _refuse_idle(self, *_PICTURES)
        if self.vocabulary.kind == "checkpoint" and self.training.word_dropout:
            raise ValueError("Expected `training.word_dropout` of 0 with a checkpoint's vocabulary")


class ImageClassification(
    Recipe, frozen=True, kw_only=True, tag_field="task", tag="image-classification"
):
    """Pictures to labels."""

    data: ImageData
    network: ImageNetwork
    targets: Targets

    def __post_init__(self) -> None:
        """Refuse what does nothing for pictures."""
        _refuse_idle(self, "word_dropout")


class Seq2SeqRecipe(Recipe, frozen=True, kw_only=True):
    """Texts to texts."""

    data: PairData
    vocabulary: VocabularyRecipe
    network: Seq2SeqNetwork
    decoding: DecodingRecipe

    def __post_init__(self) -> None:
        """Refuse what does nothing for texts that are written."""
        _refuse_idle(self, *_PICTURES, *_CLASSES, "word_dropout")


class Translation(Seq2SeqRecipe, frozen=True, kw_only=True, tag_field="task", tag="translation"):
    """Texts to the same in another language."""

    targets: BleuTarget


class Summarization(
    Seq2SeqRecipe, frozen=True, kw_only=True, tag_field="task", tag="summarization"
):
    """Texts to short ones."""

    targets: RougeTarget


class FeatureExtraction(
    Recipe, frozen=True, kw_only=True, tag_field="task", tag="feature-extraction"
):
    """Texts to vectors: a checkpoint as it is, with pooling and normalisation in the graph."""

    data: TextData
    vocabulary: VocabularyRecipe
    network: BertRecipe
    targets: CosineTarget


AnyRecipe = (
    TextClassification | ImageClassification | Translation | Summarization | FeatureExtraction
)
KINDS: dict[str, type[Recipe]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        TextClassification,
        ImageClassification,
        Translation,
        Summarization,
        FeatureExtraction,
    )
}
"""The struct of each task."""


def load_recipe(
    path: Path,
    *,
    seed: int | None = None,
    name: str | None = None,
    data: Path | None = None,
    columns: "dict[str, str] | None" = None,
    labels: "Sequence[str] | None" = None,
) -> AnyRecipe:
    """Read and check a recipe; arguments that are not None replace what the file says.

    Args:
        path: A TOML file. A relative `data.source` in it is looked for beside it.
        seed: Replaces `seed`.
        name: Replaces `name`.
        data: A file of rows; replaces `data.source`. Relative to the working folder. The file's
            `note` speaks of other rows and is dropped.
        columns: Replaces keys such as `text_column` of the data section.
        labels: Replaces `data.labels`.

    Raises:
        FieldError: The file cannot be read, or a value is not acceptable. The message names the
            file, the line, the key and what is allowed.
    """
    text, tree = parse_toml(path)
    given: dict[str, object] = {**(columns or {})}
    if labels is not None:
        given["labels"] = list(labels)
    section = tree.get("data")
    if isinstance(section, dict):
        _place_source(section, path, data)
        section.update(given)
    if data is not None:
        tree.pop("note", None)
    above = {key: value for key, value in (("seed", seed), ("name", name)) if value is not None}
    tree.update(above)
    replaced = {f"data.{key}" for key in given} | above.keys()
    try:
        return cast("AnyRecipe", msgspec.convert(tree, AnyRecipe))
    except msgspec.ValidationError as error:
        raise explain(error, path=path, text=text, kind=AnyRecipe, replaced=replaced) from None


def decode_recipe(encoded: bytes) -> AnyRecipe:
    """Read the canonical JSON that a run keeps.

    Raises:
        FieldError: It is not a recipe of this version of the software.
    """
    try:
        return cast("AnyRecipe", msgspec.json.decode(encoded, type=AnyRecipe))
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise FieldError(f"recipe.json is not a recipe: {error}.", field="recipe") from None


def _place_source(section: dict[str, object], path: Path, data: Path | None) -> None:
    source = section.get("source")
    if data is not None:
        section["source"] = str(data.absolute())
    elif isinstance(source, str) and source and not is_known_set(source):
        section["source"] = str(path.absolute().parent / source)
