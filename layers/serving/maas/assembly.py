"""From settings to services: opens the registry and makes a service per model, when asked for.

May import everything of `maas` but `maas.http`.

    services = build_services(read_settings(), full=False)
    service = services("sentiment")
"""

import functools
import random
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from maas.errors import ModelNotFoundError
from maas.registry.policy_cache import PolicyCache
from maas.registry.stores import open_registry
from maas.served import read_served
from maas.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable

    from maas.registry.addresses import VersionAddress
    from maas.registry.registry import Registry
    from maas.settings import Settings


def utc_now() -> datetime:
    """The clock of everything that is recorded."""
    return datetime.now(UTC)


def build_registry(settings: "Settings") -> "Registry":
    """Open the registry that the settings name."""
    return open_registry(settings.registry, clock=utc_now, actor=settings.actor)


class Services:
    """A service per model, made when its name is first asked for. Safe to share between threads.

    Args:
        settings: Where the bundles are, and which model is served.
        registry: Where the policies are.
        full: See `build_services`.
        clock: Seconds, never going back; the clock of policies and of requests' deadlines.
    """

    def __init__(
        self,
        settings: "Settings",
        registry: "Registry",
        *,
        full: bool,
        clock: "Callable[[], float]" = time.monotonic,
    ) -> None:
        self._settings = settings
        self._registry = registry
        self._full = full
        self._clock = clock
        self._services: dict[str, Service] = {}
        self._lock = threading.Lock()

    def __call__(self, model: str) -> Service:
        """Find the service of a model.

        Raises:
            ModelNotFoundError: The registry has no such model, or this function serves another.
        """
        if self._settings.model not in (None, model):
            raise _unknown_model()
        if found := self._services.get(model):
            return found
        built = self._build(model)  # reads the registry, which must hold up no other model
        with self._lock:
            return self._services.setdefault(model, built)

    def models(self) -> list[str]:
        """The names that this process may be asked for, as far as the registry has them."""
        if self._settings.model is not None:
            return [self._settings.model]
        names: list[str] = []
        more = True
        while more:
            page = self._registry.models(after=names[-1] if names else None)
            names += [record.name for record in page.records]
            more = page.more
        return names

    def _build(self, model: str) -> Service:
        bundles = self._settings.bundles / model
        served = read_served(bundles)
        policies = PolicyCache(
            lambda: self._registry.policy(model),
            ttl=self._settings.policy_ttl,
            clock=self._clock,
            rng=random.random,
            baked=served.policy if served else None,
        )
        try:
            policies.current()  # an unknown name is refused here and leaves nothing behind
        except ModelNotFoundError:
            raise _unknown_model() from None
        return Service(
            model,
            policies=policies,
            bundles=bundles,
            forms=served.forms() if served else {},
            threads=self._settings.threads,
            full=self._full,
            draw=random.random,
            clock=self._clock,
            find=functools.partial(self._find, model) if self._full else None,
        )

    def _find(self, model: str, address: "VersionAddress") -> tuple[int, str]:
        version = self._registry.version(model, address)
        return version.number, version.digest


def _unknown_model() -> ModelNotFoundError:
    """One text for all of them, which repeats nothing of the request's path."""
    return ModelNotFoundError("No model of this name is served here.")


def build_services(settings: "Settings", *, full: bool) -> Services:
    """Make the services of this process.

    Args:
        settings: Where the registry and the bundles are, and which model is served.
        full: As on a laptop: hash every byte of a bundle before it answers, and find versions that
            are too old for the policy to list.
    """
    return Services(settings, build_registry(settings), full=full)
