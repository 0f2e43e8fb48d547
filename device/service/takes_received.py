"""A recording that comes in parts over the live socket, and its samples once it is complete."""

from __future__ import annotations

import numpy as np

from device.enrolment.takes import LONGEST_TAKE_SECONDS, NOISE_TAKE_SECONDS
from device.errors import DataError
from device.sound.pcm import SAMPLE_RATE_HZ, Samples

# The longest take that is ever cut, and the second of background before it.
MOST_SAMPLES = round((max(LONGEST_TAKE_SECONDS, NOISE_TAKE_SECONDS) + 2.0) * SAMPLE_RATE_HZ)
SAMPLE_BYTES = 2


def receive_part(upload: bytearray, content: bytes) -> int:
    """Add ``content`` to what has come; how many bytes there are now. Raises :class:`DataError` for too many, and
    forgets them all then."""
    if len(upload) + len(content) > MOST_SAMPLES * SAMPLE_BYTES:
        upload.clear()
        raise DataError("a take that is too long", allowed=f"{MOST_SAMPLES / SAMPLE_RATE_HZ:g} s")
    upload += content
    return len(upload)


def received_samples(upload: bytearray, count: int) -> Samples:
    """The ``count`` samples that have come, int16 ``(count,)``; the next take begins anew, however this ends. Raises
    :class:`DataError` where other than so many have."""
    content = bytes(upload)
    upload.clear()
    if len(content) != count * SAMPLE_BYTES:
        raise DataError("a take that did not come whole", received=f"{len(content)} bytes",
                        allowed=f"{min(count, MOST_SAMPLES) * SAMPLE_BYTES} bytes",
                        next_step="send it again")  # fmt: skip
    return np.frombuffer(content, dtype="<i2").astype(np.int16)
