"""Checks a signature of KMS with arithmetic alone: no package that an auditor would have to trust, or to install."""

from __future__ import annotations

import hashlib

SHA256_PREFIX = bytes.fromhex("3031300d060960864801650304020105000420")  # of PKCS #1: RFC 8017, section 9.2


def is_signed(text: bytes, signature: bytes, public_key: bytes) -> bool:
    """Check a signature of PKCS #1 version 1.5 over a SHA-256 (RFC 8017, section 8.2.2); the key is X.509's, as DER."""
    modulus, exponent = _rsa_numbers(public_key)
    size = (modulus.bit_length() + 7) // 8
    digest = SHA256_PREFIX + hashlib.sha256(text).digest()
    padded = b"\0\1" + b"\xff" * (size - len(digest) - 3) + b"\0" + digest
    number = int.from_bytes(signature, "big")
    return (
        len(signature) == size and number < modulus and pow(number, exponent, modulus).to_bytes(size, "big") == padded
    )


def _rsa_numbers(public_key: bytes) -> tuple[int, int]:
    """Return modulus and exponent: the two numbers in the bit string that is the second part of the key."""
    _, (_, bits) = (part := _parts(public_key)[0]), _parts(part)
    modulus, exponent = _parts(_parts(bits[1:])[0])
    return int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")


def _parts(der: bytes) -> list[bytes]:
    """Return the contents of the elements that follow each other in DER."""
    found = []
    while der:
        size, start = der[1], 2
        if size & 0x80:
            start = 2 + (size & 0x7F)
            size = int.from_bytes(der[2:start], "big")
        found.append(der[start : start + size])
        der = der[start + size :]
    return found
