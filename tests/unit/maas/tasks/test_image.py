"""Pictures to labels with scores: what is asked, in the order asked, in parts that fit."""

import math
import time
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from support.tiny_image import (
    HEIGHT,
    LABELS,
    WIDTH,
    TinyImage,
    encoded,
    jpeg,
    make_image,
    picture,
    png,
)

import maas.tasks.image
from maas.bundle.golden import TOLERANCE
from maas.bundle.verify import verify_bundle
from maas.engine.session import Session, open_session
from maas.errors import BundleError, DeadlineError, FieldError, ModelOutputError
from maas.limits import LIMITS, Limits
from maas.loading import load_version
from maas.tasks.image import ImageClassifier, ImageRequest, ImageResponse, open_images
from maas.tasks.labels import ScoreFunction

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt


PICTURES = tuple(picture(seed) for seed in range(5))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> TinyImage:
    return make_image(tmp_path_factory.mktemp("bundles"), seed=3)


@pytest.fixture(scope="module")
def classifier(bundle: TinyImage) -> ImageClassifier:
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, ImageClassifier)
    return task


def ask(classifier: ImageClassifier, *images: bytes, **options: Any) -> ImageResponse:  # noqa: ANN401
    return classifier.predict(ImageRequest(images, **options), deadline=time.monotonic() + 5)


def scores(response: ImageResponse, row: int = 0) -> list[float]:
    found = {pair.label: pair.score for pair in response.rows[row]}
    return [found[label] for label in LABELS]


def test_the_answer_is_what_numpy_says(classifier: ImageClassifier, bundle: TinyImage) -> None:
    response = ask(classifier, *map(png, PICTURES), function="none")
    for row, levels in enumerate(PICTURES):
        assert scores(response, row) == pytest.approx(bundle.logits(levels).tolist(), abs=1e-5)
    ((best,),) = ask(classifier, png(PICTURES[0]), top_k=1).rows
    label, score = bundle.best(PICTURES[0])
    assert best.label == label
    assert best.score == pytest.approx(score, abs=2e-6)
    assert (response.tokens, response.truncated) == ((), ())
    assert response.seconds.keys() == {"decode", "run"}


@pytest.mark.parametrize("function", ["softmax", "sigmoid", "none"])
@pytest.mark.parametrize(("top_k", "count"), [(None, 3), (1, 1), (2, 2), (1000, 3)])
def test_labels_come_best_first_and_as_many_as_asked(
    classifier: ImageClassifier, function: ScoreFunction, top_k: int | None, count: int
) -> None:
    (row,) = ask(classifier, png(PICTURES[0]), top_k=top_k, function=function).rows
    assert len(row) == count
    assert [s.score for s in row] == sorted((s.score for s in row), reverse=True)


def test_a_batch_answers_as_its_images_do_alone(classifier: ImageClassifier) -> None:
    images = [*map(png, PICTURES), jpeg(PICTURES[0]), png(np.tile(PICTURES[1], (7, 5, 1)))]
    together = ask(classifier, *images, *reversed(images), function="none")
    for row, image in enumerate([*images, *reversed(images)]):
        alone = ask(classifier, image, function="none")
        assert scores(together, row) == pytest.approx(scores(alone), abs=1e-5)


def test_a_grey_model_looks_at_grey(tmp_path: "Path") -> None:
    bundle = make_image(tmp_path, channels=1)
    task = load_version(verify_bundle(bundle.folder), threads=1).task
    assert isinstance(task, ImageClassifier)
    levels = picture(9, channels=1)
    wanted = pytest.approx(bundle.logits(levels).tolist(), abs=1e-5)
    assert scores(ask(task, png(levels), function="none")) == wanted


@pytest.mark.parametrize(
    ("images", "field", "said"),
    [
        ((), "inputs", "1 to 32 images, got 0"),
        ((png(PICTURES[0]),) * 33, "inputs", "1 to 32 images, got 33"),
        ((b"x",), "inputs", "neither a PNG nor a JPEG"),
        ((png(PICTURES[0]), b""), "inputs[1]", "neither"),
        ((png(PICTURES[0]), png(PICTURES[0])[:50]), "inputs[1]", "cut off"),
        ((png(PICTURES[0]), png(PICTURES[0])[:-20] + b"x" * 20), "inputs[1]", "cut off"),
    ],
)
def test_images_that_are_none_are_refused_by_their_place(
    classifier: ImageClassifier, images: tuple[bytes, ...], field: str, said: str
) -> None:
    with pytest.raises(FieldError, match=said) as refused:
        ask(classifier, *images)
    assert refused.value.field == field


