"""Tabular classification in Hugging Face's wire format.

May import `maas.tasks`, `maas.http.fields` and the wire's structs beside it. Translates only.

    request = decode_table(parse_json(body))
    answer = encode_table(classifier.predict(request, deadline=deadline))
"""

from typing import TYPE_CHECKING

from maas.http.fields import convert_fields
from maas.http.protocols.hf_wire_table import TableBody
from maas.tasks.table import TableRequest

if TYPE_CHECKING:
    from maas.http.protocols.hf_wire_table import TableAnswer
    from maas.tasks.table import TableResponse


def decode_table(value: object) -> TableRequest:
    """Check a parsed body and turn it into the task's request.

    Raises:
        FieldError: A field is missing, unknown or of the wrong type; its name is given.
    """
    return TableRequest(columns=convert_fields(value, TableBody).table)


def encode_table(response: "TableResponse") -> "TableAnswer":
    """Turn a task's response into the list of labels that the client hands on."""
    return [row[0].label for row in response.rows]
