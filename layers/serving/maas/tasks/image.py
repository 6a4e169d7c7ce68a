"""Image classification: pictures to labels with scores.

May import `maas.bundle`, `maas.engine`, `maas.vision`, `maas.tasks`, `maas.errors` and numpy.

    classifier = ImageClassifier(manifest, session)
    answer = classifier.predict(ImageRequest(images=(data,)), deadline=deadline)
    answer.rows[0][0]                     # LabelScore(label="cat", score=0.94)
"""

import base64
import binascii
import time
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from maas.errors import (
    BundleError,
    DeadlineError,
    FieldError,
    ModelError,
    ModelOutputError,
)
from maas.limits import LIMITS, Limits
from maas.tasks.answers import Answer, place_of
from maas.tasks.image_tensors import ImageTensors
from maas.tasks.labels import LabelScore, ScoreFunction, check_top_k, ranked
from maas.tasks.nodes import check_nodes
from maas.tasks.task import Counts
from maas.vision.files import PictureFile, read_file
from maas.vision.pictures import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from maas.bundle.golden import Golden
    from maas.bundle.manifest import ImageInput, Manifest
    from maas.engine.session import Session

    Floats = npt.NDArray[np.float32]

RUN_NUMBERS = 2**20
"""Numbers of the pictures that the model is given at a time: layers hold many times as many."""


class ImageRequest(Struct, frozen=True):
    """Images to classify.

    Attributes:
        images: 1 to 32 files, each a PNG or a JPEG.
        top_k: Labels to answer per image, best first; all when None.
        function: What turns logits into scores.
        alone: Whether one image was asked about by itself, not in a list.
    """

    images: tuple[bytes, ...]
    top_k: int | None = None
    function: ScoreFunction = "softmax"
    alone: bool = False

    @property
    def counts(self) -> Counts:
        """How many images."""
        return Counts(images=len(self.images))


class ImageResponse(Answer, frozen=True):
    """One row per image, in the request's order.

    Attributes:
        rows: Per image, labels with scores, best first.
        alone: As in the request.
    """

    rows: tuple[tuple[LabelScore, ...], ...]
    alone: bool = False


