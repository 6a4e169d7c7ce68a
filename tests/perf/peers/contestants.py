"""Who is measured: how each server is started, and how it is asked.

servers = make_servers(settings, version, bundle, pythons, scratch=folder, registry=address)
servers["KServe"].command                # `@` stands for the port
"""

import json
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from maas.bundle.verify import Bundle
from maas.loading import TOKENIZER, choose_form
from maas.settings import Settings, child_environment
from maas_lab.benching.packed import pack_version
from maas_lab.benching.texts import measured_texts

SERVERS = Path(__file__).parent / "servers"
REFERENCE = "bare script"
FUNCTION = "maas function"
SERVER = "maas serve"
ONE, PER_REQUEST = "one", "a thread per request"


@dataclass(frozen=True)
class Server:
    """How one is started and asked.

    Attributes:
        command: With `@` for the port.
        environment: All of its variables.
        path: Where predictions are made.
        body: What is sent.
        threads: In how many threads it runs the model, for whoever reads the figures.
    """

    command: list[str]
    environment: dict[str, str]
    path: str
    body: bytes
    threads: str = ONE


def make_servers(
    settings: Settings,
    number: int,
    bundle: Bundle,
    pythons: dict[str, Path],
    *,
    scratch: Path,
    registry: str,
) -> dict[str, Server]:
    """Every server by its name.

    Args:
        settings: Where the registry and the bundles are, for our own server.
        number: The version's number; production routes to it.
        bundle: Its bundle.
        pythons: Interpreters of the peers.
        scratch: A folder to write into.
        registry: The address that stands in for DynamoDB.
    """
    text = measured_texts(bundle).one[0]
    body = json.dumps({"inputs": text}).encode()
    name = bundle.manifest.name
    graph = str(bundle.graph(bundle.manifest.form("portable")))
    tokenizer = str(bundle.folder / TOKENIZER)
    folder = tokenizer_folder(bundle, scratch / "tokenizer")
    shared = {
        key: value for key, value in child_environment(settings, name).items()
        if not key.startswith(("MAAS_", "AWS_"))
    } | {"OPENBLAS_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}  # fmt: skip
    models = pack_version(
        bundle, number, form=choose_form(bundle.manifest).name, folder=scratch / "f"
    )
    function = {
        **shared,
        "MAAS_MODEL": name,
        "MAAS_BUNDLES": str(models),
        "MAAS_REGISTRY": "dynamodb://maas-registry",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL_DYNAMODB": registry,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    laptop = {**shared, "MAAS_HOME": str(settings.home)}

    def peer(environment: str, file: str, tokens: str) -> list[str]:
        return [str(pythons[environment]), str(SERVERS / file), "@", graph, tokens]

    own, path = sys.executable, f"/models/{name}"
    instances = json.dumps({"instances": [text]}).encode()
    kserve = "/v1/models/peer:predict"
    serve = [own, "-m", "maas_lab.cli", "serve", "--port", "@"]
    return {
        REFERENCE: Server(peer("bare", "bare.py", tokenizer), shared, "/", body),
        FUNCTION: Server([own, str(SERVERS / "function.py"), "@"], function, path, body),
        SERVER: Server(serve, laptop, path, body, PER_REQUEST),
        "KServe": Server(peer("kserve", "kserve_model.py", tokenizer), shared, kserve, instances),
        "FastAPI": Server(
            peer("fastapi", "fastapi_mangum.py", folder), shared, "/models/peer", body, PER_REQUEST
        ),
    }


def tokenizer_folder(bundle: Bundle, folder: Path) -> str:
    """The tokenizer as transformers wants it."""
    folder.mkdir()
    shutil.copy(bundle.folder / TOKENIZER, folder / "tokenizer.json")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return str(folder)
