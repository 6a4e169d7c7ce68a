"""What `GET /models/{model}` tells: the version that answers, and how the model is routed.

Imports msgspec and the registry's records at run time; it is handed what it tells.

    body = encode_json(describe(service.model, turn, service.policy()))
"""

from typing import TYPE_CHECKING

from msgspec import Struct

from maas.registry.records import AliasName, Digest, ModelName, VersionNumber

if TYPE_CHECKING:
    from maas.registry.records import Policy
    from maas.service import Turn


class Share(Struct, frozen=True):
    """One version's share of an alias.

    Attributes:
        version: The version's number.
        weight: Its share in percent.
    """

    version: VersionNumber
    weight: float


class ImageSize(Struct, frozen=True):
    """What an image model looks at; other pictures are resized to it.

    Attributes:
        width: Pixels of a row.
        height: Rows.
        channels: 1 is grey, 3 is red, green and blue.
    """

    width: int
    height: int
    channels: int


class ClipLength(Struct, frozen=True):
    """What a model of sounds listens to; clips are resampled to its rate.

    Attributes:
        rate: Samples a second.
        seconds: How long a clip may be.
        cut: Whether the end of a longer one is cut off; else it is refused.
    """

    rate: int
    seconds: float
    cut: bool


class ModelDescription(Struct, frozen=True, omit_defaults=True):
    """A model as its function serves it.

    Attributes:
        name: The model's name.
        task: What it does, such as `text-classification`.
        version: The version that answers.
        digest: That version's digest.
        form: Which form of it is loaded, such as `portable`.
        labels: A classifier's labels in the order of its outputs.
        max_tokens: Tokens of one text; what is longer is cut. 0 where no text is read.
        metrics: Figures of the test split, by name.
        aliases: Who answers, by alias.
        versions: The numbers that can be asked for, ascending.
        max_new_tokens: Tokens that are written per text at the most, by a model that writes.
        dimension: Numbers of a vector, by a model that embeds.
        image: What an image model looks at.
        columns: What a row has, for a model that reads tables.
        audio: What a model of sounds listens to.
        missing: The columns in which a cell may be null.
    """

    name: ModelName
    task: str
    version: VersionNumber
    digest: Digest
    form: str
    labels: tuple[str, ...]
    max_tokens: int
    metrics: dict[str, float]
    aliases: dict[AliasName, tuple[Share, ...]]
    versions: tuple[VersionNumber, ...]
    max_new_tokens: int = 0
    dimension: int = 0
    image: ImageSize | None = None
    columns: tuple[str, ...] = ()
    audio: ClipLength | None = None
    missing: tuple[str, ...] = ()


def describe(model: str, turn: "Turn", policy: "Policy") -> ModelDescription:
    """Put together a model's metadata.

    Args:
        model: The model's name.
        turn: The version that answers.
        policy: Which versions and aliases there are, with weights in hundredths of a percent.
    """
    manifest = turn.loaded.bundle.manifest
    image, audio = manifest.image, manifest.audio
    embeds = manifest.task == "feature-extraction"
    return ModelDescription(
        name=model,
        task=manifest.task,
        version=turn.version,
        digest=turn.digest,
        form=turn.loaded.form,
        labels=manifest.labels,
        max_tokens=manifest.limits.max_tokens,
        metrics=manifest.metrics,
        aliases={
            alias: tuple(Share(route.version, route.weight / 100) for route in routes)
            for alias, routes in policy.aliases.items()
        },
        versions=policy.numbers,
        max_new_tokens=manifest.limits.max_new_tokens,
        dimension=int(manifest.outputs[0].shape[-1]) if embeds else 0,
        image=ImageSize(image.width, image.height, image.channels) if image else None,
        columns=manifest.columns,
        audio=ClipLength(audio.rate, audio.samples / audio.rate, audio.fixed) if audio else None,
        missing=manifest.missing,
    )
