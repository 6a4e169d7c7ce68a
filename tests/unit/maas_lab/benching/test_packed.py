"""What is measured is what a function has: one form, a baked policy, a registry that answers."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from support.function import TABLE, function_environ
from support.tiny import MAX_TOKENS, TinyBundle, make_bundle
from support.tiny_image import make_image

from maas.assembly import build_services
from maas.bundle.verify import verify_bundle
from maas.errors import RefusedError
from maas.loading import optimised_form
from maas.registry.policy_read import PolicyReader
from maas.settings import Settings
from maas_lab.benching.packed import pack_version, policy_of, registry_stand_in
from maas_lab.benching.texts import BATCH, measured_texts

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundle(tmp_path: "Path") -> TinyBundle:
    return make_bundle(tmp_path / "bundles")


def test_a_packed_version_answers_by_what_the_stand_in_says(
    bundle: TinyBundle, tmp_path: "Path"
) -> None:
    verified = verify_bundle(bundle.folder)
    models = pack_version(verified, 3, form=optimised_form(), folder=tmp_path / "models")
    with registry_stand_in(policy_of(verified, 3)) as address:
        settings = Settings.parse(function_environ(models, endpoint=address))
        reader = PolicyReader(TABLE, settings.aws, now=lambda: datetime.now(UTC))
        assert reader.policy("sentiment") == policy_of(verified, 3)
        turn = build_services(settings, full=False)("sentiment").turn(None)
        reader.renew()
    assert (turn.version, turn.policy, turn.loaded.form) == (3, "live", optimised_form())
    assert not (models / "sentiment" / bundle.folder.name / "portable").exists()


def test_texts_are_of_the_models_own_kind_and_of_every_length(bundle: TinyBundle) -> None:
    texts = measured_texts(verify_bundle(bundle.folder))
    assert len(texts.one) == 1
    assert texts.batch == texts.one * BATCH
    lengths = [len(text.split()) for text in texts.mixed]
    assert (min(lengths), max(lengths), len(lengths)) == (5, MAX_TOKENS, BATCH)
    assert lengths != sorted(lengths)
    assert measured_texts(verify_bundle(bundle.folder)) == texts


def test_a_model_that_reads_no_texts_is_refused(tmp_path: "Path") -> None:
    pictures = make_image(tmp_path, seed=1)
    with pytest.raises(RefusedError, match="image-classification"):
        measured_texts(verify_bundle(pictures.folder))