@pytest.mark.parametrize("top_k", [0, -1, LIMITS.labels + 1])
def test_options_out_of_bounds_are_refused(classifier: ImageClassifier, top_k: int) -> None:
    with pytest.raises(FieldError) as refused:
        ask(classifier, png(PICTURES[0]), top_k=top_k)
    assert refused.value.field == "parameters.top_k"


def test_pixels_are_counted_in_all_before_one_is_decoded() -> None:
    limits = Limits(request_pixels=3 * WIDTH * HEIGHT)
    images = [png(PICTURES[0])] * 3
    assert len(open_images(images, field="inputs", limits=limits)) == 3
    with pytest.raises(FieldError, match="pixels in all"):
        open_images([*images, png(PICTURES[0])], field="inputs", limits=limits)


# ---- What the graph is given, and what it may answer --------------------------------------------


class Watched:
    """A session that remembers its shapes, and answers something else while it is told to."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.inputs, self.outputs = session.inputs, session.outputs
        self.shapes: list[tuple[int, ...]] = []
        self.answer: list[Any] | None = None

    def run(self, feeds: Any, *, deadline: float) -> Any:  # noqa: ANN401
        self.shapes.append(feeds["pixels"].shape)
        return self.answer or self._session.run(feeds, deadline=deadline)


def watched(bundle: TinyImage) -> tuple[ImageClassifier, Watched]:
    path = bundle.folder / "portable/model.onnx"
    session = Watched(open_session(path, optimised=False, threads=1))
    return ImageClassifier(bundle.manifest, cast("Session", session)), session


def test_f16_the_model_is_given_a_bounded_number_of_pictures_at_a_time(
    bundle: TinyImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier, session = watched(bundle)
    images = list(map(png, PICTURES))
    whole = ask(classifier, *images)
    monkeypatch.setattr(maas.tasks.image, "RUN_NUMBERS", 2 * 3 * WIDTH * HEIGHT + 1)
    assert ask(classifier, *images).rows == whole.rows
    monkeypatch.setattr(maas.tasks.image, "RUN_NUMBERS", 1)
    assert ask(classifier, *images).rows == whole.rows
    assert [rows for rows, *_ in session.shapes] == [5, 2, 2, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (np.zeros((1, 2)), "one number per label"),
        (np.zeros((2, 3)), "one number per label"),
        (np.full((1, 3), np.nan), "not a finite number"),
        (np.full((1, 3), np.inf), "not a finite number"),
    ],
)
def test_f23_an_answer_of_another_kind_is_the_models_failure(
    bundle: TinyImage,
    answer: "npt.NDArray[np.float64]",
    said: str,
) -> None:
    classifier, session = watched(bundle)
    session.answer = [answer]
    with pytest.raises(ModelOutputError, match=said):
        ask(classifier, png(PICTURES[0]))


def test_the_deadline_holds_while_pictures_are_decoded(classifier: ImageClassifier) -> None:
    with pytest.raises(DeadlineError):
        classifier.predict(ImageRequest((png(PICTURES[0]),)), deadline=time.monotonic())


@pytest.mark.parametrize(
    ("shift", "accepted"), [(TOLERANCE / 2, True), (TOLERANCE * 2, False), (1.0, False)]
)
def test_a_model_that_is_not_the_recorded_one_is_refused(
    tmp_path: "Path", shift: float, *, accepted: bool
) -> None:
    verified = verify_bundle(make_image(tmp_path, golden_shift=shift).folder)
    if accepted:
        assert load_version(verified, threads=1).replay.requests == 2
        return
    with pytest.raises(BundleError, match="not the model that was exported"):
        load_version(verified, threads=1)


def test_f13_a_graph_that_takes_one_picture_alone_is_refused(bundle: TinyImage) -> None:
    classifier, session = watched(bundle)
    session.answer = [np.zeros((1, 3))]
    with pytest.raises(BundleError, match="cannot take two pictures of 3 × 4 × 6"):
        classifier.check_widest(deadline=math.inf)


def test_a_large_picture_is_resized_before_it_is_run(
    classifier: ImageClassifier, bundle: TinyImage
) -> None:
    from PIL import Image

    flat = Image.new("RGB", (600, 400), (10, 200, 30))
    levels = np.full((HEIGHT, WIDTH, 3), (10, 200, 30), dtype=np.uint8)
    wanted = pytest.approx(bundle.logits(levels).tolist(), abs=1e-4)
    assert scores(ask(classifier, encoded(flat), function="none")) == wanted
