"""What tasks have in common that read windows of texts.

May import `maas.tasks`, and what its graph and tensors import.

    class TokenClassifier(WindowTask): ...
"""

from typing import TYPE_CHECKING, ClassVar

from maas.tasks.window_rows import WindowRows
from maas.tasks.window_tensors import WindowTensors

if TYPE_CHECKING:
    from maas.bundle.manifest import Manifest
    from maas.engine.session import Session
    from maas.text.windows import WindowTokenizer


class WindowTask:
    """A loaded model that reads windows. Safe to share between threads."""

    _cuts_first: ClassVar[bool] = True
    """Whether, by tensors, the end of a pair's first text is cut off, not that of its second."""

    def __init__(
        self, manifest: "Manifest", tokenizer: "WindowTokenizer", session: "Session"
    ) -> None:
        """Bring the three together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        self._rows = WindowRows(manifest, tokenizer, session)
        self._tokenizer = tokenizer
        self._labels = manifest.labels
        self.tensors = WindowTensors(manifest, self._rows, first=self._cuts_first)

    def check_widest(self, *, deadline: float) -> None:
        """Run the largest texts there can be.

        Raises:
            BundleError: The graph cannot take what the manifest and the tokenizer allow.
        """
        self._rows.check_widest(deadline=deadline)
