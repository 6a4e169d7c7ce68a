"""What checking a bundle takes: hashing every byte, and replaying all golden requests.

Arguments: the time of its start, how often, the bundle's folder, its digest, the form that lies
there. Prints one JSON object; both are measured with the files in the page cache.
"""

import json
import sys
import time
from pathlib import Path

from maas.bundle.verify import verify_bundle
from maas.loading import load_version


def main() -> None:
    """Measure and report."""
    started, count, folder, digest, form = sys.argv[1:6]
    hashing, replaying = [], []
    for _ in range(max(1, int(count))):
        before = time.perf_counter()
        bundle = verify_bundle(Path(folder), digest=digest, form=form)
        hashing.append(time.perf_counter() - before)
        replaying.append(load_version(bundle, threads=1).replay.seconds)
    now = time.monotonic() - float(started)
    figures = {"cold": now, "ready": now, "hashing": hashing, "replaying": replaying}
    sys.stdout.write(json.dumps(figures) + "\n")


main()
