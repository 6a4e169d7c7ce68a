"""The Open Inference Protocol (version 2, REST) as structs: what is sent and what is answered.

Imports msgspec, so that whoever only describes the format loads no model's libraries. `oip`
translates; `oip_data` turns `data` into arrays and back. Keys that are unknown are ignored, because
KServe's client sends some:

    body = msgspec.convert(value, InferBody, strict=True)
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

Datatype = Literal[
    "BOOL",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
Size = Annotated[int, Meta(ge=0, le=2**40)]
Shape = Annotated[list[Size], Meta(max_length=8)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Id = Annotated[str, Meta(max_length=256)]
Bytes = Annotated[int, Meta(ge=0, le=2**40)]
Classes = Annotated[int, Meta(ge=0, le=2**31)]


class InputParameters(Struct, frozen=True):
    """What may be said of one input.

    Attributes:
        binary_data_size: Bytes of its data behind the JSON; then it has no `data`.
        content_type: `base64` for BYTES whose elements are that; other hints change nothing.
    """

    binary_data_size: Bytes | None = None
    content_type: str | None = None


class InputTensor(Struct, frozen=True):
    """One input.

    Attributes:
        name: The input's name.
        shape: Its dimensions.
        datatype: What its elements are.
        data: Its elements, nested as the shape says or flat, the last dimension first; absent where
            they follow as bytes.
        parameters: What is said of it.
    """

    name: Name
    shape: Shape
    datatype: Datatype
    data: Any = None
    parameters: InputParameters | None = None


class OutputParameters(Struct, frozen=True):
    """How one output is to be answered.

    Attributes:
        binary_data: Whether as bytes behind the JSON.
        classification: How many of the best classes, as `score:index:label`, instead of numbers.
    """

    binary_data: bool | None = None
    classification: Classes | None = None


class RequestedOutput(Struct, frozen=True):
    """An output that is wanted.

    Attributes:
        name: The output's name.
        parameters: How it is to be answered.
    """

    name: Name
    parameters: OutputParameters | None = None


class RequestParameters(Struct, frozen=True):
    """What may be said of a request; sequences, priorities and timeouts are ignored.

    Attributes:
        binary_data_output: Whether outputs are answered as bytes unless they say otherwise.
    """

    binary_data_output: bool | None = None


class InferBody(Struct, frozen=True):
    """An inference request.

    Attributes:
        inputs: The inputs.
        id: Answered as it is.
        outputs: The outputs that are wanted; all when absent or empty.
        parameters: What is said of the request.
    """

    inputs: list[InputTensor]
    id: Id | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: RequestParameters | None = None


class BinarySize(Struct, frozen=True):
    """What is said of an output that follows as bytes.

    Attributes:
        binary_data_size: How many.
    """

    binary_data_size: int


class OutputTensor(Struct, frozen=True, omit_defaults=True):
    """One output.

    Attributes:
        name: Its name.
        datatype: What its elements are.
        shape: Its dimensions.
        data: Its elements, flat, the last dimension first; absent where they follow as bytes.
        parameters: Where they do.
    """

    name: str
    datatype: Datatype
    shape: list[int]
    data: list[Any] | None = None
    parameters: BinarySize | None = None


class InferAnswer(Struct, frozen=True, omit_defaults=True):
    """An inference answer.

    Attributes:
        model_name: The model.
        model_version: The version that answered.
        outputs: The outputs, in the order that was asked for.
        id: As in the request.
    """

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str | None = None


class TensorMetadata(Struct, frozen=True):
    """One input or output of a model.

    Attributes:
        name: Its name.
        datatype: What its elements are.
        shape: Its dimensions; −1 is one that varies.
    """

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(Struct, frozen=True):
    """A model.

    Attributes:
        name: Its name.
        versions: The versions that can be asked for.
        platform: What its files are.
        inputs: What it reads. `text`, `image` or `audio` comes alone and stands for all others.
        outputs: What it answers.
    """

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ModelReady(Struct, frozen=True):
    """Whether a model can answer.

    Attributes:
        name: Its name.
        ready: Always true: an error is answered otherwise.
    """

    name: str
    ready: Literal[True] = True


class ConfigTensor(Struct, frozen=True):
    """One input or output, as Triton configures it.

    Attributes:
        name: Its name.
        data_type: What its elements are, such as TYPE_INT64.
        dims: Its dimensions; −1 is one that varies.
        optional: Whether it may be left out.
    """

    name: str
    data_type: str
    dims: list[int]
    optional: bool = False


class ModelConfig(Struct, frozen=True):
    """A model as Triton configures one.

    Attributes:
        name: Its name.
        platform: What runs it.
        backend: The same.
        max_batch_size: 0: the batch is a dimension like any other.
        input: What it reads.
        output: What it answers.
    """

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfigTensor]
    output: list[ConfigTensor]


class Duration(Struct, frozen=True):
    """Requests, and the time that they took.

    Attributes:
        count: How many.
        ns: Nanoseconds in all.
    """

    count: int = 0
    ns: int = 0


class InferenceStatistics(Struct, frozen=True):
    """Durations by kind; there is no queue and no cache, and stages are not told apart.

    Attributes:
        success: Requests that were answered.
        fail: Requests that were not.
        queue: None waited.
        compute_input: Not measured by itself.
        compute_infer: As `success`: tokenising, running, and reading what came out.
        compute_output: Not measured by itself.
        cache_hit: There is no cache.
        cache_miss: There is no cache.
    """

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class LatencyBucket(Struct, frozen=True):
    """Answered requests whose task took about as long as each other.

    Attributes:
        ns: Nanoseconds that none of them exceeded, and all of them almost reached.
        count: How many.
    """

    ns: int
    count: int


class VersionStatistics(Struct, frozen=True):
    """One version's counts in the process that answers; a function has many processes.

    Attributes:
        name: The model.
        version: The version.
        last_inference: When it was last asked, in milliseconds since 1970; 0 is never.
        inference_count: Rows that were answered.
        execution_count: Requests that were answered.
        inference_stats: Durations.
        batch_stats: None.
        errors: Requests that failed by a fault of ours, whose status is 5xx. Not Triton's.
        latencies: Answered requests by how long they took, ascending. Not Triton's.
    """

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferenceStatistics
    batch_stats: list[Any]
    errors: int
    latencies: list[LatencyBucket]


class ModelStatistics(Struct, frozen=True):
    """Counts.

    Attributes:
        model_stats: Of each version, one.
    """

    model_stats: list[VersionStatistics]


class ServerMetadata(Struct, frozen=True):
    """The service.

    Attributes:
        name: What it is.
        version: Of the software.
        extensions: What it can beside the protocol itself.
    """

    name: str
    version: str
    extensions: list[str]


class ServerHealth(Struct, frozen=True):
    """Whether the service answers; both are told, because clients read either.

    Attributes:
        live: Always true.
        ready: Always true: an error is answered otherwise.
    """

    live: Literal[True] = True
    ready: Literal[True] = True


class ModelNames(Struct, frozen=True):
    """The models.

    Attributes:
        models: Their names.
    """

    models: list[str]


class IndexBody(Struct, frozen=True):
    """What is asked of the repository's index.

    Attributes:
        ready: Whether only what is ready is listed.
    """

    ready: bool | None = None


class IndexEntry(Struct, frozen=True):
    """One version of a model in the repository's index.

    Attributes:
        name: The model.
        version: The version.
        state: READY where an alias routes to it, else UNAVAILABLE.
        reason: Why it is not ready.
    """

    name: str
    version: str
    state: Literal["READY", "UNAVAILABLE"]
    reason: str = ""
