"""Small archives of every kind that data sets come in, made in memory."""

import gzip
import io
import lzma
import struct
import tarfile
from collections.abc import Callable, Mapping
from functools import partial

_COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    "gz": partial(gzip.compress, mtime=0),
    "xz": lzma.compress,
}


def tar_of(members: Mapping[str, bytes], *, mode: str = "w:gz") -> bytes:
    """A tar archive, the same bytes whenever it is made: they name cases of tests."""
    buffer = io.BytesIO()
    plain, _, compression = mode.partition(":")
    with tarfile.open(fileobj=buffer, mode=plain) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return _COMPRESSORS[compression](buffer.getvalue())


def package_of(members: Mapping[str, bytes], *, data: str = "data.tar.xz") -> bytes:
    """A Debian package: an ar archive with a tar archive in it."""
    content = tar_of({f"./{name}": member for name, member in members.items()}, mode="w:xz")
    parts = {"debian-binary": b"2.0\n", "control.tar.xz": b"odd", data: content}
    packed = b"!<arch>\n"
    for name, part in parts.items():
        packed += f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n".encode()
        packed += part + b"\n" * (len(part) % 2)
    return packed


def catalog_of(messages: Mapping[str, str]) -> bytes:
    """A catalogue of messages (GNU .mo)."""
    texts = [text.encode() for pair in zip(*messages.items(), strict=True) for text in pair]
    start = 28 + 8 * len(texts)
    table, body = b"", b""
    for text in texts:
        table += struct.pack("<2I", len(text), start + len(body))
        body += text + b"\0"
    count = len(messages)
    return struct.pack("<7I", 0x950412DE, 0, count, 28, 28 + 8 * count, 0, 0) + table + body


def idx_of(magic: int, shape: tuple[int, ...], content: bytes) -> bytes:
    """An IDX file."""
    return struct.pack(f">{1 + len(shape)}I", magic, *shape) + content
