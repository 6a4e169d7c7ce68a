"""From settings to services: finds the policies and makes a service per model, when asked for.

May import everything of `maas` but `maas.http`.

    services = build_services(read_settings(), full=False)
    service = services("sentiment")

A function reads policies, and nothing else of the registry: from DynamoDB by one signed request,
because boto3 would cost its cold start more than the model does. A laptop has the whole registry.
"""

import functools
import random
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from maas.errors import BundleError, ModelNotFoundError, NotReadyError, SettingsError
from maas.registry.policy_cache import PolicyCache
from maas.registry.policy_read import PolicyReader
from maas.registry.urls import DynamoUrl, parse_url
from maas.served import ServedSet, read_served
from maas.service import Service
from maas.traffic import blocked_error

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas.bundle.ecdsa import PublicKey
    from maas.errors import MaasError
    from maas.registry.addresses import VersionAddress
    from maas.registry.reader import Reader
    from maas.registry.records import Policy
    from maas.registry.registry import Registry
    from maas.settings import Settings

# Restored snapshots begin with equal generators; the system's has no state to be equal in, so that
# a canary's share is right from each one's first request on.
_draw = random.SystemRandom().random


def utc_now() -> datetime:
    """The clock of everything that is recorded."""
    return datetime.now(UTC)


def build_registry(settings: "Settings") -> "Registry":
    """Open the registry that the settings name."""
    from maas.registry.stores import open_registry  # noqa: PLC0415 - a function needs no store

    return open_registry(settings.registry, clock=utc_now, actor=settings.actor, aws=settings.aws)


class Services:
    """A service per model, made when its name is first asked for. Safe to share between threads.

    Args:
        settings: Where the bundles are, and which model is served.
        read_policy: Reads a model's policy, within a time limit of its own.
        full: Hash every byte of a bundle and replay all of its golden requests before it answers.
        registry: Lists the models, and finds versions that are too old for the policy to list;
            None in a function, which knows its one model and what its policy says.
        clock: Seconds, never going back; the clock of policies and of requests' deadlines.
        notice: Told of a model's failed policy reads and of routes that cannot be followed.
        renew: Makes `read_policy` forget what it keeps from before a snapshot.

    Raises:
        SettingsError: A signature is required, of a key that cannot be read.
    """

    def __init__(
        self,
        settings: "Settings",
        read_policy: "Callable[[str], Policy]",
        *,
        full: bool,
        registry: "Reader | None" = None,
        clock: "Callable[[], float]" = time.monotonic,
        notice: "Callable[[str, MaasError], None]" = lambda _, __: None,
        renew: "Callable[[], None]" = lambda: None,
    ) -> None:
        self._settings = settings
        self._read_policy = read_policy
        self._full = full
        self._registry = registry
        self._clock = clock
        self._notice = notice
        self._renew = renew
        self._key = required_key(settings)
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()

    def __call__(self, model: str) -> Service:
        """Find the service of a model.

        Raises:
            ModelNotFoundError: The registry has no such model, or this function serves another.
            NotReadyError: What this function carries of it cannot be read.
        """
        if self._settings.model not in (None, model):
            raise _unknown_model()
        if found := self._services.get(model):
            return found
        built = self._build(model)  # reads the registry, which must hold up no other model
        with self._lock:
            return self._services.setdefault(model, built)

    def models(self) -> list[str]:
        """The names that this process may be asked for, as far as the registry has them.

        Raises:
            SettingsError: No model is named, and there is no registry to ask for them.
        """
        if self._settings.model is not None:
            return [self._settings.model]
        if self._registry is None:
            raise SettingsError("MAAS_MODEL must name the model to serve.", field="MAAS_MODEL")
        names: list[str] = []
        more = True
        while more:
            page = self._registry.models(after=names[-1] if names else None)
            names += [record.name for record in page.records]
            more = page.more
        return names

    def renew(self) -> None:
        """Forget what was true before a snapshot, and read the policies anew in the background."""
        self._renew()
        with self._lock:
            services = list(self._services.values())
        for service in services:
            service.expire()

    def _build(self, model: str) -> Service:
        bundles = self._settings.bundles / model
        served = _served(bundles, model)
        notice = functools.partial(self._notice, model)
        policies = PolicyCache(
            functools.partial(self._read_policy, model),
            ttl=self._settings.policy_ttl,
            clock=self._clock,
            rng=_draw,
            baked=served.policy if served else None,
            notice=notice,
        )
        if served is None:
            try:
                policies.current()  # an unknown name is refused here and leaves nothing behind
            except ModelNotFoundError:
                raise _unknown_model() from None
        return Service(
            model,
            policies=policies,
            bundles=bundles,
            forms=served.forms() if served else {},
            key=self._key,
            threads=self._settings.threads,
            full=self._full,
            draw=_draw,
            clock=self._clock,
            find=functools.partial(_find, self._registry, model) if self._registry else None,
            notice=notice,
        )


def required_key(settings: "Settings") -> "PublicKey | None":
    """The key whose owner must have signed every bundle; None where nobody must.

    Raises:
        SettingsError: It cannot be read.
    """
    if not settings.require_signature:
        return None
    from maas.bundle.signature import open_key  # noqa: PLC0415 - only where one is required

    return open_key(settings.require_signature)


def _served(bundles: "Path", model: str) -> ServedSet | None:
    """What was packed of the model; None on a laptop, which carries all."""
    try:
        served = read_served(bundles)
        if served is not None and served.model != model:
            raise BundleError(f"The served set is of {served.model}, not of {model}.")  # noqa: TRY301 - one refusal for all
    except BundleError as error:  # ours, not the caller's
        raise NotReadyError(
            f"What this function carries of {model} cannot be read; the log says why."
        ) from error
    return served


def _find(registry: "Reader", model: str, address: "VersionAddress") -> tuple[int, str]:
    version = registry.version(model, address)
    if version.status == "blocked":  # so long ago that the policy does not name it
        raise blocked_error(model)
    return version.number, version.digest


def _unknown_model() -> ModelNotFoundError:
    """One text for all of them, which repeats nothing of the request's path."""
    return ModelNotFoundError("No model of this name is served here.")


def build_services(
    settings: "Settings",
    *,
    full: bool,
    notice: "Callable[[str, MaasError], None]" = lambda _, __: None,
) -> Services:
    """Make the services of this process.

    Args:
        settings: Where the registry and the bundles are, and which model is served. While a
            snapshot is made, there is time to hash every byte in a function too.
        full: As on a laptop: hash every byte of a bundle before it answers, and find versions that
            are too old for the policy to list.
        notice: Told of a model's failed policy reads and of routes that cannot be followed.

    Raises:
        SettingsError: The registry's URL, region or endpoint is none, or the required key.
    """
    hashed = full or settings.snapshot
    url = parse_url(settings.registry)
    if isinstance(url, DynamoUrl) and not full:
        reader = PolicyReader(url.table, settings.aws, now=utc_now)
        return Services(settings, reader.policy, full=hashed, notice=notice, renew=reader.renew)
    registry = build_registry(settings)
    return Services(
        settings,
        registry.policy,
        full=hashed,
        registry=registry if full else None,
        notice=notice,
    )
