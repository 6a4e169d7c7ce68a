"""The outcome of an import. Imports the types of `maas` and the lab.

imported.made.bundle.digest, imported.fitted.states
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maas_lab.bundle_files import MadeBundle
    from maas_lab.importing.exported import Exported
    from maas_lab.importing.fitted import Fitted
    from maas_lab.importing.forms import Outcome
    from maas_lab.importing.reading import Foreign


@dataclass(frozen=True, slots=True)
class Imported:
    """A bundle of a foreign model.

    Attributes:
        made: The bundle.
        foreign: The graph as it was read.
        fitted: What its task made of it.
        optimised: What became of the optimised form.
        exported: What was read, and how like torch it is, if it was made by it.
    """

    made: "MadeBundle"
    foreign: "Foreign"
    fitted: "Fitted"
    optimised: "Outcome"
    exported: "Exported"
