"""One way to name a set of constants, so that a bundle can prove it was trained on what the device computes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def fingerprint(kind: str, constants: Mapping[str, object]) -> str:
    """16 hexadecimal digits of the SHA-256 of ``constants`` in canonical JSON, prefixed by ``kind``.

    ``kind`` carries the version of the algorithm (``logmel-1``): it changes when the code changes what it computes.
    """
    text = json.dumps({"kind": kind, **constants}, sort_keys=True, separators=(",", ":"))
    return f"{kind}:{hashlib.sha256(text.encode()).hexdigest()[:16]}"