class ImageClassifier:
    """A loaded image classifier. Safe to share between threads."""

    def __init__(self, manifest: "Manifest", session: "Session") -> None:
        """Bring the two together.

        Raises:
            BundleError: The graph is not the one that the manifest describes.
        """
        check_nodes(manifest, session)
        if manifest.image is None:
            raise BundleError("must be given for a model that looks at pictures", field="image")
        self._image: ImageInput = manifest.image
        self._labels = manifest.labels
        self._session = session
        self.tensors = ImageTensors(manifest, self)

    def predict(self, request: ImageRequest, *, deadline: float) -> ImageResponse:
        """Classify images.

        Args:
            request: What was asked.
            deadline: Seconds on `time.monotonic`'s clock.

        Raises:
            FieldError: An image or an option is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        check_top_k(request.top_k)
        seconds = {"decode": 0.0, "run": 0.0}
        logits = self.logits(request.images, field="inputs", seconds=seconds, deadline=deadline)
        return ImageResponse(
            rows=ranked(logits, self._labels, top_k=request.top_k, function=request.function),
            seconds=seconds,
            alone=request.alone,
        )

    def replay(self, golden: "Golden", *, deadline: float) -> float:
        """Ask what was asked at export; answers with the largest difference of a logit.

        Raises:
            BundleError: An image is not one.
        """
        try:
            images = [base64.b64decode(image, validate=True) for image in golden.images]
            seconds = {"decode": 0.0, "run": 0.0}
            logits = self.logits(images, field="images", seconds=seconds, deadline=deadline)
        except (binascii.Error, ValueError, FieldError):
            raise BundleError("An image of a golden request cannot be read.") from None
        return float(np.abs(logits - np.asarray(golden.logits)).max())

    def check_widest(self, *, deadline: float) -> None:
        """Run two images, for all are of one size.

        Raises:
            BundleError: The graph cannot take what the manifest allows.
        """
        image = self._image
        pixels = np.ones((2, image.channels, image.height, image.width), dtype=np.float32)
        try:
            self._run_once(pixels, deadline)
        except ModelError:
            raise BundleError(
                f"The graph cannot take two pictures of {image.channels} × {image.height} ×"
                f" {image.width}, which the manifest allows."
            ) from None

    def logits(
        self,
        images: "Sequence[bytes]",
        *,
        field: str,
        seconds: dict[str, float],
        deadline: float,
    ) -> "Floats":
        """Decode and run as many at a time as fit into memory.

        Args:
            images: Files.
            field: The request field that they came from, for the message.
            seconds: Time by stage, to which `decode` and `run` are added.
            deadline: Seconds on `time.monotonic`'s clock.

        Returns:
            float32 `[images, labels]`, finite.

        Raises:
            FieldError: An image is not acceptable.
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        files = open_images(images, field=field)
        parts = []
        for first in range(0, len(files), self._step):
            started = time.perf_counter()
            pixels = np.stack(
                [
                    self._decoded(file, place_of(field, first + at, len(files)), deadline)
                    for at, file in enumerate(files[first : first + self._step])
                ]
            )
            decoded = time.perf_counter()
            parts.append(self._run_once(pixels, deadline))
            seconds["decode"] += decoded - started
            seconds["run"] += time.perf_counter() - decoded
        return _finite(parts)

    def run(self, pixels: "Floats", *, deadline: float) -> "Floats":
        """Run pictures that are pixels already, as many at a time as fit into memory.

        Args:
            pixels: float32 `[images, channels, height, width]`, 0 to 1 as files are decoded.
            deadline: Seconds on `time.monotonic`'s clock.

        Returns:
            float32 `[images, labels]`, finite.

        Raises:
            ModelError: The model failed.
            DeadlineError: The deadline came first.
        """
        return _finite(
            [
                self._run_once(pixels[first : first + self._step], deadline)
                for first in range(0, len(pixels), self._step)
            ]
        )

    @property
    def _step(self) -> int:
        """Pictures that the model is given at a time."""
        image = self._image
        return max(1, RUN_NUMBERS // (image.channels * image.height * image.width))

    def _decoded(self, file: PictureFile, field: str, deadline: float) -> "Floats":
        if time.monotonic() >= deadline:
            raise DeadlineError("The images were not decoded before the deadline.")
        return decode(file, self._image, field=field)

    def _run_once(self, pixels: "Floats", deadline: float) -> "Floats":
        outputs = self._session.run({"pixels": pixels}, deadline=deadline)
        logits = np.asarray(outputs[0], dtype=np.float32)
        if logits.shape != (len(pixels), len(self._labels)):
            raise ModelOutputError("The model's answer does not have one number per label.")
        return logits


def _finite(parts: "list[Floats]") -> "Floats":
    logits = np.concatenate(parts)
    if not np.isfinite(logits).all():
        raise ModelOutputError("The model's answer is not a finite number.")
    return logits


def open_images(
    images: "Sequence[bytes]", *, field: str, limits: Limits = LIMITS
) -> list[PictureFile]:
    """Tell what files hold, before a pixel of any is decoded.

    Args:
        images: The files of one request.
        field: The request field that they came from, for the message.
        limits: Count and pixels.

    Raises:
        FieldError: They are too many or too large, or one is not a picture.
    """
    if not 1 <= len(images) <= limits.images:
        raise FieldError(f"must be 1 to {limits.images} images, got {len(images)}", field=field)
    files = [
        read_file(data, field=place_of(field, at, len(images)), limits=limits)
        for at, data in enumerate(images)
    ]
    if sum(file.pixels for file in files) > limits.request_pixels:
        raise FieldError(f"must have at most {limits.request_pixels} pixels in all", field=field)
    return files
