"""A key in AWS KMS: asked once what it is, sent hashes alone, refused where it does not fit."""

import hashlib
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from support.signing import KEY, OTHER, WIDE

from maas.bundle.ecdsa import PublicKey
from maas.errors import FieldError, RefusedError
from maas_lab.signing.keys import FileKey
from maas_lab.signing.kms import KmsKey, open_kms_key

ARN = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-1111-2222-333344445555"


class Stubbed:
    """A client of KMS that answers what was put in, to what was expected."""

    def __init__(self) -> None:
        self.client: Any = boto3.client(
            "kms", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        self.stub = Stubber(self.client)
        self.stub.activate()

    def has(self, key: PublicKey, kind: str, usage: str = "SIGN_VERIFY") -> None:
        answer = {"KeyId": ARN, "PublicKey": key.der, "KeySpec": kind, "KeyUsage": usage}
        self.stub.add_response("get_public_key", answer, {"KeyId": ARN})


@pytest.fixture
def kms() -> Stubbed:
    return Stubbed()


@pytest.mark.parametrize(
    ("private", "kind", "algorithm", "hashing"),
    [
        (KEY, "ECC_NIST_P256", "ECDSA_SHA_256", "sha256"),
        (WIDE, "ECC_NIST_P384", "ECDSA_SHA_384", "sha384"),
    ],
    ids=["P-256", "P-384"],
)
def test_it_is_sent_the_hash_that_goes_with_its_curve(
    kms: Stubbed, private: FileKey, kind: str, algorithm: str, hashing: str
) -> None:
    kms.has(private.public, kind)
    kms.stub.add_response(
        "sign",
        {"KeyId": ARN, "Signature": private.sign(b"data"), "SigningAlgorithm": algorithm},
        {
            "KeyId": ARN,
            "Message": hashlib.new(hashing, b"data").digest(),
            "MessageType": "DIGEST",
            "SigningAlgorithm": algorithm,
        },
    )
    key = KmsKey(kms.client, ARN)
    assert key.public == private.public
    assert key.public.verifies(key.sign(b"data"), b"data")
    kms.stub.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("kind", "usage"),
    [
        ("ECC_SECG_P256K1", "SIGN_VERIFY"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("ECC_NIST_P256", "KEY_AGREEMENT"),
    ],
)
def test_a_key_of_another_kind_is_refused_by_name(kms: Stubbed, kind: str, usage: str) -> None:
    kms.has(OTHER.public, kind, usage)
    with pytest.raises(RefusedError, match=f"{kind} for {usage}.*ECC_NIST_P256"):
        KmsKey(kms.client, ARN)


@pytest.mark.parametrize("call", ["GetPublicKey", "Sign"])
def test_what_aws_does_not_allow_is_said(kms: Stubbed, call: str) -> None:
    if call == "Sign":
        kms.has(KEY.public, "ECC_NIST_P256")
    name = {"GetPublicKey": "get_public_key", "Sign": "sign"}[call]
    kms.stub.add_client_error(name, "AccessDeniedException", "not you")
    with pytest.raises(RefusedError, match=f"kms:{call}: not you"):
        KmsKey(kms.client, ARN).sign(b"data")


@pytest.mark.parametrize(
    "arn",
    ["", "alias/signing", ARN.replace("kms", "s3"), ARN + " ", "arn:aws:kms:::key/x", "k.pem"],
)
def test_what_is_no_arn_is_refused_before_aws_is_asked(arn: str) -> None:
    with pytest.raises(FieldError, match=r"ARN.*alias/signing"):
        open_kms_key(arn)
