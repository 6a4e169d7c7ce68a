"""The registry's items as DynamoDB's attributes, and back.

Imports `maas.errors` and the store's items. A body stays the JSON text that `check_writes` made,
because DynamoDB's own numbers and empty values are not JSON's (infra/decisions/0005):

    put_of(write, body, table="maas-registry")     # one Put of a TransactWriteItems
    item_of(answer.get("Item", {}))                # None for what is absent
"""

import json
from typing import TYPE_CHECKING

from maas.errors import RegistryMisconfiguredError
from maas.registry.store import Item, Key, Write

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_dynamodb.type_defs import (
        AttributeValueTypeDef,
        PutTypeDef,
        TransactWriteItemTypeDef,
    )


def attributes_of(key: Key) -> "dict[str, AttributeValueTypeDef]":
    """A key as the table's two key attributes."""
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def place_of(key: Key) -> str:
    """Sorts as the two keys do: the space comes before every character that a key may have."""
    return f"{key.pk} {key.sk}"


def put_of(write: Write, body: str, *, table: str) -> "TransactWriteItemTypeDef":
    """A write with its condition; every value is bound.

    Args:
        write: The item and what must hold for it.
        body: The item's body as `check_writes` returned it.
        table: The table's name.
    """
    item = write.item
    attributes: dict[str, AttributeValueTypeDef] = {
        **attributes_of(item.key),
        "revision": {"N": str(item.revision)},
        "body": {"S": body},
    }
    if item.index is not None:
        attributes |= {"listed": {"S": item.index}, "place": {"S": place_of(item.key)}}
    put: PutTypeDef = {"TableName": table, "Item": attributes}
    if write.expected is None:
        put["ConditionExpression"] = "attribute_not_exists(pk)"
    else:
        put["ConditionExpression"] = "revision = :expected"
        put["ExpressionAttributeValues"] = {":expected": {"N": str(write.expected)}}
    return {"Put": put}


def item_of(attributes: "Mapping[str, AttributeValueTypeDef]") -> Item | None:
    """The item in an answer; None where the answer has no attributes.

    Raises:
        RegistryMisconfiguredError: It is not one of ours.
    """
    if not attributes:
        return None
    try:
        return Item(
            Key(attributes["pk"]["S"], attributes["sk"]["S"]),
            int(attributes["revision"]["N"]),
            json.loads(attributes["body"]["S"]),
            attributes["listed"]["S"] if "listed" in attributes else None,
        )
    except (KeyError, ValueError) as error:
        raise RegistryMisconfiguredError(
            "The registry's table holds an item that maas did not write. "
            "Name another table in MAAS_REGISTRY.",
            field="MAAS_REGISTRY",
        ) from error
