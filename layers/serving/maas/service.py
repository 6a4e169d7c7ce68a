"""The versions of one model: which one answers, loaded once, and its answer.

May import everything of `maas` but `maas.http`.

    service = Service("sentiment", policies=cache, bundles=folder, threads=1, full=True, draw=rng,
                      clock=time.monotonic)
    service.warm_up()
    turn = service.turn(address, caller="key-1", deadline=deadline)      # which version, and why
    response = turn.task.predict(request, deadline=deadline)
"""

import math
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from maas.errors import MaasError, NotFoundError, NotReadyError, VersionNotServedError
from maas.following import FollowedPolicy
from maas.loaded import LoadedVersions
from maas.registry.addresses import ByDigest, ByNumber
from maas.registry.records import DEFAULT_ALIAS
from maas.traffic import choose_version, shadow_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from maas.bundle.ecdsa import PublicKey
    from maas.loading import LoadedVersion
    from maas.registry.addresses import VersionAddress
    from maas.registry.policy_cache import PolicyCache
    from maas.registry.records import Policy
    from maas.tasks.task import Task


class Turn(Struct, frozen=True):
    """Who answers one request.

    Attributes:
        version: The version's number.
        digest: Its bundle's digest.
        policy: Where the policy came from: live, stale or baked.
        loaded: The version in memory.
        instead_of: Number and digest of versions that should have answered and could not be opened.
        shadow: Number and digest of the version that shall see the request too; None where none.
    """

    version: int
    digest: str
    policy: Literal["live", "stale", "baked"]
    loaded: "LoadedVersion"
    instead_of: tuple[tuple[int, str], ...] = ()
    shadow: tuple[int, str] | None = None

    @property
    def task(self) -> "Task":
        """What answers."""
        return self.loaded.task

    @property
    def task_name(self) -> str:
        """What it does, such as `text-classification`."""
        return self.loaded.bundle.manifest.task


