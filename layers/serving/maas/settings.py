"""The only reader of the environment.

Imports `maas.errors` and msgspec. Built once per process and passed down:

    settings = read_settings()            # os.environ, read here and nowhere else
    settings = Settings.parse({"MAAS_MODEL": "sentiment"})

A variable that starts with `MAAS_` and is not known here is refused by name, so a typing error
never becomes a silent default.
"""

import getpass
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from maas.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SNAPSHOT = "snap-start"
_TRACE = "_X_AMZN_TRACE_ID"
_ROOT = re.compile(r"(?<![^;])Root=([0-9a-f-]{1,64})(?![^;])")
_PROCESSOR_MEGABYTES = 1769  # of memory, for one of Lambda's processors
_MOST_PROCESSORS = 6
MODEL_NAME = re.compile(r"[a-z][a-z0-9-]{1,31}")
_KNOWN = frozenset(
    f"MAAS_{name}"
    for name in (
        "ACTOR",
        "BASE_PATH",
        "BUNDLES",
        "CACHE",
        "HOME",
        "LOG_LEVEL",
        "MODEL",
        "POLICY_TTL",
        "REGISTRY",
        "REQUIRE_SIGNATURE",
        "SHADOW_QUEUE",
        "THREADS",
    )
)
# This would make a library obey a model's metadata.
_REFUSED = {
    "ORT_LOAD_CONFIG_FROM_MODEL": "a model file could change the session and write files",
}
_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")


