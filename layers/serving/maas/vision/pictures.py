"""One picture of a file as the array that a model takes.

The only module that imports Pillow, and of it two decoders alone. Training and serving decode
through the same call, so a picture has the same numbers in both:

    file = read_file(data, field="inputs")
    pixels = decode(file, manifest.image, field="inputs")       # float32 [channels, height, width]

What becomes of a picture, in this order: 16 bits of grey are cut to their higher 8; palettes, black
and white, and CMYK become red, green and blue (or grey); it is turned as EXIF says; it is resized
to the model's width and height whatever its shape (bilinear, over all pixels that fall together);
what shines through is laid on white; then it becomes grey, or red, green and blue.
"""

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from maas.vision.files import damaged

if TYPE_CHECKING:
    import numpy.typing as npt

    from maas.bundle.manifest import ImageInput
    from maas.vision.files import PictureFile

_DECODERS = {"png": PngImageFile, "jpeg": JpegImageFile}
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_WHITE = (255, 255, 255, 255)


def decode(file: "PictureFile", wanted: "ImageInput", *, field: str) -> "npt.NDArray[np.float32]":
    """Decode a picture whose size was checked.

    Args:
        file: What `read_file` told.
        wanted: The model's width, height and channels.
        field: The request field that it came from, for the message.

    Returns:
        float32 `[channels, height, width]`, 0 to 1.

    Raises:
        FieldError: It cannot be decoded to its end.
    """
    try:
        picture = _DECODERS[file.kind](io.BytesIO(file.data))
        if picture.size != (file.width, file.height):  # two readers, two opinions
            raise ValueError("size")  # noqa: TRY301 - as if the library had said it
        picture.load()
        plain = _plain(picture)
    except MemoryError:  # the machine's fault, and not the file's
        raise
    except Exception:  # noqa: BLE001 - the library's errors share no base but Exception
        raise damaged(field) from None
    if file.turn in _TURNS:
        plain = plain.transpose(_TURNS[file.turn])
    plain = plain.resize((wanted.width, wanted.height), Image.Resampling.BILINEAR)
    if plain.mode == "RGBA":
        plain = Image.alpha_composite(Image.new("RGBA", plain.size, _WHITE), plain)
    plain = plain.convert("L" if wanted.channels == 1 else "RGB")
    levels = np.asarray(plain, dtype=np.float32).reshape(wanted.height, wanted.width, -1)
    return np.ascontiguousarray(levels.transpose(2, 0, 1) / np.float32(255))


def _plain(picture: Image.Image) -> Image.Image:
    """The picture as grey, as colours, or as colours that something shines through."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("LA", "PA"):
        return picture.convert("RGBA")
    if picture.mode == "1":
        return picture.convert("L")
    return picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB")
