"""TensorFlow Serving's REST API as structs; KServe's first protocol is the same.

Imports msgspec, so that whoever only describes the format loads no model's libraries. `tfs`
translates, `tfs_models` tells of a model:

    body = msgspec.convert(value, PredictBody, strict=True)
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

_INSTANCES: dict[str, Any] = {"minItems": 1}
Instances = Annotated[list[Any], Meta(extra_json_schema=_INSTANCES)]


class PredictBody(Struct, frozen=True):
    """A request: either `instances` or `inputs`.

    Attributes:
        instances: One value per row, or one object per row of values by input. A text is a string,
            bytes such as an image's are `{"b64": "…"}`, numbers are nested as the input's shape.
        inputs: A whole tensor, its rows included, or an object of tensors by input.
        signature_name: Always `serving_default`.
    """

    instances: Instances | None = None
    inputs: Any = None
    signature_name: Literal["serving_default"] | None = None


class Predictions(Struct, frozen=True):
    """The answer to `instances`.

    Attributes:
        predictions: Per row what the model's output holds, for a classifier one number per label;
            of a model with more outputs an object of them.
    """

    predictions: list[Any]


class Outputs(Struct, frozen=True):
    """The answer to `inputs`.

    Attributes:
        outputs: The model's output as a whole; of a model with more outputs an object of them.
    """

    outputs: Any


class VersionStatus(Struct, frozen=True):
    """What is wrong with a version: nothing.

    Attributes:
        error_code: Always `OK`; a version that cannot answer is an error.
        error_message: Nothing.
    """

    error_code: Literal["OK"] = "OK"
    error_message: str = ""


class VersionState(Struct, frozen=True):
    """One version that answers.

    Attributes:
        version: Its number.
        state: Always `AVAILABLE`.
        status: What is wrong with it.
    """

    version: str
    state: Literal["AVAILABLE"] = "AVAILABLE"
    status: VersionStatus = VersionStatus()


class ModelStatus(Struct, frozen=True):
    """A model that can answer, in TensorFlow Serving's words and in KServe's.

    Attributes:
        model_version_status: The version that was asked for; else those that an alias routes to.
        name: The model's name.
        ready: Whether it can answer.
    """

    model_version_status: list[VersionState]
    name: str
    ready: Literal[True] = True


class TfsDim(Struct, frozen=True):
    """One dimension.

    Attributes:
        size: How many; -1 for any.
        name: What it is called, where it varies.
    """

    size: str
    name: str = ""


class TfsShape(Struct, frozen=True):
    """A tensor's dimensions.

    Attributes:
        dim: The dimensions.
        unknown_rank: Always false.
    """

    dim: list[TfsDim]
    unknown_rank: Literal[False] = False


class TfsTensor(Struct, frozen=True):
    """One input or output.

    Attributes:
        dtype: What its elements are, such as `DT_FLOAT`.
        tensor_shape: Its dimensions.
        name: Its name.
    """

    dtype: str
    tensor_shape: TfsShape
    name: str


class Signature(Struct, frozen=True):
    """What goes in and comes out.

    Attributes:
        inputs: By name; a `text`, `image` or `audio` stands for all others.
        outputs: By name.
        method_name: Always TensorFlow's predict.
    """

    inputs: dict[str, TfsTensor]
    outputs: dict[str, TfsTensor]
    method_name: Literal["tensorflow/serving/predict"] = "tensorflow/serving/predict"


class Signatures(Struct, frozen=True):
    """A model's signatures.

    Attributes:
        signature_def: The one named `serving_default`.
    """

    signature_def: dict[str, Signature]


class SignatureMetadata(Struct, frozen=True):
    """A model's metadata.

    Attributes:
        signature_def: Its signatures.
    """

    signature_def: Signatures


class ModelSpec(Struct, frozen=True):
    """Which version this is of.

    Attributes:
        name: The model's name.
        version: The version's number.
        signature_name: Nothing.
    """

    name: str
    version: str
    signature_name: str = ""


class TfsMetadata(Struct, frozen=True):
    """What goes into a model and comes out of it.

    Attributes:
        model_spec: Which version this is of.
        metadata: The signatures.
    """

    model_spec: ModelSpec
    metadata: SignatureMetadata
