"""Keys in AWS KMS: they sign there, and never leave it.

Imports boto3, `maas` and the lab.

    key = open_kms_key("arn:aws:kms:eu-central-1:123456789012:key/…")
    key.sign(data)                       # sends a hash, no data
"""

import hashlib
import re
from typing import TYPE_CHECKING, Literal

import boto3

from maas.bundle.ecdsa import P256, P384, PublicKey, parse_der
from maas.errors import FieldError, RefusedError
from maas_lab.aws import TRIES, client_config
from maas_lab.stack.aws_errors import our_errors

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_ARN = re.compile(r"arn:aws[a-z-]*:kms:([a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
_SPECS = ("ECC_NIST_P256", "ECC_NIST_P384")
_ALGORITHMS: dict[str, Literal["ECDSA_SHA_256", "ECDSA_SHA_384"]] = {
    P256.name: "ECDSA_SHA_256",
    P384.name: "ECDSA_SHA_384",
}


class KmsKey:
    """A key in AWS KMS.

    Args:
        client: boto3's.
        arn: The key's, or an alias's.

    Raises:
        RefusedError: It is not a key to sign with, or on another curve than P-256 and P-384.
    """

    def __init__(self, client: "KMSClient", arn: str) -> None:
        self._client = client
        self._arn = arn
        with our_errors("kms:GetPublicKey"):
            answer = client.get_public_key(KeyId=arn)
        if answer["KeyUsage"] != "SIGN_VERIFY" or answer["KeySpec"] not in _SPECS:
            raise RefusedError(
                f"{arn} is a key of {answer['KeySpec']} for {answer['KeyUsage']}; a bundle is"
                f" signed with one of {' or '.join(_SPECS)} for SIGN_VERIFY."
            )
        self._public = parse_der(answer["PublicKey"])

    @property
    def public(self) -> PublicKey:
        """What its signatures are checked with."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Let AWS sign the hash of data."""
        curve = self._public.curve
        with our_errors("kms:Sign"):
            answer = self._client.sign(
                KeyId=self._arn,
                Message=hashlib.new(curve.digest, data).digest(),
                MessageType="DIGEST",
                SigningAlgorithm=_ALGORITHMS[curve.name],
            )
        return answer["Signature"]


def open_kms_key(arn: str) -> KmsKey:
    """Ask AWS for a key.

    Raises:
        FieldError: It is not the ARN of a key or an alias.
        RefusedError: The key is not one to sign with, or not for whoever runs this.
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise FieldError(
            "must be a key's ARN, such as arn:aws:kms:eu-central-1:123456789012:alias/signing",
            field="kms",
        )
    with our_errors("the credentials"):
        client = boto3.Session(region_name=found[1]).client("kms", config=client_config(TRIES))
    return KmsKey(client, arn)
