"""A model that looks at pictures, asked by tensors: by `image`, a file, or by its pixels.

May import `maas.errors`, `maas.tasks` and numpy.

    tensors = ImageTensors(manifest, classifier)
    tensors.infer({"image": strings([data], (1,))}, deadline=deadline).outputs["logits"]
"""

import time
from typing import TYPE_CHECKING

import numpy as np

from maas.errors import FieldError
from maas.limits import LIMITS
from maas.registry.records import TensorSpec
from maas.tasks.task import Counts
from maas.tasks.tensors import STRING, TensorResponse, check_feeds, sent_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from maas.bundle.manifest import Manifest
    from maas.tasks.image import Floats, ImageClassifier
    from maas.tasks.tensors import Array

IMAGE = TensorSpec("image", STRING, ("batch",))
"""The input that stands for the graph's: a PNG or JPEG; also sent as `[batch, 1]`."""


class ImageTensors:
    """An image classifier. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", classifier: "ImageClassifier") -> None:
        self.inputs = (IMAGE, *manifest.inputs)
        self.outputs = manifest.outputs
        self._graph = manifest.inputs
        self._classifier = classifier

    def infer(self, feeds: "Mapping[str, Array]", *, deadline: float) -> TensorResponse:
        """Answer files, or pixels, with one number per label each.

        Raises:
            FieldError: A tensor or a file is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        seconds = {"decode": 0.0, "run": 0.0}
        if IMAGE.name in feeds:
            logits = self._classifier.logits(
                sent_files(feeds, IMAGE, instead_of="the pixels"),
                field=IMAGE.name,
                seconds=seconds,
                deadline=deadline,
            )
        else:
            pixels = self._checked(feeds)
            started = time.perf_counter()
            logits = self._classifier.run(pixels, deadline=deadline)
            seconds["run"] = time.perf_counter() - started
        return TensorResponse(
            outputs={self.outputs[0].name: logits},
            seconds=seconds,
            counts=Counts(images=len(logits)),
        )

    def _checked(self, feeds: "Mapping[str, Array]") -> "Floats":
        check_feeds(self._graph, feeds)
        pixels = np.asarray(feeds[self._graph[0].name], dtype=np.float32)
        if not 1 <= len(pixels) <= LIMITS.images:
            raise FieldError(f"must be 1 to {LIMITS.images} pictures", field=self._graph[0].name)
        if not np.isfinite(pixels).all():
            raise FieldError("must be finite numbers", field=self._graph[0].name)
        return pixels
