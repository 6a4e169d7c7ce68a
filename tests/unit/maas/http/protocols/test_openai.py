"""What OpenAI's protocol has of its own: a model that the body names, and errors as objects."""

import json

import pytest

from maas.errors import (
    AmbiguousDigestError,
    DeadlineError,
    FieldError,
    MaasError,
    ModelError,
    ModelNotFoundError,
    NotReadyError,
    OverloadedError,
    SettingsError,
)
from maas.http.protocols.openai import version_in
from maas.http.protocols.openai_errors import encode_openai_error, retry_headers


@pytest.mark.parametrize(
    ("named", "pin"),
    [
        ("sentiment", None),
        ("sentiment@2", "2"),
        ("sentiment@production", "production"),
        ("sentiment@sha256:0123456789ab", "sha256:0123456789ab"),
        ("sentiment@", ""),  # refused as a version is, with what one may be
        ("sentiment@a@b", "a@b"),
    ],
)
def test_a_body_names_the_model_and_perhaps_a_version(named: str, pin: str | None) -> None:
    assert version_in(named, model="sentiment") == pin


@pytest.mark.parametrize("named", ["", "gpt-4o", "Sentiment", "sentiment ", "@2", "gpt-4o@2"])
def test_another_model_is_not_found_and_the_error_says_what_to_send(named: str) -> None:
    with pytest.raises(ModelNotFoundError, match=r"sentiment@2 or sentiment@production") as raised:
        version_in(named, model="sentiment")
    assert raised.value.field == "model"
    assert "gpt" not in str(raised.value)


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (FieldError("must be 1", field="dimensions"), "invalid_request_error", "false"),
        (ModelNotFoundError("No such model."), "invalid_request_error", "false"),
        (AmbiguousDigestError("Give more of it."), "invalid_request_error", "false"),
        (OverloadedError("Too many."), "rate_limit_error", "true"),
        (NotReadyError("Not now."), "server_error", "true"),
        (DeadlineError("Too late."), "server_error", "true"),
        (ModelError("It failed."), "server_error", "false"),
        (MaasError("It failed."), "server_error", "false"),
    ],
)
def test_an_error_says_whose_fault_it_is_and_whether_to_try_again(
    error: MaasError, kind: str, again: str
) -> None:
    assert json.loads(encode_openai_error(error)) == {
        "error": {
            "message": error.described(),
            "type": kind,
            "param": error.field,
            "code": error.code,
        }
    }
    assert retry_headers(error) == {"x-should-retry": again}


def test_what_only_an_operator_could_mend_is_told_to_no_caller() -> None:
    error = SettingsError("MAAS_MODEL must be a name.", field="MAAS_MODEL")
    assert b"MAAS_" not in encode_openai_error(error)
