"""Small damage to valid inputs: the tokens and numbers on which parsers stumble, at random places."""

from __future__ import annotations

import random

TOKENS = (
    b"\0", b"\xff", b"\r", b"\n", b"\n\n", b" ", b"  ", b"=", b"==", b"\"", b"'", b"[", b"]", b"{", b"}", b",", b":",
    b"#", b"-1", b"0", b"1e999", b"-1e999", b"NaN", b"nan", b"inf", b"Infinity", b"true", b"null", b"9" * 30,
    b"9" * 5000, b"0x" + b"f" * 6000, b"1979-05-27", b"\\ud800", b"\\u0000", "\u202e".encode(), b"\xed\xa0\x80",
    b"[" * 3000, b"{\"a\":" * 3000, b"a." * 3000 + b"a = 1\n", b"[[a]]\n", b"[relay]\n", b"..", b"../x", b"/", b"~",
    b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80",
    b"\x01\0", b"\xfe\xff", b"fmt ", b"data", b"LIST", b"|O", b"<U9", b"<f8", b"(3, 3)", b"(99999999999,)", b"True",
)  # fmt: skip


def mutate(content: bytes, rng: random.Random, *, other: bytes = b"") -> bytes:
    """``content`` with one to six changes; ``other`` is something to splice with."""
    made = bytearray(content)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at, kind = rng.randrange(len(made) + 1), rng.randrange(8)
        length = rng.choice((0, 1, 1, 2, 4, 16, 64))
        if kind == 0 and made:
            made[at % len(made)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            made[at:at] = rng.choice(TOKENS)
        elif kind == 2:
            made[at : at + length] = rng.choice(TOKENS)
        elif kind == 3:
            del made[at : at + length]
        elif kind == 4:
            made[at:at] = made[at : at + length] * rng.choice((1, 2, 300))
        elif kind == 5:
            del made[at:]
        elif kind == 6 and made:
            made[at % len(made)] = rng.randrange(256)
        elif kind == 7 and other:
            start = rng.randrange(len(other))
            made[at : at + length] = other[start : start + rng.choice((4, 32, 400))]
    return bytes(made)
