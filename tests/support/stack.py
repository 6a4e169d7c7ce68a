"""template.yaml as CloudFormation receives it: loops expanded, then SAM's own translator.

    stack = translate(models=("sentiment", "spam"), SnapStart="on")
    stack.of("AWS::Lambda::Function")       # properties by logical id, all values resolved
    python tests/support/stack.py           # prints the statements of every role

AWS expands `Fn::ForEach` and puts in the values of parameters before SAM translates, so a few lines
here stand in for that; what SAM makes of it is made by the library that AWS runs itself.
"""

import copy
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.sdk.parameter import SamParameterValues
from samtranslator.translator.arn_generator import ArnGenerator
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parents[2] / "template.yaml"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::StackName": "maas",
    "AWS::URLSuffix": "amazonaws.com",
}
_NO_VALUE = "<AWS::NoValue>"
_LOCAL = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}

Node = Any  # a template is JSON of any shape


@dataclass(frozen=True, slots=True)
class Stack:
    """A translated template.

    Attributes:
        resources: All resources whose condition holds, by logical id, their values resolved.
        outputs: The outputs whose condition holds, by name.
    """

    resources: dict[str, Node]
    outputs: dict[str, Node]

    def of(self, kind: str) -> dict[str, Node]:
        """The properties of all resources of a type, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] == kind
        }

    def statements(self) -> dict[str, list[Node]]:
        """What each role allows, by the role's logical id."""
        return {
            name: [
                statement
                for policy in role.get("Policies", [])
                for statement in policy["PolicyDocument"]["Statement"]
            ]
            for name, role in self.of("AWS::IAM::Role").items()
        }

    def methods(self) -> dict[tuple[str, str], Node]:
        """The API's methods by path and method."""
        (api,) = self.of("AWS::ApiGateway::RestApi").values()
        return {
            (path, method.upper().replace("X-AMAZON-APIGATEWAY-ANY-METHOD", "ANY")): operation
            for path, methods in api["Body"]["paths"].items()
            for method, operation in methods.items()
        }


def read_template() -> Node:
    """The file, with CloudFormation's short tags written out."""
    return yaml_parse(TEMPLATE.read_text(encoding="utf-8"))


def translate(models: tuple[str, ...] = ("sentiment",), **parameters: object) -> Stack:
    """Translate the template.

    Args:
        models: Names of the models.
        parameters: Values of other parameters; the rest keep their defaults.
    """
    template = read_template()
    values = {name: str(p["Default"]) for name, p in template["Parameters"].items()}
    assert parameters.keys() <= values.keys(), "a parameter that the template does not have"
    values |= {name: str(value) for name, value in parameters.items()} | {
        "Models": ",".join(models)
    }
    template["Resources"] = _with_values(_expanded(template["Resources"], models), values)
    for resource in template["Resources"].values():
        if place := _LOCAL.get(resource["Type"]):  # as sam package would upload it
            path = str(resource["Properties"][place]).strip("/")
            resource["Properties"][place] = f"s3://artifacts/{path}"
    translated = _by_sam(template, values)
    known = PSEUDO | values
    facts = {name: _truth(c, known) for name, c in translated.get("Conditions", {}).items()}

    def kept(section: str) -> dict[str, Node]:
        return {
            name: resolve(entry, known, facts)
            for name, entry in translated.get(section, {}).items()
            if facts.get(entry.get("Condition"), True)
        }

    return Stack(resources=kept("Resources"), outputs=kept("Outputs"))


def _by_sam(template: Node, values: dict[str, str]) -> Node:
    region = PSEUDO["AWS::Region"]
    ArnGenerator.BOTO_SESSION_REGION_NAME = region
    defaults = SamParameterValues(values)
    defaults.add_default_parameter_values(template)
    translator = Translator({}, Parser(), boto_session=boto3.Session(region_name=region))
    return translator.translate(copy.deepcopy(template), defaults.parameter_values)


