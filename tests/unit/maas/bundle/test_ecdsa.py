"""Signatures on P-256 and P-384: what the `cryptography` library says, ours says too."""

from typing import TYPE_CHECKING

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from support.effort import count

from maas.bundle.ecdsa import P256, P384, Curve, PublicKey, encode_signature, parse_der, parse_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

NO_KEY = r"no public key of P-256 or P-384"
DATA = b"what was signed"
THEIRS: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "P-256": (ec.SECP256R1(), hashes.SHA256()),
    "P-384": (ec.SECP384R1(), hashes.SHA384()),
}
both = pytest.mark.parametrize("curve", [P256, P384], ids=lambda curve: curve.name)


def private_key(curve: Curve, scalar: int = 0xA11CE) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(scalar, THEIRS[curve.name][0])


def public_key(private: ec.EllipticCurvePrivateKey) -> PublicKey:
    public = private.public_key()
    return parse_key(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def sign(private: ec.EllipticCurvePrivateKey, curve: Curve, data: bytes = DATA) -> bytes:
    return private.sign(data, ec.ECDSA(THEIRS[curve.name][1], deterministic_signing=True))


def they_say(key: PublicKey, signature: bytes, data: bytes = DATA) -> bool:
    """What the library thinks of a signature."""
    curve, algorithm = THEIRS[key.curve.name]
    theirs = ec.EllipticCurvePublicNumbers(*key.point, curve).public_key()
    try:
        theirs.verify(signature, data, ec.ECDSA(algorithm))
    except InvalidSignature:
        return False
    return True


def agreed(key: PublicKey, signature: bytes, data: bytes = DATA) -> bool:
    """What both think of it."""
    said = key.verifies(signature, data)
    assert said == they_say(key, signature, data)
    return said


def hashed(curve: Curve, data: bytes = DATA) -> int:
    digest = hashes.Hash(THEIRS[curve.name][1])
    digest.update(data)
    return int.from_bytes(digest.finalize(), "big")


# ---- Signatures ---------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    curve=st.sampled_from([P256, P384]),
    scalar=st.integers(1, 2**250),
    data=st.binary(max_size=40),
    place=st.integers(0, 10_000),
)
def test_every_key_and_every_text_are_verified_as_the_library_does(
    curve: Curve, scalar: int, data: bytes, place: int
) -> None:
    private = private_key(curve, scalar)
    key, signature = public_key(private), sign(private, curve, data)
    assert agreed(key, signature, data)
    # Then one bit of the signature, and one more byte of the text, are refused
    flipped = bytearray(signature)
    flipped[place // 8 % len(flipped)] ^= 1 << place % 8
    assert not agreed(key, bytes(flipped), data)
    assert not agreed(key, signature, data + b"x")


@both
@pytest.mark.parametrize("scalar", [1, 2, 3, -1, -2], ids=str)
def test_a_key_that_is_the_base_point_or_opposite_to_it_is_like_others(
    curve: Curve, scalar: int
) -> None:
    private = private_key(curve, scalar % curve.n)
    key = public_key(private)
    assert agreed(key, sign(private, curve))
    assert not agreed(key, sign(private_key(curve), curve))


@both
def test_numbers_that_are_zero_or_too_large_are_refused(curve: Curve) -> None:
    private = private_key(curve)
    key = public_key(private)
    r, s = decode_dss_signature(sign(private, curve))
    n, p = curve.n, curve.p
    assert agreed(key, encode_signature(r, s))
    assert agreed(key, encode_signature(r, n - s))  # ECDSA's twin; nothing is named by either
    bad = [(0, s), (r, 0), (0, 0), (n, s), (r, n), (r + n, s), (r, s + n), (p, s), (1, 1), (s, r)]
    bad += [(n - r, s), (n - 1, n - 1), (2 ** (8 * curve.size) - 1, s)]
    for numbers in bad:
        count("attacks")
        assert not agreed(key, encode_signature(*numbers)), numbers


@both
def test_a_sum_at_infinity_is_no_signature(curve: Curve) -> None:
    # Given a key for which any s leads to the point at infinity: e + r·d = 0
    r = 0xC0FFEE
    private = private_key(curve, -hashed(curve) * pow(r, -1, curve.n) % curve.n)
    for s in (1, 2, 0xC0FFEE, curve.n - 1):
        count("attacks")
        assert not agreed(public_key(private), encode_signature(r, s))


@both
def test_a_coordinate_above_the_order_is_reduced(curve: Curve) -> None:
    # Given a point R whose x is not below n, and the key that signs with it
    p, n = curve.p, curve.n
    x = n + 1
    while True:
        square = (x * x * x - 3 * x + curve.b) % p
        y = pow(square, (p + 1) // 4, p)
        if y * y % p == square:
            break
        x += 1
    r, s = x - n, 0xC0FFEE
    # d·G = (s·R − e·G) / r
    back = pow(r, -1, n)
    u, v = s * back % n, -hashed(curve) * back % n
    jx, jy, jz = curve.combine(v, u, (x, y))
    point = (jx * pow(jz, -2, p) % p, jy * pow(jz, -3, p) % p)
    key = PublicKey(curve, point)
    assert agreed(key, encode_signature(r, s))
    assert not agreed(key, encode_signature(x, s))


@both
def test_a_signature_that_is_written_in_another_way_is_refused(curve: Curve) -> None:
    private = private_key(curve)
    key, signature = public_key(private), sign(private, curve)
    r, s = decode_dss_signature(signature)
    one, two = (number.to_bytes(number.bit_length() // 8 + 1, "big") for number in (r, s))

    def sequence(*parts: bytes) -> bytes:
        body = b"".join(b"\x02" + bytes((len(part),)) + part for part in parts)
        return b"\x30" + bytes((len(body),)) + body

    assert sequence(one, two) == signature
    bad = {
        "empty": b"",
        "no sequence": b"\x31" + signature[1:],
        "a text": signature.replace(b"\x02", b"\x04", 1),
        "cut": signature[:-1],
        "more behind": signature + b"\x00",
        "a zero before": sequence(b"\x00" + one, two),
        "negative": sequence((r - curve.n).to_bytes(curve.size + 1, "big", signed=True), two),
        "one number": sequence(one),
        "three": sequence(one, two, b"\x01"),
        "none": sequence(),
        "empty numbers": sequence(b"", b""),
        "a long length": b"\x30\x81" + signature[1:],
        "no length": b"\x30\x80" + signature[2:] + b"\x00\x00",
        "its numbers alone": r.to_bytes(curve.size, "big") + s.to_bytes(curve.size, "big"),
        "hex": signature.hex().encode(),
        "huge": sequence(one, two) + bytes(100_000),
    }
    for what, data in bad.items():
        count("attacks")
        assert not agreed(key, data), what


@both
def test_another_hash_is_refused(curve: Curve) -> None:
    private = private_key(curve)
    for other in (hashes.SHA224(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        digest = hashes.Hash(other)
        digest.update(DATA)
        signature = private.sign(digest.finalize(), ec.ECDSA(Prehashed(other)))
        right = other.name == THEIRS[curve.name][1].name
        count("attacks")
        assert agreed(public_key(private), signature) is right


# ---- Keys ---------------------------------------------------------------------------------------


@both
def test_a_key_is_read_from_a_pem_and_from_its_one_line(curve: Curve) -> None:
    public = private_key(curve).public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    key = parse_key(pem)
    assert key.pem == pem
    assert "\n" not in key.line
    assert parse_key(key.line) == parse_key(pem.replace("\n", "\r\n") + "\n") == key
    assert parse_der(key.der) == key


@both
def test_what_is_no_key_is_refused(curve: Curve) -> None:
    key = public_key(private_key(curve))
    x, y = key.point
    size = curve.size

    def at(x: int, y: int) -> bytes:
        return curve.header + x.to_bytes(size, "big") + y.to_bytes(size, "big")

    public = private_key(curve).public_key()
    compressed = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    bad = [b"", at(x, y)[:-1], at(x, y) + b"\x00", at(x, (y + 1) % curve.p), at(0, 0), at(y, x)]
    bad += [at(curve.p, y), at(2 ** (8 * size) - 1, y)]
    bad += [curve.header[:-1] + compressed, curve.header[:-1] + b"\x00"]  # the latter is infinity
    if x + curve.p < 2 ** (8 * size):
        bad.append(at(x + curve.p, y))
    for der in bad:
        count("attacks")
        with pytest.raises(ValueError, match=NO_KEY):
            parse_der(der)


@pytest.mark.parametrize(
    ("what", "becomes"), [("PUBLIC KEY", "CERTIFICATE"), ("\n", ""), ("-----", ""), ("M", "!")]
)
def test_what_is_no_pem_is_refused(what: str, becomes: str) -> None:
    text = public_key(private_key(P256)).pem.replace(what, becomes)
    count("attacks")
    with pytest.raises(ValueError, match=NO_KEY):
        parse_key(text)


@pytest.mark.parametrize("kind", ["P-521", "secp256k1", "RSA", "Ed25519"])
def test_keys_of_other_kinds_are_refused(kind: str) -> None:
    makers: dict[str, Callable[[], PublicKeyTypes]] = {
        "P-521": lambda: ec.generate_private_key(ec.SECP521R1()).public_key(),
        "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()).public_key(),
        "RSA": lambda: rsa.generate_private_key(65537, 2048).public_key(),
        "Ed25519": lambda: ed25519.Ed25519PrivateKey.generate().public_key(),
    }
    pem = makers[kind]().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    count("attacks")
    with pytest.raises(ValueError, match=NO_KEY):
        parse_key(pem)


def test_a_private_key_and_two_keys_are_no_public_key() -> None:
    pem = public_key(private_key(P256)).pem
    for text in (pem * 2, pem.replace("PUBLIC KEY", "PRIVATE KEY")):
        count("attacks")
        with pytest.raises(ValueError, match=NO_KEY):
            parse_key(text)
