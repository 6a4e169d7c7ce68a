"""A model's function as it is deployed: packed bundles, a baked policy, a registry in DynamoDB.

packed = pack(home, tmp_path / "models", policy)
settings = function_settings(packed, endpoint=standin.url, policy_ttl=0.2)
handler = build_handler(settings)
"""

import json
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
from support.doors import LambdaContext, rest_event

from maas.bundle.manifest import digest16
from maas.loading import optimised_form
from maas.registry.records import WEIGHT_TOTAL, Policy, Route
from maas.served import SERVED, ServedSet, ServedVersion
from maas.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from support.tiny import Home

    from maas.http.gateway import Handler

MODEL = "sentiment"
TABLE = "maas-registry"


def routed(home: "Home", revision: int, **shares: int) -> Policy:
    """A policy whose production routes to versions by percent: `routed(home, 3, v1=90, v2=10)`."""
    routes = tuple(
        Route(int(name[1:]), percent * WEIGHT_TOTAL // 100) for name, percent in shares.items()
    )
    digests = {number: bundle.digest for number, bundle in home.bundles.items()}
    return Policy(MODEL, revision, {"production": routes}, digests)


def pack(home: "Home", models: "Path", baked: Policy, *, carried: tuple[int, ...] = ()) -> "Path":
    """Lay a served set as `maas package` does: one form of each version, and served.json.

    Args:
        home: Where the bundles are.
        models: The folder to make, which `MAAS_BUNDLES` shall name.
        baked: The policy of packaging time.
        carried: Versions that are packed; all of the home's where none is named.
    """
    form = optimised_form()
    numbers = carried or tuple(sorted(home.bundles))
    for number in numbers:
        bundle = home.bundles[number]
        folder = models / MODEL / digest16(bundle.digest)
        shutil.copytree(bundle.folder, folder, ignore=shutil.ignore_patterns("portable"))
    versions = tuple(ServedVersion(n, home.bundles[n].digest, form) for n in numbers)
    served = ServedSet(1, MODEL, versions, baked)
    (models / MODEL / SERVED).write_bytes(msgspec.json.encode(served))
    return models


def function_environ(
    models: "Path", *, endpoint: str, table: str = TABLE, policy_ttl: float = 15.0
) -> dict[str, str]:
    """The variables of a function whose registry is a table."""
    return {
        "MAAS_MODEL": MODEL,
        "MAAS_HOME": str(models.parent / "home-of-nobody"),
        "MAAS_BUNDLES": str(models),
        "MAAS_REGISTRY": f"dynamodb://{table}",
        "MAAS_POLICY_TTL": str(policy_ttl),
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_DYNAMODB": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "canary-secret",
    }


def function_settings(
    models: "Path", *, endpoint: str, table: str = TABLE, policy_ttl: float = 15.0
) -> Settings:
    """The settings of `function_environ`."""
    return Settings.parse(
        function_environ(models, endpoint=endpoint, table=table, policy_ttl=policy_ttl)
    )


@dataclass(frozen=True, slots=True)
class Said:
    """What a function said to one request.

    Attributes:
        status: HTTP status.
        policy: The header `x-maas-policy`.
        version: The version that answered.
        timing: The header `server-timing`.
        seconds: How long it took.
        body: The answer's JSON.
    """

    status: int
    policy: str
    version: int
    timing: str
    seconds: float
    body: Any


def say(handler: "Handler", text: str = "a good film") -> Said:
    """Send one good request."""
    started = time.monotonic()
    answer = handler(rest_event(body={"inputs": text}), LambdaContext())
    seconds = time.monotonic() - started
    headers = answer["headers"]
    return Said(
        answer["statusCode"],
        headers.get("x-maas-policy", ""),
        int(headers.get("x-maas-version", "0")),
        headers["server-timing"],
        seconds,
        json.loads(answer["body"]),
    )
