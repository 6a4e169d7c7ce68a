"""The one bounded reader of bodies: bytes to JSON values, before any framework sees them.

May import `maas.errors`, `maas.limits`, `maas.http.problems` and the types of `maas.http.asgi`. It
refuses what JSON libraries let pass: NaN, numbers of thousands of digits, duplicate keys, nesting
without end, values without end.

    data = await read_body(receive, headers, limit=LIMITS.body_bytes)
    value = parse_json(data)
"""

import functools
import json
import math
import re
import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, NoReturn

from maas.errors import BadRequestError, MediaTypeError, TooLargeError
from maas.http.problems import JSON
from maas.limits import LIMITS, Limits

if TYPE_CHECKING:
    from collections.abc import Collection, Coroutine

    from maas.http.asgi import Headers, Receive

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
_CHARSET = re.compile(r"charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_STEPS = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}
_ALL_BUT_BRACKETS = bytes(set(range(256)) - _STEPS.keys())


async def read_body(
    receive: "Receive",
    headers: "Headers",
    *,
    limit: int,
    seconds: float | None = None,
    encoding: str = "",
) -> bytes:
    """Read a body of at most `limit` bytes, stopping at the first byte too many.

    Args:
        receive: Where the body comes from.
        headers: What was said of it.
        limit: Bytes, also of what is unpacked.
        encoding: How it is packed, as `check_type` found.
        seconds: Time for a caller who sends it byte by byte; None waits for ever.

    Raises:
        TooLargeError: The body is, or says that it is, above the limit.
        BadRequestError: `content-length` is no number, the caller went away or took too long.
    """
    if (declared := headers.get("content-length", "0")) != "0":
        _check_length(declared, limit)
    gathered = _gathered(receive, limit)
    data = await (gathered if seconds is None else _in_time(gathered, seconds))
    return _unpacked(data, encoding, limit) if encoding else data


def _check_length(declared: str, limit: int) -> None:
    if not (declared.isascii() and declared.isdigit()):
        raise BadRequestError("content-length is not a number.")
    if len(declared) > 15 or int(declared) > limit:
        raise _too_large(limit)


async def _in_time(gathered: "Coroutine[None, None, bytes]", seconds: float) -> bytes:
    import asyncio  # noqa: PLC0415 - on a server alone, which has it

    try:
        async with asyncio.timeout(seconds):
            return await gathered
    except TimeoutError:
        raise BadRequestError("The body did not arrive in time.") from None


async def _gathered(receive: "Receive", limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("The caller went away before the body was whole.")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _unpacked(data: bytes, encoding: str, limit: int) -> bytes:
    """Unpack a body, and of one that grows beyond the limit no more than shows that it does."""
    packed = zlib.decompressobj(_WINDOWS[encoding])
    try:
        whole = packed.decompress(data, limit + 1)
    except zlib.error:
        raise BadRequestError(f"The body is not {encoding}, as content-encoding says.") from None
    if len(whole) > limit:
        raise _too_large(limit)
    if not packed.eof or packed.unused_data:
        raise BadRequestError(f"The body does not end where its {encoding} ends.")
    return whole


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The body must be at most {limit} bytes.")


def check_encoding(headers: "Headers") -> str:
    """How a body is packed, for a protocol whose clients may pack it.

    Returns:
        `gzip`, `deflate`, or nothing.

    Raises:
        MediaTypeError: It is packed otherwise.
    """
    encoding = headers.get("content-encoding").strip().lower()
    if encoding in ("", "identity"):
        return ""
    if encoding not in _WINDOWS:
        raise MediaTypeError("content-encoding must be gzip, deflate or absent.")
    return encoding


def check_type(headers: "Headers", others: "Collection[str]" = (), *, packed: bool = False) -> str:
    """Refuse a body that says that it is none of what is read; one that says nothing may be.

    Args:
        headers: What was said of it.
        others: Media types that are read beside JSON.
        packed: Whether it may be packed, which is `check_encoding`'s to look at.

    Returns:
        Its media type in lower case, or nothing.

    Raises:
        MediaTypeError: With what is read instead.
    """
    encoding = headers.get("content-encoding")
    if encoding.strip().lower() not in ("", "identity") and not packed:
        raise MediaTypeError("content-encoding is not supported here; send the body as it is.")
    said, _, parameters = headers.get("content-type").partition(";")
    media_type = said.strip().lower()
    if media_type not in ("", JSON, *others):
        raise MediaTypeError(f"content-type must be {' or '.join((JSON, *sorted(others)))}.")
    charset = parameters and _CHARSET.search(parameters)
    if charset and charset[1].lower() not in ("utf-8", "utf8"):
        raise MediaTypeError("charset must be utf-8.")
    return media_type


def is_json(media_type: str, data: bytes) -> bool:
    """Whether a body is JSON: what says nothing is if it begins as an object or a list does.

    Args:
        media_type: What `check_type` found, where there are others beside JSON.
        data: The body.
    """
    return media_type == JSON or (not media_type and data.lstrip()[:1] in (b"{", b"["))


def parse_json(data: bytes, *, limits: Limits = LIMITS) -> object:
    """Parse a JSON document strictly.

    Raises:
        BadRequestError: It is empty, not UTF-8, not JSON, nested too deep, of too many values, or
            holds a duplicate key or a number that is not finite or too long.
    """
    if not data.strip():
        raise BadRequestError("The body is empty; send a JSON object.")
    _check_size(data, limits)
    try:
        return _decoded(data.decode(), limits.number_digits)
    except UnicodeDecodeError:
        raise BadRequestError("The body is not UTF-8.") from None
    except json.JSONDecodeError as error:
        raise BadRequestError(
            f"The body is not JSON: {error.msg} at character {error.pos}."
        ) from None


def _decoded(text: str, digits: int) -> object:
    bare, decoder = text.strip(" \t\n\r"), _decoder(digits)
    try:
        value, end = decoder.raw_decode(bare)
    except json.JSONDecodeError:
        end = -1
    if end == len(bare):
        return value
    return decoder.decode(text)  # in more steps, and it says where the text is wrong


@functools.cache
def _decoder(digits: int) -> json.JSONDecoder:
    def number(text: str) -> int | float:
        # The shortest text of a double has 17 digits at the most, and 3 of the exponent.
        if len(text) > digits and _digits(text) > digits:
            raise BadRequestError(f"A number has more than {digits} digits.")
        value = float(text) if set(text) & set(".eE") else int(text)
        if not math.isfinite(value):
            raise BadRequestError("A number is too large.")
        return value

    return json.JSONDecoder(
        parse_int=number,
        parse_float=number,
        parse_constant=_refuse_constant,
        object_pairs_hook=_unique_keys,
    )


def _check_size(data: bytes, limits: Limits) -> None:
    """Refuse what is too deep or of too many values, each of which costs more than its bytes."""
    if _values(data) <= limits.json_depth:
        return
    bare = _without_strings(data)
    if _values(bare) > limits.json_values:
        raise BadRequestError(f"The body holds more than {limits.json_values} values.")
    brackets = bare.translate(None, _ALL_BUT_BRACKETS)
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > limits.json_depth:
        raise BadRequestError(f"The body is nested deeper than {limits.json_depth} levels.")


def _values(data: bytes) -> int:
    """An upper bound: each value but the first follows a comma or a bracket that opens."""
    return 1 + data.count(b",") + data.count(b"[") + data.count(b"{")


def _without_strings(data: bytes) -> bytes:
    """A document less what stands in quotes; a string that does not end is taken to the end.

    Outside of strings a backslash is no JSON, so whatever is taken wrongly lies behind the place
    where parsing ends.
    """
    return b"".join(data.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])


def _digits(text: str) -> int:
    """Digits of a number, those of its exponent too, but for the zeros that it begins with."""
    return len(re.sub(r"[^0-9]", "", text).lstrip("0"))


def _refuse_constant(name: str) -> NoReturn:
    raise BadRequestError(f"{name} is not a JSON number.")


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise BadRequestError("A key occurs twice in one object.")
    return value
