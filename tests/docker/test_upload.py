"""What `sam deploy` uploads and hands to CloudFormation, with stand-ins for both on loopback."""

from typing import TYPE_CHECKING

import pytest
from support.sam import Sam
from support.shipping import add_model, make_project, package_into
from support.stack import Node
from support.tiny import make_home
from support.uploads import Sent, uploads

from maas_lab.packing.served_sets import parse_wishes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.docker

MODELS = ("sentiment", "stars")
CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Sent]":
    """Two models, packaged, built and sent as the stack `shop`."""
    path = tmp_path_factory.mktemp("upload")
    home = make_home(path / "home")
    add_model(home, "stars", seed=3)
    project = make_project(path / "project")
    package_into(project, home, parse_wishes(MODELS))
    sam = Sam(project.root)
    built = sam.run("build")
    assert built.returncode == 0, built.stderr
    with uploads() as sent:
        arguments = ("--stack-name", "shop", "--s3-prefix", "shop", "--region", "eu-west-1")
        bucket = ("--no-resolve-s3", "--s3-bucket", "artifacts")
        done = sam.run("deploy", *arguments, *bucket, more=sent.environment)
        assert sent.template is not None, done.stderr
        yield sent


def code_of(template: Node, kind: str) -> "Iterator[tuple[str, object]]":
    """Where CloudFormation would take each resource's code from, with the name of its resource."""
    for name, resource in template["Resources"].items():
        if name.startswith("Fn::ForEach::"):
            variable, _collection, body = resource
            for model in MODELS:
                for inner, made in body.items():
                    if made["Type"] == kind:
                        found = looked_up(template, made["Properties"][CODE[kind]], variable, model)
                        yield inner.replace(f"${{{variable}}}", model), found
        elif resource["Type"] == kind:
            yield name, resource["Properties"][CODE[kind]]


def looked_up(template: Node, place: Node, variable: str, model: str) -> object:
    if not isinstance(place, dict):
        return place
    mapping, key, leaf = place["Fn::FindInMap"]
    assert key == {"Ref": variable}
    return template["Mappings"][mapping][model][leaf]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            "AWS::Serverless::Function",
            {
                *("ModelsentimentFunction", "ModelsentimentShadowFunction"),
                *("ModelstarsFunction", "ModelstarsShadowFunction"),
                "CatalogFunction",
            },
        ),
        (
            "AWS::Serverless::LayerVersion",
            {"ModelsentimentLayer", "ModelstarsLayer", "RuntimeLayer", "ServingLayer"},
        ),
    ],
)
def test_all_code_was_uploaded_and_none_is_looked_for_on_this_machine(
    sent: Sent, kind: str, names: set[str]
) -> None:
    code = dict(code_of(sent.template, kind))
    assert set(code) == names
    for name, place in code.items():
        assert str(place).removeprefix("s3://") in sent.objects, (name, place)


def test_each_model_has_a_layer_of_its_own(sent: Sent) -> None:
    layers = dict(code_of(sent.template, "AWS::Serverless::LayerVersion"))
    assert layers["ModelsentimentLayer"] != layers["ModelstarsLayer"]


def test_what_is_uploaded_lies_under_the_stacks_name(sent: Sent) -> None:
    assert {key.split("/")[:2] == ["artifacts", "shop"] for key in sent.objects} == {True}


def test_cloudformation_is_given_what_maas_package_wrote(sent: Sent) -> None:
    assert sent.parameters["Models"] == ",".join(MODELS)
    assert len(sent.parameters["ServedSets"]) == 64
    assert set(sent.parameters) <= set(sent.template["Parameters"])
