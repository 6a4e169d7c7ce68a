"""One packaged and built application for all tests here, its registry in DynamoDB Local."""

import time
import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.dynamo import REGION, drop_table, local_endpoint, set_aws
from support.sam import Sam, World, container_host
from support.shipping import make_project, package_into
from support.tiny import Home, make_bundle, register_bundle
from support.tiny_embedding import make_embedding
from support.tiny_image import make_image
from support.tiny_writer import make_writer

from maas.registry.addresses import ByNumber
from maas.registry.dynamo import Table
from maas.registry.dynamo_table import create_table
from maas.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TTL = 2.0
"""Seconds for which the functions here take a policy as current."""


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[World]":
    """Versions 1 and 2 of `sentiment`, production is 1, and a model of each other family.

    Packaged, validated and built.
    """
    path = tmp_path_factory.mktemp("world")
    project = make_project(path / "project")
    sam = Sam(project.root)
    with pytest.MonkeyPatch.context() as patch:
        set_aws(patch)
        name = f"maas-{uuid.uuid4().hex[:12]}"
        table = Table(name, region=REGION, endpoint=local_endpoint())
        create_table(table, sleep=time.sleep)
        environ = {
            "MAAS_HOME": str(path / "home"),
            "MAAS_ACTOR": "tests",
            "MAAS_REGISTRY": f"dynamodb://{name}",
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_ENDPOINT_URL_DYNAMODB": local_endpoint(),
        }
        port = urlsplit(local_endpoint()).port
        variables = {
            "MAAS_REGISTRY": environ["MAAS_REGISTRY"],
            "MAAS_POLICY_TTL": f"{TTL:g}",
            "AWS_ENDPOINT_URL_DYNAMODB": f"http://{container_host()}:{port}",
        }
        home = _home(environ)
        package_into(project, home)
        done = sam.run("build")
        assert done.returncode == 0, done.stderr
        yield World(sam, home, environ, variables)
        drop_table(table)
        table.close()


def _home(environ: dict[str, str]) -> Home:
    settings = Settings.parse(environ)
    settings.home.mkdir(parents=True)
    settings.bundles.mkdir()
    home = Home(settings, {})
    with home.registry() as registry:
        for seed in (1, 2):
            bundle = make_bundle(settings.bundles, seed=seed)
            home.bundles[register_bundle(registry, bundle)] = bundle
        registry.promote("sentiment", ByNumber(1))
        for make in (make_embedding, make_image, make_writer):
            other = make(settings.bundles)
            register_bundle(registry, other)
            registry.promote(other.manifest.name, ByNumber(1))
    return home
