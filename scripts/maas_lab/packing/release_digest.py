"""One digest over everything that must publish a new function version.

Imports the standard library and `packing.project`. SAM publishes no version when only a layer or a
parameter that is referred to has changed; template.yaml gives each function this digest as
`AutoPublishCodeSha256: !Ref ServedSets`:

    release_digest(project, served={"sentiment": served_json}, overrides={"Memory": "1769"})

Names and contents count; modes, times, hidden files and what Python or a build leaves do not.
"""

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from maas_lab.packing.project import Project

SERVED_SETS = "ServedSets"
"""The parameter that holds the digest."""
_SKIPPED = ("__pycache__", "architecture")  # the architecture is among the overrides


def release_digest(
    project: "Project", *, served: "Mapping[str, bytes]", overrides: "Mapping[str, str]"
) -> str:
    """Compute the digest.

    Args:
        project: Where the code lies.
        served: served.json by model, which names the digest and the form of every version; behind
            it the versions' signatures where they are required.
        overrides: The template's parameters; the digest itself is left out.

    Returns:
        64 hex characters.
    """
    said = {
        "files": {
            path.relative_to(project.root).as_posix(): _sha256(path) for path in _files(project)
        },
        "overrides": {
            name: value for name, value in overrides.items() if name != SERVED_SETS and value
        },
        "served": {model: hashlib.sha256(data).hexdigest() for model, data in served.items()},
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _files(project: "Project") -> "Iterator[Path]":
    yield project.template
    for folder in (project.functions, project.serving, project.runtime):
        for path in folder.rglob("*"):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith(".") or part in _SKIPPED for part in parts)
            if path.is_file() and not hidden and path.suffix != ".pyc":
                yield path


def _sha256(path: "Path") -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
