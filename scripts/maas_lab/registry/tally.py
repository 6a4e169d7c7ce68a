"""What an export held, counted while it is written.

Imports the registry's layout and the copies.

    tally = Tally()
    write_file(path, export_lines(store, [], tally=tally))
    tally.models, tally.versions, tally.events
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from maas.registry.layout import EVENT_PREFIX, VERSION_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from maas_lab.registry.copies import ModelCopy


@dataclass(slots=True)
class Tally:
    """Counts that grow.

    Attributes:
        models: Their names.
        versions: Of all models.
        events: Changes of all models.
    """

    models: list[str] = field(default_factory=list)
    versions: int = 0
    events: int = 0

    def counted(self, copies: "Iterable[ModelCopy]") -> "Iterator[ModelCopy]":
        """The same copies, each counted as it passes."""
        for copy in copies:
            self.models.append(copy.name)
            self.versions += sum(item.key.sk.startswith(VERSION_PREFIX) for item in copy.items)
            self.events += sum(item.key.sk.startswith(EVENT_PREFIX) for item in copy.items)
            yield copy
