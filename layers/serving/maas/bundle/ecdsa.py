"""Whether a signature by an elliptic curve's key is right: ECDSA over P-256 and P-384.

May import msgspec. The runtime layer has no library for it (0024); all numbers here are
public, so their timing tells nothing. There is no signing here and no secret:

    key = parse_key("-----BEGIN PUBLIC KEY-----…")
    key.verifies(signature, data)        # the curve says which hash

Imported only where a signature is required.
"""

import binascii
import hashlib
import re
from typing import TypeAlias

from msgspec import Struct

Point: TypeAlias = tuple[int, int]
Jacobian: TypeAlias = tuple[int, int, int]
"""The point (x / z², y / z³); where z is 0, the point at infinity."""

INFINITY: Jacobian = (1, 1, 0)
_NO_KEY = "it holds no public key of P-256 or P-384"
_PEM = re.compile(
    r"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]{1,400})-----END PUBLIC KEY-----\s*"
)


class Curve(Struct, frozen=True):
    """A curve y² = x³ − 3x + b over the integers modulo p, as FIPS 186 names them.

    Attributes:
        name: P-256 or P-384.
        digest: The hash that goes with it, of as many bits.
        header: What the DER of a key on it begins with, up to the point's coordinates.
        p: The field's prime.
        b: The curve's constant.
        n: The order of the base point.
        base: The base point.
    """

    name: str
    digest: str
    header: bytes
    p: int
    b: int
    n: int
    base: Point

    @property
    def size(self) -> int:
        """Bytes of a coordinate."""
        return self.p.bit_length() // 8

    def has(self, point: Point) -> bool:
        """Whether a point lies on the curve."""
        x, y = point
        return x < self.p and y < self.p and (y * y - x * x * x + 3 * x - self.b) % self.p == 0

    def twice(self, point: Jacobian) -> Jacobian:
        """Add a point to itself."""
        x, y, z = point
        p = self.p
        square = y * y % p
        between = 4 * x * square % p
        slope = 3 * (x - z * z) * (x + z * z) % p
        third = (slope * slope - 2 * between) % p
        return (
            third,
            (slope * (between - third) - 8 * square * square) % p,
            2 * y * z % p,
        )

    def sum(self, one: Jacobian, other: Jacobian) -> Jacobian:
        """Add two points, be they equal, opposite or at infinity."""
        (x1, y1, z1), (x2, y2, z2), p = one, other, self.p
        if z1 == 0:
            return other
        if z2 == 0:
            return one
        left, right = x1 * z2 * z2 % p, x2 * z1 * z1 % p
        below, above = y1 * z2 * z2 * z2 % p, y2 * z1 * z1 * z1 % p
        run, rise = (right - left) % p, (above - below) % p
        if run == 0:
            return self.twice(one) if rise == 0 else INFINITY
        square = run * run % p
        cube = run * square % p
        between = left * square % p
        third = (rise * rise - cube - 2 * between) % p
        return third, (rise * (between - third) - below * cube) % p, z1 * z2 * run % p

    def combine(self, first: int, second: int, point: Point) -> Jacobian:
        """Compute first · base + second · point, both in one walk over their bits."""
        base, other = (*self.base, 1), (*point, 1)
        steps = (None, base, other, self.sum(base, other))
        found = INFINITY
        for bit in reversed(range(self.n.bit_length())):
            found = self.twice(found)
            step = steps[(first >> bit & 1) + 2 * (second >> bit & 1)]
            if step is not None:
                found = self.sum(found, step)
        return found


P256 = Curve(
    "P-256",
    "sha256",
    bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004"),
    0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF,
    0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B,
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    ),
)
P384 = Curve(
    "P-384",
    "sha384",
    bytes.fromhex("3076301006072a8648ce3d020106052b8104002203620004"),
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF,
    0xB3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE8141120314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF,
    0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    (
        0xAA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7,
        0x3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F,
    ),
)


class PublicKey(Struct, frozen=True):
    """A key that signatures are checked with.

    Attributes:
        curve: What it lies on.
        point: Where.
    """

    curve: Curve
    point: Point

    @property
    def der(self) -> bytes:
        """Its SubjectPublicKeyInfo."""
        size = self.curve.size
        return self.curve.header + b"".join(each.to_bytes(size, "big") for each in self.point)

    @property
    def line(self) -> str:
        """The same in base64: a PEM's body on one line."""
        return binascii.b2a_base64(self.der, newline=False).decode()

    @property
    def pem(self) -> str:
        """The same as the file that every tool reads."""
        lines = (self.line[at : at + 64] for at in range(0, len(self.line), 64))
        return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))

    def verifies(self, signature: bytes, data: bytes) -> bool:
        """Whether the owner of the key signed the data.

        Args:
            signature: ECDSA's two numbers in DER, in its one canonical form.
            data: What was signed; it is hashed here, by the hash that goes with the curve.
        """
        curve = self.curve
        numbers = _numbers(signature)
        if numbers is None or not all(0 < number < curve.n for number in numbers):
            return False
        r, s = numbers
        digest = int.from_bytes(hashlib.new(curve.digest, data).digest(), "big")
        inverse = pow(s, -1, curve.n)
        x, _, z = curve.combine(digest * inverse % curve.n, r * inverse % curve.n, self.point)
        if z == 0:
            return False
        return x * pow(z, -2, curve.p) % curve.p % curve.n == r


def parse_key(text: str) -> PublicKey:
    """Read a public key.

    Args:
        text: A PEM of one public key, or its body on one line.

    Raises:
        ValueError: It is no such key, or on another curve.
    """
    found = _PEM.fullmatch(text)
    body = "".join((found[1] if found else text).split())
    try:
        der = binascii.a2b_base64(body, strict_mode=True)
    except ValueError:
        raise ValueError(_NO_KEY) from None
    return parse_der(der)


def parse_der(der: bytes) -> PublicKey:
    """Read a public key's SubjectPublicKeyInfo, whose point is not compressed.

    Raises:
        ValueError: It is no such key, or on another curve.
    """
    for curve in (P256, P384):
        begin, size = len(curve.header), curve.size
        if der.startswith(curve.header) and len(der) == begin + 2 * size:
            x, y = (int.from_bytes(der[at : at + size], "big") for at in (begin, begin + size))
            if curve.has((x, y)):
                return PublicKey(curve, (x, y))
    raise ValueError(_NO_KEY)


def encode_signature(r: int, s: int) -> bytes:
    """The canonical DER of a signature's two numbers."""
    body = b"".join(_integer(number) for number in (r, s))
    return b"\x30" + bytes((len(body),)) + body


def _integer(number: int) -> bytes:
    data = number.to_bytes(number.bit_length() // 8 + 1, "big")  # its first bit is the sign
    return b"\x02" + bytes((len(data),)) + data


def _numbers(signature: bytes) -> tuple[int, int] | None:
    """The two numbers of a signature; None where their encoding is not the canonical one."""
    if not 8 <= len(signature) <= 104:  # so that every length is one byte
        return None
    end = 4 + signature[3]
    r, s = (int.from_bytes(part, "big") for part in (signature[4:end], signature[end + 2 :]))
    return (r, s) if encode_signature(r, s) == signature else None
