"""The programs that are measured, each a probe in a fresh process.

Imports `maas` and the rooms beside it.

    programs = make_programs(bundle, 3, texts, scratch=folder, registry=address, ...)
    programs["handler"].command, programs["handler"].environment
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from maas.bundle.manifest import digest16
from maas.loading import TOKENIZER
from maas_lab.benching.packages import REQUIREMENTS, ROOT, link_packages
from maas_lab.benching.packed import pack_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.verify import Bundle
    from maas_lab.benching.texts import Texts

REFERENCE = "bare script"
HANDLER = "handler"
STUBBED = "handler, model stubbed"
CHECKED = "handler, hashed and replayed"
CHECKS = "checks"
INT8 = "int8"
APP = ROOT / "functions" / "inference" / "app.py"


class Program(Struct, frozen=True):
    """What is started.

    Attributes:
        probe: A module of `maas_lab.probes`.
        arguments: What it is told after the time and the count of requests.
        requests: Warm requests; 0 measures the cold start alone.
        environment: All of its variables.
    """

    probe: str
    arguments: tuple[str, ...]
    requests: int
    environment: dict[str, str]


def bare_name(form: str) -> str:
    """The bare script's name in the figures, by the form that it opens."""
    return REFERENCE if form == "portable" else f"{REFERENCE}, {form}"


def handler_name(form: str, own: str) -> str:
    """The handler's name in the figures: plain where it opens the form for this machine."""
    return HANDLER if form == own else f"{HANDLER}, {form}"


def make_programs(
    bundle: "Bundle",
    number: int,
    texts: "Texts",
    *,
    scratch: Path,
    registry: str,
    own: str,
    environment: "Mapping[str, str]",
    requests: int,
) -> dict[str, Program]:
    """Write what the programs read, and say how each is started.

    Args:
        bundle: The version's.
        number: The version's number.
        texts: What is asked.
        scratch: A folder to write into.
        registry: The address that stands in for DynamoDB.
        own: The form that a function on this machine opens.
        environment: What all of them get, beside the packages that a function has; numpy's threads
            are one everywhere, as for the reference.
        requests: Warm requests of each.
    """
    asked = {"one": texts.one, "batch": texts.batch, "mixed": texts.mixed}
    text_file, event_file = scratch / "texts.json", scratch / "events.json"
    text_file.write_text(json.dumps(asked))
    path = f"/models/{bundle.manifest.name}/versions/{number}"
    event_file.write_text(json.dumps({name: _event(path, batch) for name, batch in asked.items()}))
    packages = scratch / "packages"
    link_packages(REQUIREMENTS, packages)
    shared = {**environment, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(packages)}
    made: dict[str, Program] = {}
    for form in bundle.manifest.forms:
        flag = "yes" if form.optimised else "no"
        files = (str(bundle.folder / TOKENIZER), str(bundle.graph(form)), flag, str(text_file))
        made[bare_name(form.name)] = Program("bare", files, requests, shared)
    handler = (str(APP), str(event_file))
    for name in {own, INT8} & {form.name for form in bundle.manifest.forms}:
        models = pack_version(bundle, number, form=name, folder=scratch / name)
        function = shared | _function(models, registry)
        made[handler_name(name, own)] = Program("handler", handler, requests, function)
        if name == own:
            made[STUBBED] = Program("stubbed", handler, requests, function)
            snapshot = function | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"}
            made[CHECKED] = Program("handler", handler, 0, snapshot)
            folder = str(models / bundle.manifest.name / digest16(bundle.digest))
            checks = (folder, bundle.digest, name)
            made[CHECKS] = Program("checks", checks, 3, function)
    return made


def _function(models: Path, registry: str) -> dict[str, str]:
    """The variables by which a function differs from a laptop."""
    return {
        "MAAS_BUNDLES": str(models),
        "MAAS_REGISTRY": "dynamodb://maas-registry",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_DYNAMODB": registry,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "",
    }


def _event(path: str, texts: list[str]) -> dict[str, object]:
    """A REST API event, as API Gateway sends it."""
    return {
        "resource": path,
        "path": path,
        "httpMethod": "POST",
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "queryStringParameters": None,
        "multiValueQueryStringParameters": None,
        "requestContext": {"resourcePath": path, "httpMethod": "POST", "stage": "bench"},
        "body": msgspec.json.encode({"inputs": texts}).decode(),
        "isBase64Encoded": False,
    }
