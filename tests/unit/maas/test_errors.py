"""The error tree: stable codes, and one way to say which field is at fault."""

from collections import Counter

import pytest

from maas import errors
from maas.errors import FieldError, MaasError, OverloadedError, SettingsError


def tree(root: type[MaasError] = MaasError) -> list[type[MaasError]]:
    return [root, *(each for child in root.__subclasses__() for each in tree(child))]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MaasError("Something failed."), "Something failed."),
        (FieldError("must be 1", field="parameters.top_k"), "parameters.top_k: must be 1"),
        (FieldError("version occurs twice.", field="version"), "version occurs twice."),
        (FieldError("versions differ", field="version"), "version: versions differ"),
        (
            SettingsError("MAAS_THREADS must be 1.", field="MAAS_THREADS"),
            "MAAS_THREADS must be 1.",
        ),
        (FieldError("inputs[1] is empty", field="inputs[1]"), "inputs[1] is empty"),
        (FieldError("is empty", field=""), "is empty"),
    ],
)
def test_the_field_at_fault_is_named_once(error: MaasError, text: str) -> None:
    assert error.described() == text


def test_every_class_has_a_code_of_its_own() -> None:
    ours = {each for each in tree() if each.__module__ == errors.__name__}
    counts = Counter(each.code for each in ours)
    assert len(ours) > 20
    # A parent that is only a name for its children may share its code with none of them
    assert [code for code, count in counts.items() if count > 1] == []


def test_an_overload_asks_to_try_again_soon() -> None:
    error = OverloadedError("Too many.")
    assert (error.code, error.status, error.exit_code, error.retry_after) == (
        "overloaded",
        429,
        5,
        1,
    )
