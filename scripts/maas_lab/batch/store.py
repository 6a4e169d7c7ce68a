"""RunStore: a run in the bucket. What it holds is whole at every moment, whatever is killed.

Imports the lab. Files lie under the digest of their content, and one small manifest says which of
them are the run. It is written after them, in one step, on condition that nobody else wrote it:

    store = RunStore(bucket, "sentiment-s1-3f2a9c01d4e5f607")
    store.put(run)                       # what is new goes up, then the manifest, then old ones go
    manifest = store.read()              # None where the job has stored nothing yet
    store.get(manifest, folder)          # what is there already and equal, stays

    runs/<job>/manifest.json
    runs/<job>/files/<sha256>
"""

import time
from typing import TYPE_CHECKING

from maas.errors import ConflictError
from maas_lab.batch.manifest import RunManifest, StoredFile, decode_manifest
from maas_lab.batch.transfers import digest_of, fetch_file, holds

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from maas_lab.batch.bucket import Bucket
    from maas_lab.runs import Run

RUNS = "runs"
"""The prefix that the job's role may write to."""


class RunStore:
    """The run of one job.

    Args:
        bucket: Where it is kept.
        job: The job's name.
        sleep: Waits so many seconds between two tries.
    """

    def __init__(
        self, bucket: "Bucket", job: str, *, sleep: "Callable[[float], None]" = time.sleep
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{RUNS}/{job}/"
        self._sleep = sleep
        self._manifest: RunManifest | None = None
        self._etag: str | None = None
        self._digests: dict[Path, tuple[tuple[int, int], str]] = {}

    def read(self) -> RunManifest | None:
        """What the bucket holds; None where the job has stored nothing yet.

        Raises:
            RefusedError: The manifest is not one of this version of the software.
        """
        found = self._bucket.find(self._manifest_key)
        if found is None:
            self._manifest, self._etag = None, None
        else:
            data = b"".join(self._bucket.read(self._manifest_key))
            self._manifest, self._etag = decode_manifest(data), found.etag
        return self._manifest

    def put(self, run: "Run") -> RunManifest:
        """Store a run as it is on this machine; nobody changes it meanwhile.

        Only what differs from what this store last read or wrote goes up. What is no longer part of
        the run, such as an old checkpoint, is deleted.

        Raises:
            ConflictError: Another job stores this run, too; the manifest is still its.
            TryAgainError: S3 is away; the manifest is still the former one.
        """
        manifest = self._describe(run)
        if manifest == self._manifest:
            return manifest
        known = {file.sha256 for file in self._manifest.files} if self._manifest else set()
        for file in manifest.files:
            if file.sha256 not in known:
                self._bucket.upload(self._key(file.sha256), run.folder / file.path)
                known.add(file.sha256)
        self._write(manifest)
        kept = {self._key(file.sha256) for file in manifest.files}
        for stored in list(self._bucket.list(self._key(""))):
            if stored.key not in kept:
                self._bucket.delete(stored.key)
        return manifest

    def get(
        self,
        manifest: RunManifest,
        folder: "Path",
        *,
        advance: "Callable[[int], None]" = lambda _: None,
    ) -> None:
        """Fetch all files of a run; what is in the folder already and equal, stays.

        Args:
            manifest: What to fetch.
            folder: Where to.
            advance: Told the bytes that are there; a negative number takes some back.

        Raises:
            WrongContentError: A file is not what was stored, three times.
            TryAgainError: A file did not come as a whole, three times.
        """
        for file in manifest.files:
            target = folder / file.path
            if holds(target, file):
                advance(file.size)
            else:
                key = self._key(file.sha256)
                fetch_file(self._bucket, key, file, target, sleep=self._sleep, advance=advance)

    @property
    def _manifest_key(self) -> str:
        return f"{self._prefix}manifest.json"

    def _key(self, sha256: str) -> str:
        return f"{self._prefix}files/{sha256}"

    def _write(self, manifest: RunManifest) -> None:
        try:
            self._etag = self._bucket.replace(
                self._manifest_key, manifest.encode(), former=self._etag
            )
        except ConflictError:
            # It may be our own, of a try whose answer was lost.
            if self.read() != manifest:
                raise ConflictError(
                    f"Another job stores the run {manifest.run}, too. Wait until it has ended."
                ) from None
        self._manifest = manifest

    def _describe(self, run: "Run") -> RunManifest:
        files = []
        for path in sorted(run.folder.rglob("*")):
            parts = path.relative_to(run.folder).parts
            if path.is_file() and not any(part.startswith(".") for part in parts):
                size, sha256 = path.stat().st_size, self._digest(path)
                files.append(StoredFile(path="/".join(parts), size=size, sha256=sha256))
        return RunManifest(run=run.name, finished=run.finished, files=tuple(files))

    def _digest(self, path: "Path") -> str:
        """A file's digest, computed anew when its size or time has changed."""
        state = path.stat()
        seen = (state.st_size, state.st_mtime_ns)
        if self._digests.get(path, ((), ""))[0] != seen:
            self._digests[path] = (seen, digest_of(path))
        return self._digests[path][1]
