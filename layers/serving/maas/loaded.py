"""The versions of one model that are in memory: opened when first asked for, a few of them kept.

May import `maas.bundle`, `maas.loading`, `maas.limits` and `maas.errors`.

    versions = LoadedVersions("sentiment", bundles=folder, threads=1, full=True, clock=clock)
    versions.get(digest, deadline=deadline).task

Opening hashes and replays, which takes seconds. So one version is opened at a time, those that are
in memory go on answering meanwhile, nobody waits beyond a deadline, and one that was refused is not
opened anew by every request that asks for it.
"""

import math
import threading
from collections import OrderedDict
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

from maas.bundle.manifest import digest16
from maas.bundle.verify import verify_bundle
from maas.errors import BundleError, DeadlineError, ModelError, NotReadyError
from maas.limits import LIMITS
from maas.loading import LoadedVersion, load_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

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
    ) -> None:
        self._model = model
        self._bundles = bundles
        self._threads = threads
        self._full = full
        self._clock = clock
        self._forms = forms
        self._loaded: OrderedDict[str, LoadedVersion] = OrderedDict()
        self._refused: dict[str, tuple[float, NotReadyError]] = {}
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    def carries(self, digest: str) -> bool:
        """Whether the version is in memory or its bundle lies here, be it whole or not."""
        return digest in self._loaded or (self._bundles / digest16(digest)).exists()

    def get(self, digest: str, *, deadline: float = math.inf) -> LoadedVersion:
        """Find a version, and open it if need be.

        Raises:
            DeadlineError: Others were still being opened at the deadline.
            NotReadyError: The version cannot be opened, or could not be a moment ago.
        """
        if hit := self._known(digest):
            return hit
        with self._turn_to_open(deadline):
            if hit := self._known(digest):
                return hit
            loaded = self._open(digest)
            with self._lock:
                self._loaded[digest] = loaded
                while len(self._loaded) > LIMITS.loaded_versions:
                    self._loaded.popitem(last=False)
            return loaded

    def _known(self, digest: str) -> LoadedVersion | None:
        with self._lock:
            if digest in self._loaded:
                self._loaded.move_to_end(digest)
                return self._loaded[digest]
            until, error = self._refused.get(digest, (-math.inf, None))
        if error is not None and self._clock() < until:
            raise NotReadyError(str(error)) from error.__cause__
        return None

    @contextmanager
    def _turn_to_open(self, deadline: float) -> "Iterator[None]":
        left = min(deadline - self._clock(), threading.TIMEOUT_MAX)
        if left <= 0 or not self._opening.acquire(timeout=left):
            raise DeadlineError(f"A version of {self._model} is still being loaded; try again.")
        try:
            yield
        finally:
            self._opening.release()

    def _open(self, digest: str) -> LoadedVersion:
        folder = self._bundles / digest16(digest)
        try:
            form = self._forms.get(digest)
            bundle = verify_bundle(folder, digest=digest, full=self._full, form=form)
            return load_version(bundle, threads=self._threads, replays=None if self._full else 1)
        except (BundleError, ModelError) as reason:
            error = NotReadyError(
                f"{self._model} {digest[:19]}… cannot be loaded; the log says why."
            )
            error.__cause__ = reason
            if folder.exists():  # one that is not here costs nothing to look for again
                self._remember(digest, error)
            raise error from reason

    def _remember(self, digest: str, error: NotReadyError) -> None:
        now = self._clock()
        with self._lock:
            held = {key: kept for key, kept in self._refused.items() if now < kept[0]}
            self._refused = held | {digest: (now + REFUSED_SECONDS, error)}
