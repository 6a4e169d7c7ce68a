"""What a function asked AWS for, weighed against its role as IAM would.

uses = {use_of(asked, table="maas-registry") for asked in wire.asked}
assert all(allows(statements, use) for use in uses)
assert {(use.action, use.resource) for use in uses} == granted(statements)
"""

from dataclasses import dataclass
from typing import Any

from support.wire import Asked

TABLE = "<Registry.Arn>"
Statements = list[Any]  # of a translated template, which is JSON of any shape


@dataclass(frozen=True, order=True, slots=True)
class Use:
    """One request as IAM weighs it.

    Attributes:
        action: Its action, as roles name it.
        resource: What it is asked of.
        leading: The partition key that it names, if it is of a table.
    """

    action: str
    resource: str
    leading: str = ""


def use_of(asked: Asked, *, table: str) -> Use:
    """What a request to DynamoDB was; fails for one of a kind that no function makes."""
    body: Any = asked.body
    assert body["TableName"] == table
    match asked.operation:
        case "GetItem":
            resource, leading = TABLE, body["Key"]["pk"]
        case "Query" if "IndexName" in body:
            values = body["ExpressionAttributeValues"]
            resource, leading = f"{TABLE}/index/{body['IndexName']}", values[":index"]
        case "Query":
            resource, leading = TABLE, body["ExpressionAttributeValues"][":pk"]
        case operation:
            raise AssertionError(f"nothing in a function asks for {operation}")
    return Use(f"dynamodb:{asked.operation}", resource, leading["S"])


def allows(statements: Statements, use: Use) -> bool:
    """Whether IAM would let a request pass."""
    return any(
        use.action in _listed(statement["Action"])
        and use.resource in _listed(statement["Resource"])
        and _holds(statement.get("Condition", {}), use)
        for statement in statements
    )


def granted(statements: Statements) -> set[tuple[str, str]]:
    """The actions and resources of a role, but its log and its traces, which Lambda writes.

    An index knows no GetItem, so that is no right.
    """
    return {
        (action, resource)
        for statement in statements
        for action in _listed(statement["Action"])
        if action.partition(":")[0] not in {"logs", "xray"}
        for resource in _listed(statement["Resource"])
        if "/index/" not in resource or action in {"dynamodb:Query", "dynamodb:Scan"}
    }


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _holds(condition: dict[str, dict[str, list[str]]], use: Use) -> bool:
    for operator, keys in condition.items():
        for name, values in keys.items():
            assert (operator, name) == ("ForAllValues:StringEquals", "dynamodb:LeadingKeys")
            if use.leading not in values:
                return False
    return True