def _expanded(resources: dict[str, Node], models: tuple[str, ...]) -> dict[str, Node]:
    """Write every loop out, as AWS::LanguageExtensions does."""
    out: dict[str, Node] = {}
    for name, resource in resources.items():
        if not name.startswith("Fn::ForEach::"):
            out[name] = resource
            continue
        variable, collection, body = resource
        assert collection == {"Ref": "Models"}
        for model in models:
            out |= cast("dict[str, Node]", _written(copy.deepcopy(body), variable, model))
    return out


def _with_values(node: Node, values: dict[str, str]) -> Node:
    """Put in the values of parameters: SAM on AWS sees no `Ref` to them, and names ids by them."""
    if isinstance(node, list):
        return [_with_values(each, values) for each in node]
    if not isinstance(node, dict):
        return node
    if node.keys() == {"Ref"} and node["Ref"] in values:
        return values[node["Ref"]]
    return {name: _with_values(value, values) for name, value in node.items()}


def _written(node: Node, variable: str, value: str) -> Node:
    if isinstance(node, str):
        return node.replace(f"${{{variable}}}", value)
    if isinstance(node, list):
        return [_written(each, variable, value) for each in node]
    if not isinstance(node, dict):
        return node
    new = {_written(k, variable, value): _written(v, variable, value) for k, v in node.items()}
    text = new.get("Fn::Sub")
    # An id that is put together inside Ref or GetAtt must be plain before SAM looks at it.
    return text if isinstance(text, str) and "${" not in text.replace("${proxy", "") else new


def resolve(node: Node, known: dict[str, str], facts: dict[str, bool]) -> Node:
    """Work out what CloudFormation would, as far as it can be known before a stack exists.

    Args:
        node: A part of a template.
        known: Values of parameters and pseudo parameters.
        facts: Which conditions hold.

    Returns:
        The same with values for functions; a resource's value is `<LogicalId>`, its attribute
        `<LogicalId.Attribute>`.
    """
    if isinstance(node, list):
        return [r for each in node if (r := resolve(each, known, facts)) != _NO_VALUE]
    if not isinstance(node, dict):
        return node
    if len(node) == 1:
        ((function, argument),) = node.items()
        if work_out := _FUNCTIONS.get(function):
            return work_out(argument, known, facts)
    resolved = {name: resolve(value, known, facts) for name, value in node.items()}
    return {name: value for name, value in resolved.items() if value != _NO_VALUE}


def _ref(name: str, known: dict[str, str], _facts: dict[str, bool]) -> str:
    return known.get(name, f"<{name}>")


def _attribute(of: Node, _known: dict[str, str], _facts: dict[str, bool]) -> str:
    return f"<{of if isinstance(of, str) else '.'.join(of)}>"


def _sub(text: Node, known: dict[str, str], facts: dict[str, bool]) -> str:
    if isinstance(text, list):
        text, more = text
        known = known | {name: resolve(value, known, facts) for name, value in more.items()}
    return re.sub(r"\$\{([^}!]+)\}", lambda m: _ref(m[1], known, facts), text)


def _join(argument: Node, known: dict[str, str], facts: dict[str, bool]) -> str:
    between, parts = argument
    return str(between).join(map(str, resolve(parts, known, facts)))


def _if(argument: Node, known: dict[str, str], facts: dict[str, bool]) -> Node:
    condition, yes, no = argument
    return resolve(yes if facts[condition] else no, known, facts)


_FUNCTIONS = {
    "Ref": _ref,
    "Fn::GetAtt": _attribute,
    "Fn::Sub": _sub,
    "Fn::Join": _join,
    "Fn::If": _if,
}


def _truth(condition: Node, known: dict[str, str]) -> bool:
    ((function, argument),) = condition.items()
    if function == "Fn::Not":
        return not _truth(argument[0], known)
    assert function == "Fn::Equals", f"teach this test {function}"
    left, right = (str(resolve(each, known, {})) for each in argument)
    return left == right


if __name__ == "__main__":
    print(json.dumps(translate().statements(), indent=2))  # noqa: T201 - a report
