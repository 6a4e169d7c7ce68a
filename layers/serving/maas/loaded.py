"""The versions of one model that are in memory: opened when first asked for, a few of them kept.

May import `maas.bundle`, `maas.loading`, `maas.limits` and `maas.errors`.

    versions = LoadedVersions("sentiment", bundles=folder, threads=1, full=True, clock=clock)
    versions.begin(digest)
    versions.get(digest, deadline=deadline).task

Opening hashes and replays, which takes seconds and cannot be stopped. So it happens in a thread,
one version at a time: those in memory go on answering, nobody waits beyond a deadline, what was
begun goes on for the next who asks, and what was refused is not opened anew by every request.
"""

import math
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import DeadlineError, MaasError, ModelError, NotReadyError
from maas.limits import LIMITS
from maas.loading import LoadedVersion, load_version

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from maas.bundle.ecdsa import PublicKey

REFUSED_SECONDS = 5.0
"""For so long a version that could not be opened is not tried again."""


class LoadedVersions:
    """Versions by digest. Safe to share between threads.

    Args:
        model: The model's name, for messages.
        bundles: The folder that holds its bundles, each in a folder named by 16 hex characters.
        threads: Intra-op threads per session.
        full: Hash every byte of a bundle and replay all of its golden requests.
        clock: Seconds, never going back; deadlines are told by it.
        forms: By digest the one form that was packed; a bundle that is not named here has all.
        key: Whose owner must have signed every version; None where nobody must.
    """

    def __init__(
        self,
        model: str,
        *,
        bundles: "Path",
        threads: int,
        full: bool,
        clock: "Callable[[], float]",
        forms: "Mapping[str, str]" = MappingProxyType({}),
        key: "PublicKey | None" = None,
    ) -> None:
        self._model = model
        self._bundles = bundles
        self._threads = threads
        self._full = full
        self._clock = clock
        self._forms = forms
        self._key = key
        self._loaded: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._refused: dict[str, tuple[float, NotReadyError]] = {}
        self._openings: dict[str, Future[LoadedVersion]] = {}
        self._lock = threading.Lock()
        # One at a time, and kept: where memory is short, a thread cannot be had, or never starts.
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="opening")

    def carries(self, digest: str) -> bool:
        """Whether the version is in memory or its bundle lies here, be it whole or not."""
        try:
            return digest in self._loaded or (self._bundles / digest16(digest)).exists()
        except OSError:  # it is not for us to look at; opening it will say so
            return True

    def begin(self, digest: str) -> None:
        """Begin to open a version that is not in memory, and wait for nothing."""
        with suppress(NotReadyError):  # `get` says why
            if self._known(digest) is None:
                self._begun(digest)

    def get(self, digest: str, *, deadline: float = math.inf) -> LoadedVersion:
        """Find a version, and open it if need be.

        Raises:
            DeadlineError: It was still being opened at the deadline.
            NotReadyError: The version cannot be opened, or could not be a moment ago.
        """
        if hit := self._known(digest):
            return hit
        left = min(deadline - self._clock(), threading.TIMEOUT_MAX)
        if left <= 0:
            raise self._still_opening()
        try:
            return self._begun(digest).result(left)
        except TimeoutError:
            raise self._still_opening() from None
        except NotReadyError as error:  # one for each who waits: a trace grows where it is raised
            raise NotReadyError(str(error)) from error.__cause__

    def _known(self, digest: str) -> LoadedVersion | None:
        with self._lock:
            if digest in self._loaded:
                self._loaded.move_to_end(digest)
                return self._loaded[digest]
            until, error = self._refused.get(digest, (-math.inf, None))
        if error is not None and self._clock() < until:
            raise NotReadyError(str(error)) from error.__cause__
        return None

    def _still_opening(self) -> DeadlineError:
        return DeadlineError(f"A version of {self._model} is still being loaded; try again.")

    def _begun(self, digest: str) -> "Future[LoadedVersion]":
        with self._lock:
            if (opening := self._openings.get(digest)) is not None:
                return opening
            if digest in self._loaded:  # by another thread, since the caller looked
                opening = Future()
                opening.set_result(self._loaded[digest])
                return opening
            try:
                opening = self._opener.submit(self._open, digest)
            except RuntimeError as reason:  # there can be no thread
                raise NotReadyError(
                    f"{self._model} {digest[:19]}… cannot be loaded now; try again."
                ) from reason
            self._openings[digest] = opening
            return opening

    def _open(self, digest: str) -> LoadedVersion:
        try:
            loaded = self._loaded.get(digest) or self._read(digest)
        except BaseException as reason:  # noqa: BLE001 - whatever a file makes a library raise
            error = self._refusal(digest, reason)
            raise error from error.__cause__
        with self._lock:
            self._loaded[digest] = loaded
            while len(self._loaded) > LIMITS.loaded_versions:
                self._loaded.popitem(last=False)
            self._openings.pop(digest, None)
        return loaded

    def _read(self, digest: str) -> LoadedVersion:
        folder, form = self._bundles / digest16(digest), self._forms.get(digest)
        bundle = verify_bundle(folder, digest=digest, full=self._full, form=form)
        if self._key is not None:
            from maas.bundle.signature import require_signature  # noqa: PLC0415 - only where it is

            require_signature(bundle, self._key)
        return load_version(bundle, threads=self._threads, replays=None if self._full else 1)

    def _refusal(self, digest: str, reason: BaseException) -> NotReadyError:
        error = NotReadyError(f"{self._model} {digest[:19]}… cannot be loaded; the log says why.")
        error.__cause__ = _named(digest, reason)
        held = REFUSED_SECONDS if self.carries(digest) else 0.0  # to look for it anew costs nothing
        now = self._clock()
        with self._lock:
            kept = {key: each for key, each in self._refused.items() if now < each[0]}
            self._refused = kept | {digest: (now + held, error)}
            self._openings.pop(digest, None)
        return error


def _named(digest: str, reason: BaseException) -> MaasError:
    """The reason as the log says it: with the bundle's folder, and no text of a library."""
    folder = digest16(digest)
    if isinstance(reason, MaasError):
        named = type(reason)(f"{folder}: {reason.described()}", field=reason.field)
    else:
        named = ModelError(f"{folder}: {type(reason).__name__} while it was loaded.")
    return named.with_traceback(reason.__traceback__)
