"""infra/training.yaml with all values put in, as CloudFormation would.

stack = training_stack(NodeCount=4)
stack.of("AWS::Batch::JobQueue")
"""

from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse
from support.stack import PSEUDO, Stack, resolve

TRAINING = Path(__file__).parents[2] / "infra" / "training.yaml"
DIGEST = "a" * 64
GIVEN = {
    "VpcId": "vpc-1",
    "Subnets": ["subnet-1", "subnet-2"],
    "ImageUri": f"210987654321.dkr.ecr.eu-central-1.amazonaws.com/teams/maas@sha256:{DIGEST}",
}

Node = Any  # a template is JSON of any shape


def read_training() -> Node:
    """The file, with CloudFormation's short tags written out."""
    return yaml_parse(TRAINING.read_text(encoding="utf-8"))


def training_stack(**parameters: object) -> Stack:
    """Put in values; those that are not given keep their defaults."""
    template = read_training()
    values = {name: p["Default"] for name, p in template["Parameters"].items() if "Default" in p}
    values |= GIVEN | parameters
    assert values.keys() == template["Parameters"].keys()
    known = PSEUDO | {"AWS::StackName": "maas-training"}
    facts = {"HasNodes": int(values["NodeCount"]) > 1}

    def kept(section: str) -> dict[str, Node]:
        return {
            name: resolve(_with_values(entry, values), known, facts)
            for name, entry in template[section].items()
            if facts.get(entry.get("Condition"), True)
        }

    return Stack(resources=kept("Resources"), outputs=kept("Outputs"))


def _with_values(node: Node, values: dict[str, Node]) -> Node:
    """Parameters, and what is split and selected of them."""
    if isinstance(node, list):
        return [_with_values(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    filled = {name: _with_values(value, values) for name, value in node.items()}
    if filled.keys() == {"Ref"} and filled["Ref"] in values:
        return values[filled["Ref"]]
    if filled.keys() == {"Fn::Split"}:
        between, text = filled["Fn::Split"]
        return text.split(between)
    if filled.keys() == {"Fn::Select"}:
        index, parts = filled["Fn::Select"]
        return parts[int(index)]
    return filled
