"""A bucket of S3: whole objects by their keys, and a write that only the first one wins.

Imports the lab; its client comes from `maas_lab.batch.aws`.

    bucket = open_bucket("maas-training-jobs-1x2y3z", "eu-central-1")
    bucket.upload("code/3f2a….tar.gz", path)
    bucket.find("runs/sentiment-s1-3f2a/manifest.json")      # None where there is none
    for chunk in bucket.read("runs/…"): ...

Whether an object is there is asked by listing: a role that may list some prefixes only is told
"access denied", not "not found", when it reads an object that is not there.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maas_lab.files import CHUNK_BYTES
from maas_lab.stack.aws_errors import our_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from mypy_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object as a list shows it.

    Attributes:
        key: Its name.
        size: Bytes.
        etag: Changes with its content; what a conditional write compares.
        modified: When it was written.
    """

    key: str
    size: int
    etag: str
    modified: "datetime"


class Bucket:
    """One bucket.

    Every method raises `SettingsError` for credentials that AWS does not take, `RefusedError` for
    what it does not allow, `NotFoundError` where the bucket or the object is not there, and
    `TryAgainError` where S3 does not answer, is too busy, or ends in the middle of an object.

    Args:
        client: boto3's.
        name: The bucket's name.
    """

    def __init__(self, client: "S3Client", name: str) -> None:
        self._client = client
        self.name = name

    def find(self, key: str) -> StoredObject | None:
        """Look for one object."""
        return next((found for found in self.list(key) if found.key == key), None)

    def list(self, prefix: str) -> "Iterator[StoredObject]":
        """All objects whose keys begin so, by key."""
        with our_errors("s3:ListBucket"):
            pages = self._client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.name, Prefix=prefix):
                for entry in page.get("Contents", ()):
                    yield StoredObject(
                        entry["Key"], entry["Size"], entry["ETag"], entry["LastModified"]
                    )

    def read(self, key: str) -> "Iterator[bytes]":
        """An object's content, chunk by chunk; S3's own checksum is compared at its end."""
        with our_errors("s3:GetObject"):
            body = self._client.get_object(Bucket=self.name, Key=key)["Body"]
            try:
                while chunk := body.read(CHUNK_BYTES):
                    yield chunk
            finally:
                body.close()

    def upload(
        self, key: str, file: "Path", *, advance: "Callable[[int], None]" = lambda _: None
    ) -> None:
        """Write a file's content, in several parts where it is large.

        Args:
            key: The object's name.
            file: What to read.
            advance: Told the bytes that went out.
        """
        with our_errors("s3:PutObject"), file.open("rb") as content:
            self._client.upload_fileobj(content, self.name, key, Callback=advance)

    def replace(self, key: str, content: bytes, *, former: str | None) -> str:
        """Write a small object, unless somebody else wrote it meanwhile.

        Args:
            key: The object's name.
            content: What it will hold.
            former: The etag that is there now; None where there is no such object.

        Returns:
            The new etag.

        Raises:
            ConflictError: Another one is there; nothing was written.
        """
        with our_errors("s3:PutObject"):
            if former is None:
                answer = self._client.put_object(
                    Bucket=self.name, Key=key, Body=content, IfNoneMatch="*"
                )
            else:
                answer = self._client.put_object(
                    Bucket=self.name, Key=key, Body=content, IfMatch=former
                )
        return answer["ETag"]

    def delete(self, key: str) -> None:
        """Delete an object, whether it is there or not."""
        with our_errors("s3:DeleteObject"):
            self._client.delete_object(Bucket=self.name, Key=key)
