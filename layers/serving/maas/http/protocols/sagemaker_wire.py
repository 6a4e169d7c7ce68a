"""What SageMaker's endpoints and MLflow's servers are sent, as structs.

Imports msgspec, so that whoever only describes the format loads no model's libraries. `sagemaker`
translates. A body that has none of these keys is one of Hugging Face's:

    body = msgspec.convert(value, InvocationBody, strict=True)
"""

from typing import Any, Literal

from msgspec import Struct

from maas.http.protocols.tfs_wire import Instances


class SplitFrame(Struct, frozen=True):
    """A table as pandas splits it.

    Attributes:
        columns: The columns' names.
        data: Per row its cells, in the order of the columns.
        index: Ignored.
    """

    columns: list[str]
    data: list[list[Any]]
    index: list[Any] | None = None


class InvocationBody(Struct, frozen=True):
    """What a model is asked in one of these ways, all but the last by rows.

    Attributes:
        instances: As TensorFlow Serving takes them: a value or an object of values by input.
        dataframe_split: A table, as pandas splits it.
        dataframe_records: A table, one object of cells by column per row.
        inputs: Of a model whose task is `tensor`: tensors as a whole, by input or of the only one.
    """

    instances: Instances | None = None
    dataframe_split: SplitFrame | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    inputs: Any = None


class Predicted(Struct, frozen=True):
    """The answer to all but what is Hugging Face's.

    Attributes:
        predictions: Per row what the model's output holds, for a classifier of tables the likeliest
            label; tensors as a whole where they were sent as such.
    """

    predictions: Any


class Ping(Struct, frozen=True):
    """A model that can answer.

    Attributes:
        status: Always `ok`.
    """

    status: Literal["ok"] = "ok"
