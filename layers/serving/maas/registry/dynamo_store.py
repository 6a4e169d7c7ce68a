"""The registry in a DynamoDB table: what runs in production.

Imports the store's protocol and the rooms beside it; boto3 is known to `maas.registry.dynamo`
alone. Five calls: GetItem, TransactGetItems, Query (of the table and of its index) and
TransactWriteItems. Every value is bound, and a transaction keeps one token over all attempts:

    store = DynamoStore(Table("maas-registry", region="eu-west-1"))
    store.transact([Write(item, expected=None)])
    store.close()
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from uuid import uuid4

from maas.registry.dynamo import Table
from maas.registry.dynamo_items import attributes_of, item_of, place_of, put_of
from maas.registry.store import Item, Key, Page, Write, check_writes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef, QueryInputTypeDef

INDEX = "listed"
"""The sparse index: items that carry the attribute `listed`, by `place`."""


class DynamoStore:
    """A `Store` in a table. Safe to share among threads, and over a fork.

    Args:
        table: The table.
        new_token: A fresh text of 1 to 36 characters for each transaction.
    """

    def __init__(self, table: Table, *, new_token: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._table = table
        self._new_token = new_token

    def read(self, keys: Sequence[Key]) -> list[Item | None]:
        """Read several items as one snapshot: one key by GetItem, several by TransactGetItems."""
        asked = list(dict.fromkeys(keys))
        found = self._snapshot(asked) if len(asked) > 1 else [self._get(key) for key in asked]
        items = {key: item_of(attributes) for key, attributes in zip(asked, found, strict=True)}
        return [items[key] for key in keys]

    def query(
        self,
        pk: str,
        prefix: str,
        *,
        limit: int,
        newest_first: bool = False,
        after: Key | None = None,
    ) -> Page:
        """Read a partition's items whose sk starts with `prefix`, in order of sk."""
        request: QueryInputTypeDef = {
            "TableName": self._table.name,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
            "KeyConditionExpression": "pk = :pk AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":prefix": {"S": prefix}},
        }
        if after:
            request["ExclusiveStartKey"] = attributes_of(after)
        return self._page(request, limit)

    def list_index(self, index: str, *, limit: int, after: Key | None = None) -> Page:
        """Read the items that carry `index`, by pk and then sk. May lag behind writes."""
        request: QueryInputTypeDef = {
            "TableName": self._table.name,
            "IndexName": INDEX,
            "KeyConditionExpression": "listed = :index AND place > :after",
            "ExpressionAttributeValues": {
                ":index": {"S": index},
                ":after": {"S": place_of(after) if after else " "},
            },
        }
        return self._page(request, limit)

    def transact(self, writes: Sequence[Write]) -> None:
        """Put all of the items, or none of them."""
        bodies = check_writes(writes)
        puts = [
            put_of(write, body, table=self._table.name)
            for write, body in zip(writes, bodies, strict=True)
        ]
        token = self._new_token()  # the same for every attempt, so that two are one
        self._table.ask(
            lambda client: client.transact_write_items(
                TransactItems=puts, ClientRequestToken=token
            ),
            writing=True,
        )

    def close(self) -> None:
        """Give back the connections; a later call opens them again."""
        self._table.close()

    def _get(self, key: Key) -> "dict[str, AttributeValueTypeDef]":
        answer = self._table.ask(
            lambda client: client.get_item(
                TableName=self._table.name, Key=attributes_of(key), ConsistentRead=True
            )
        )
        return answer.get("Item", {})

    def _snapshot(self, keys: Sequence[Key]) -> "list[dict[str, AttributeValueTypeDef]]":
        answer = self._table.ask(
            lambda client: client.transact_get_items(
                TransactItems=[
                    {"Get": {"TableName": self._table.name, "Key": attributes_of(k)}} for k in keys
                ]
            )
        )
        return [response.get("Item", {}) for response in answer["Responses"]]

    def _page(self, request: "QueryInputTypeDef", limit: int) -> Page:
        """One item more than asked for says whether more follow; DynamoDB cuts at 1 MB each."""
        found: list[Item] = []
        while len(found) <= limit:
            request["Limit"] = limit + 1 - len(found)
            answer = self._table.ask(lambda client: client.query(**request))
            found += [item for item in map(item_of, answer["Items"]) if item]
            if "LastEvaluatedKey" not in answer:
                break
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        return Page(tuple(found[:limit]), more=len(found) > limit)