class Service:
    """All versions of one model that this process can answer with. Safe to share between threads.

    Args:
        model: The model's name.
        policies: The registry's policy for it.
        bundles: The folder that holds its bundles, each in a folder named by 16 hex characters.
        threads: Intra-op threads per session.
        full: Hash every byte of a bundle and replay all of its golden requests before it answers;
            otherwise only what a cold start can afford (the layer is immutable).
        draw: Random numbers, 0 ≤ draw < 1.
        clock: Seconds, never going back; deadlines are told by it.
        forms: By digest the one form that was packed; a bundle that is not named here has all.
        key: Whose owner must have signed every version; None where nobody must.
        find: Looks up the number and digest of a pinned version that is too old for the policy to
            list; None where only the policy may be read, as in a function.
        notice: Told once of each policy that routes to versions that are not here, and of each
            time that a version which is routed to could not be opened.
    """

    def __init__(
        self,
        model: str,
        *,
        policies: "PolicyCache",
        bundles: "Path",
        threads: int,
        full: bool,
        draw: "Callable[[], float]",
        clock: "Callable[[], float]",
        forms: "Mapping[str, str]" = MappingProxyType({}),
        key: "PublicKey | None" = None,
        find: "Callable[[VersionAddress], tuple[int, str]] | None" = None,
        notice: "Callable[[MaasError], None]" = lambda _: None,
    ) -> None:
        self.model = model
        self._policies = policies
        self._draw = draw
        self._find = find
        self._notice = notice
        self._failed: dict[str, BaseException | None] = {}
        self._versions = LoadedVersions(
            model, bundles=bundles, threads=threads, full=full, clock=clock, forms=forms, key=key
        )
        self._followed = FollowedPolicy(
            model, policies, carries=self._versions.carries, notice=notice
        )

    def policy(self) -> "Policy":
        """The policy that decides now."""
        return self._followed.current().policy

    def begin(self) -> None:
        """Begin to open what was baked and to read the policy, and wait for nothing."""
        if (baked := self._policies.baked) is not None:
            for digest in self._promoted(baked):
                self._versions.begin(digest)
        self._policies.begin()

    def warm_up(self) -> None:
        """Load the versions that the default alias routes to; others load when first asked for.

        The policy is read meanwhile. What it was at packaging time says what to load first, so that
        neither waits for the other; what it is now is loaded too where it differs.

        Raises:
            MaasError: There is nothing to load, or it was refused.
        """
        self._policies.begin()
        if (baked := self._policies.baked) is not None:
            with suppress(MaasError):  # what it is now may need none of it, and says so if it does
                self._load(baked)
        self._load(self._followed.current().policy)

    def expire(self) -> None:
        """Read the policy anew at once, for time has stood still: after a restored snapshot."""
        self._policies.expire()
        self._policies.begin()

    def turn(
        self,
        address: "VersionAddress | None",
        *,
        caller: str | None = None,
        deadline: float = math.inf,
    ) -> Turn:
        """Choose the version for a request and load it if need be.

        Args:
            address: What the caller pinned, or None.
            caller: Who asks, so that the same version answers each time; None where nobody knows.
            deadline: Time on the clock until which to wait while versions are loaded.

        Raises:
            DeadlineError: Other versions were still being loaded at the deadline.
            VersionNotServedError: The pinned version is not here.
            VersionBlockedError: It must answer nobody.
            NotReadyError: The version is routed to and cannot be loaded, nor can another one of
                the same alias.
        """
        view = self._followed.current()
        number, digest = self._chosen(view.policy, address, caller)
        if _is_pin(address) and not self._versions.carries(digest):
            raise VersionNotServedError(
                f"{self.model} {number} is registered, but its bundle is not here.", field="version"
            )
        failed: list[tuple[int, str]] = []
        while True:
            try:
                loaded = self._versions.get(digest, deadline=deadline)
            except NotReadyError as error:
                failed.append((number, digest))
                number, digest = self._another(view.policy, address, caller, failed, error)
            else:
                shadow = self._shadow(view.policy, address, number) if view.policy.shadows else None
                return Turn(number, digest, view.source, loaded, tuple(failed), shadow)

    def open(self, digest: str, *, deadline: float = math.inf) -> "LoadedVersion":
        """A version by its digest, loaded if need be, whatever the policy says of it.

        Raises:
            DeadlineError: It was still being loaded at the deadline.
            NotReadyError: It cannot be loaded.
        """
        return self._versions.get(digest, deadline=deadline)

    def _shadow(
        self, policy: "Policy", address: "VersionAddress | None", number: int
    ) -> tuple[int, str] | None:
        version = shadow_of(policy, address, number, draw=self._draw)
        return None if version is None else (version, policy.digests[version])

    def _another(
        self,
        policy: "Policy",
        address: "VersionAddress | None",
        caller: str | None,
        failed: list[tuple[int, str]],
        error: NotReadyError,
    ) -> tuple[int, str]:
        """Another version of the alias, where the one that was chosen could not be opened."""
        if _is_pin(address):
            raise error

        tried = {digest for _, digest in failed}

        def opens(digest: str) -> bool:
            return digest not in tried and self._versions.carries(digest)

        number = choose_version(policy, address, draw=self._draw, caller=caller, carries=opens)
        digest = policy.digests[number]
        if digest in tried:  # there is no other
            raise error
        _, last = failed[-1]
        if self._failed.get(last) is not error.__cause__:
            self._failed[last] = error.__cause__  # once for each time that it was tried
            self._notice(error)
        return number, digest

    def _load(self, policy: "Policy") -> None:
        digests = self._promoted(policy)
        if not digests:
            raise NotReadyError(f"No version of {self.model} is promoted yet.")
        for digest in digests:
            self._versions.get(digest)

    def _promoted(self, policy: "Policy") -> list[str]:
        """What the default alias routes to: those that are here, where some are."""
        routes = policy.aliases.get(DEFAULT_ALIAS, ())
        digests = [policy.digests[route.version] for route in routes]
        return [each for each in digests if self._versions.carries(each)] or digests

    def _chosen(
        self, policy: "Policy", address: "VersionAddress | None", caller: str | None
    ) -> tuple[int, str]:
        try:
            number = choose_version(
                policy, address, draw=self._draw, caller=caller, carries=self._versions.carries
            )
        except VersionNotServedError as unknown:
            if address is None or self._find is None or not _is_pin(address):
                raise
            try:
                return self._find(address)
            except NotFoundError:  # its text would repeat what was asked for
                raise unknown from None
        return number, policy.digests[number]


def _is_pin(address: "VersionAddress | None") -> bool:
    return isinstance(address, (ByNumber, ByDigest))