class AwsSettings(Struct, frozen=True):
    """What AWS's own variables say, for the one request that is signed without boto3.

    Attributes:
        region: `AWS_REGION`, else `AWS_DEFAULT_REGION`; empty where neither is set.
        dynamodb_endpoint: `AWS_ENDPOINT_URL_DYNAMODB`, else `AWS_ENDPOINT_URL`; empty: AWS.
        access_key: `AWS_ACCESS_KEY_ID`; empty where credentials come from the container endpoint.
        secret_key: `AWS_SECRET_ACCESS_KEY`.
        session_token: `AWS_SESSION_TOKEN`.
        credentials_url: `AWS_CONTAINER_CREDENTIALS_FULL_URI`, which wins over the keys (SnapStart).
        credentials_token: `AWS_CONTAINER_AUTHORIZATION_TOKEN`, sent to that address.
    """

    region: str
    dynamodb_endpoint: str
    access_key: str
    secret_key: str
    session_token: str
    credentials_url: str
    credentials_token: str

    @classmethod
    def parse(cls, environ: "Mapping[str, str]") -> "AwsSettings":
        """Take the variables as they are; an empty one counts as unset."""

        def first(*names: str) -> str:
            return next(filter(None, (environ.get(name) for name in names)), "")

        return cls(
            region=first("AWS_REGION", "AWS_DEFAULT_REGION"),
            dynamodb_endpoint=first("AWS_ENDPOINT_URL_DYNAMODB", "AWS_ENDPOINT_URL"),
            access_key=first("AWS_ACCESS_KEY_ID"),
            secret_key=first("AWS_SECRET_ACCESS_KEY"),
            session_token=first("AWS_SESSION_TOKEN"),
            credentials_url=first("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
            credentials_token=first("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={said!r}" for name, said in self.__rich_repr__())
        return f"AwsSettings({shown})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """What may be shown: nothing that a request could be signed with."""
        shown = ("region", "dynamodb_endpoint", "credentials_url")
        return [(name, getattr(self, name)) for name in shown]


class NodeSettings(Struct, frozen=True):
    """What AWS Batch and torchrun tell a process of a training job.

    Attributes:
        nodes: Machines of the job (`AWS_BATCH_JOB_NUM_NODES`, default 1).
        node: Which of them this is, from 0 (`AWS_BATCH_JOB_NODE_INDEX`).
        main_address: The first one's (`AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS`); empty there.
        rank: Which process of all machines this is, from 0 (`RANK`).
    """

    nodes: int
    node: int
    main_address: str
    rank: int

    @classmethod
    def parse(cls, environ: "Mapping[str, str]") -> "NodeSettings":
        """Check the variables.

        Raises:
            SettingsError: One is no whole number.
        """
        nodes, node = "AWS_BATCH_JOB_NUM_NODES", "AWS_BATCH_JOB_NODE_INDEX"
        return cls(
            nodes=_whole_number(environ, nodes, default=1, low=1, high=1000),
            node=_whole_number(environ, node, default=0, low=0, high=999),
            main_address=environ.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", ""),
            rank=_whole_number(environ, "RANK", default=0, low=0, high=999_999),
        )


class Settings(Struct, frozen=True):
    """What the environment says, checked.

    Attributes:
        home: Where a laptop keeps its state (`MAAS_HOME`, default `.maas`).
        registry: The registry's URL (`MAAS_REGISTRY`, default the file registry.sqlite in home).
        bundles: The folder of `<model>/<digest16>/` (`MAAS_BUNDLES`, default `bundles` in home).
        cache: Where fetched data sets are kept (`MAAS_CACHE`, default `cache` in home).
        model: The one model of this function (`MAAS_MODEL`); None where all are served.
        base_path: A stage or custom-domain prefix, such as `/prod` (`MAAS_BASE_PATH`).
        policy_ttl: Seconds for which a policy is taken as current (`MAAS_POLICY_TTL`, default 15).
        threads: ONNX Runtime's intra-op threads (`MAAS_THREADS`, default as many as there are whole
            processors in the function's memory, and 1 where it is none).
        log_level: DEBUG, INFO, WARNING or ERROR (`MAAS_LOG_LEVEL`, default INFO).
        actor: Who changes the registry (`MAAS_ACTOR`, default the login name).
        require_signature: The public key whose owner must have signed every bundle, in PEM, or the
            path of its file (`MAAS_REQUIRE_SIGNATURE`); empty where none is required.
        shadow_queue: The URL of the queue that a function sends to what a shadow shall see
            (`MAAS_SHADOW_QUEUE`); empty where it sends nothing.
        aws: What AWS's own variables say.
        snapshot: Whether this process starts for a SnapStart snapshot, when time is at hand
            (`AWS_LAMBDA_INITIALIZATION_TYPE`).
    """

    home: Path
    registry: str
    bundles: Path
    cache: Path
    model: str | None
    base_path: str
    policy_ttl: float
    threads: int
    log_level: str
    actor: str
    require_signature: str
    shadow_queue: str
    aws: AwsSettings
    snapshot: bool

    @classmethod
    def parse(cls, environ: "Mapping[str, str]") -> "Settings":
        """Check the variables and build the settings.

        Raises:
            SettingsError: A variable is unknown, refused or malformed; the message names it.
        """
        _refuse_unknown(environ)
        home = Path(environ.get("MAAS_HOME") or ".maas").absolute()
        model = environ.get("MAAS_MODEL") or None
        if model is not None and not MODEL_NAME.fullmatch(model):
            raise _malformed("MAAS_MODEL", "a name such as sentiment (a-z, 0-9 and -)")
        base_path = (environ.get("MAAS_BASE_PATH") or "").rstrip("/")
        if base_path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+", base_path):
            raise _malformed("MAAS_BASE_PATH", "a path such as /prod")
        log_level = environ.get("MAAS_LOG_LEVEL") or "INFO"
        if log_level not in _LOG_LEVELS:
            raise _malformed("MAAS_LOG_LEVEL", "one of " + ", ".join(_LOG_LEVELS))
        return cls(
            home=home,
            registry=environ.get("MAAS_REGISTRY") or f"sqlite:///{home / 'registry.sqlite'}",
            bundles=Path(environ.get("MAAS_BUNDLES") or home / "bundles").absolute(),
            cache=Path(environ.get("MAAS_CACHE") or home / "cache").absolute(),
            model=model,
            base_path=base_path,
            policy_ttl=_number(environ, "MAAS_POLICY_TTL", default=15.0, low=0.0, high=3600.0),
            threads=_whole_number(
                environ, "MAAS_THREADS", default=_processors(environ), low=1, high=64
            ),
            log_level=log_level,
            actor=environ.get("MAAS_ACTOR") or _login_name(),
            require_signature=environ.get("MAAS_REQUIRE_SIGNATURE", "").strip(),
            shadow_queue=environ.get("MAAS_SHADOW_QUEUE", ""),
            aws=AwsSettings.parse(environ),
            snapshot=environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == _SNAPSHOT,
        )


def read_settings() -> Settings:
    """Read this process's environment."""
    return Settings.parse(os.environ)


def trace_id() -> str | None:
    """The X-Ray trace of the request that Lambda has given this process; None elsewhere.

    A caller may have named it, so that it is logged only where it looks like one.
    """
    root = _ROOT.search(os.environ.get(_TRACE, ""))
    return root[1] if root else None


def read_node() -> NodeSettings:
    """Read what this process was told about its machine."""
    return NodeSettings.parse(os.environ)


def child_environment(settings: Settings, model: str) -> dict[str, str]:
    """The environment of a process that serves one model as a function does."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAAS_")}
    return kept | {
        "MAAS_MODEL": model,
        "MAAS_HOME": str(settings.home),
        "MAAS_REGISTRY": settings.registry,
        "MAAS_REQUIRE_SIGNATURE": settings.require_signature,
        "MAAS_BUNDLES": str(settings.bundles),
        "MAAS_THREADS": str(settings.threads),
        "MAAS_LOG_LEVEL": settings.log_level,
    }


def _refuse_unknown(environ: "Mapping[str, str]") -> None:
    unknown = sorted(name for name in environ if name.startswith("MAAS_") and name not in _KNOWN)
    if unknown:
        known = ", ".join(sorted(_KNOWN))
        raise SettingsError(f"{unknown[0]} is not a setting. Known: {known}.", field=unknown[0])
    for name, reason in _REFUSED.items():
        if environ.get(name, "").lower() not in ("", "0", "false"):
            raise SettingsError(f"{name} must not be set: {reason}.", field=name)


def _number(
    environ: "Mapping[str, str]", name: str, *, default: float, low: float, high: float
) -> float:
    text = environ.get(name) or str(default)
    # Python itself would read 1_0 as ten, and digits of any script.
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text) or not low <= float(text) <= high:
        raise _malformed(name, f"a number from {low:g} to {high:g}")
    return float(text)


def _whole_number(
    environ: "Mapping[str, str]", name: str, *, default: int, low: int, high: int
) -> int:
    text = environ.get(name) or str(default)
    if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
        raise _malformed(name, f"a whole number from {low} to {high}")
    return int(text)


def _processors(environ: "Mapping[str, str]") -> int:
    """What Lambda gives of its processors for the memory of a function, in whole ones."""
    size = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE") or "0"
    memory = int(size) if re.fullmatch(r"[0-9]{1,6}", size) else 0
    return min(max(1, memory // _PROCESSOR_MEGABYTES), _MOST_PROCESSORS)


def _malformed(name: str, wanted: str) -> SettingsError:
    return SettingsError(f"{name} must be {wanted}.", field=name)


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
