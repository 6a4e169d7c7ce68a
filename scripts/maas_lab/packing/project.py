"""Where the parts of a SAM application lie that packaging and deploying read and write.

Imports `maas.errors`.

    project = open_project(Path())       # RefusedError where there is no template.yaml
    project.models / "sentiment"         # layers/models/sentiment
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas.errors import RefusedError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with template.yaml and samconfig.toml.

    Attributes:
        root: The folder, absolute.
    """

    root: "Path"

    @property
    def template(self) -> "Path":
        """The application."""
        return self.root / "template.yaml"

    @property
    def samconfig(self) -> "Path":
        """What SAM is told besides; the parameters live there."""
        return self.root / "samconfig.toml"

    @property
    def functions(self) -> "Path":
        """The entries of the functions."""
        return self.root / "functions"

    @property
    def serving(self) -> "Path":
        """The layer that holds the library."""
        return self.root / "layers" / "serving"

    @property
    def runtime(self) -> "Path":
        """The layer that holds what others wrote."""
        return self.root / "layers" / "runtime"

    @property
    def models(self) -> "Path":
        """One folder per model: generated, ignored by git."""
        return self.root / "layers" / "models"

    @property
    def build(self) -> "Path":
        """What `sam build` made last."""
        return self.root / ".aws-sam" / "build"


def open_project(folder: "Path") -> Project:
    """Look for a project in a folder.

    Raises:
        RefusedError: template.yaml or samconfig.toml is not there.
    """
    project = Project(folder.absolute())
    for file in (project.template, project.samconfig):
        if not file.is_file():
            raise RefusedError(
                f"There is no {file.name} in {project.root}. Run this in the project's folder, or"
                f" name it with --project; git checkout {file.name} brings back a lost one."
            )
    return project
