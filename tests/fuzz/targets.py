"""What is fuzzed: each parser as a function of bytes that returns, or raises what it promised, and nothing else.

``test_parsers.py`` runs them for seconds under hypothesis, ``long.py`` for minutes under atheris or plain mutation.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from device.errors import VoicelatchError
from device.live.requests import parse_request
from device.service.config import Config
from device.service.status import Status
from device.service.trust import NAME as MEMORY
from device.service.trust import recall
from device.settings import parse_settings, settings_from
from device.sound.wavfile import parse_wav
from device.verdict.bundle import SUMS, load_bundle, npz_bytes, resolve_current, write_bundle
from device.verdict.files import SIGNATURE, parse_sums, read_folder
from device.verdict.manifest import parse_manifest
from device.verdict.npz import npy_array, npz_arrays
from device.verdict.signature import PublicKey, Signature, parse_keys, parse_signature
from tests.conftest import ROOT
from tests.fuzz.event_log import LogOf, seeds
from training.recipe import Recipe

DEMO = ROOT / "models" / "demo"
PARTS = ("manifest.json", "head.npz", "golden.npz", SUMS, SIGNATURE)
UNPACKED = 1 << 22


@dataclass(frozen=True)
class Target:
    """``run`` takes any bytes; ``promised`` is what it may raise; ``seeds`` are valid inputs to begin from."""

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    promised: tuple[type[Exception], ...] = (VoicelatchError,)


def check(target: Target, content: bytes) -> object:
    """Run it; what it promised is fine, and must be a message that can be printed. Returns the value or the error."""
    try:
        return target.run(content)
    except target.promised as error:
        str(error).encode("utf-8")
        return error


def targets(scratch: Path) -> dict[str, Target]:
    """All of them by name; ``scratch`` is an empty folder for those that read files."""
    manifest, sums = (DEMO / "manifest.json").read_bytes(), (DEMO / SUMS).read_bytes()
    key = PublicKey(bytes(range(32)), "a comment")
    signature = Signature(key.id, bytes(64)).content()
    arrays = npz_bytes(prototypes=np.eye(4, dtype=np.float32), owners=np.arange(4), names=np.array(["a", "bc"]))
    memory = json.dumps({"highest": {"name": "a", "sequence": 3, "digest": "ab"}, "allowed": {}}).encode()
    status = json.dumps({"state": "listening", "pid": 7, "last_reload": {"ok": True, "count": 1}}).encode()
    return {
        "sums": Target(lambda content: parse_sums(content, where="s"), (sums,)),
        "signature": Target(lambda content: parse_signature(content, where="s"), (signature,)),
        "keys": Target(lambda content: parse_keys(content, where="k"), (f"# a\n{key.line()}\n".encode(),)),
        "manifest": Target(lambda content: parse_manifest(content, where="m"), (without_lists(manifest),)),
        "npz": Target(lambda content: npz_arrays(content, max_bytes=UNPACKED), (arrays,), (ValueError,)),
        "npy": Target(npy_array, (npy(np.eye(3)), npy(np.array(["ab"])), npy(np.zeros((0, 3), "<i2"))), (ValueError,)),
        "config": Target(
            lambda content: parse_settings(content, Config, where="c"),
            ((ROOT / "systemd/voicelatch.toml").read_bytes(), b'[relay]\npin = 17\n[model]\nbundle = "models"\n'),
        ),
        "recipe": Target(
            lambda content: parse_settings(content, Recipe, where="r"),
            ((ROOT / "training/recipes/household.toml").read_bytes(),),
        ),
        "status": Target(_status, (status,)),
        "live": Target(
            lambda content: [parse_request(line) for line in content.split(b"\n")],
            (b'{"subscribe": ["level", "audio"], "hold": true}', b'{"open": {"by": "web", "asked_at_seconds": 12.5}}'),
        ),
        "memory": Target(_in_file(scratch / "memory", MEMORY, recall), (memory,)),
        "pointer": Target(_in_file(scratch / "pointer", "current", resolve_current, beside="demo"), (b"demo\n",)),
        "events": Target(LogOf(scratch / "events"), seeds(scratch / "events")),
        "wav": Target(lambda content: parse_wav(io.BytesIO(content), size=len(content), where="w"), (wav(), wav(8000))),
        "bundle": Target(_Bundle(scratch / "bundle"), tuple(bytes([n]) for n in range(len(PARTS)))),
    }


class _Bundle:
    """A whole bundle with one part replaced, and sums that fit it: the first byte says which, the rest is its content
    (nothing: as it was)."""

    def __init__(self, folder: Path) -> None:
        generator = np.random.default_rng(5)
        voices = generator.standard_normal((6, 256)).astype(np.float32)
        voices /= np.linalg.norm(voices, axis=1, keepdims=True)
        table = json.loads(without_lists((DEMO / "manifest.json").read_bytes()))
        table["calibration"]["cohort_top"] = 2
        shape = tuple(table["tensors"]["input"]["shape"])
        self._files = {
            "model.tflite": b"",
            "manifest.json": json.dumps(table).encode(),
            "head.npz": npz_bytes(prototypes=voices[:4], owners=np.arange(4), cohort=voices[4:]),
            "golden.npz": npz_bytes(
                clips=np.zeros((1, 48_000), np.int16),
                features=np.zeros((1, *shape), np.float32),
                outputs=np.zeros((1, 256), np.int8),
            ),
        }
        self._folder, self._key = folder, PublicKey(bytes(range(32)))
        write_bundle(folder, self._files)

    def __call__(self, content: bytes) -> object:
        name, part = PARTS[content[0] % len(PARTS) if content else 0], content[1:]
        files: Mapping[str, bytes] = {**self._files, **({name: part} if part else {})}
        sums = "".join(
            f"{hashlib.sha256(files[each]).hexdigest()}  {each}\n" for each in files if each in self._files
        ).encode()
        for each, whole in {SUMS: sums, SIGNATURE: Signature(self._key.id, bytes(64)).content(), **files}.items():
            (self._folder / each).write_bytes(whole)
        read_folder(self._folder, ())
        return load_bundle(self._folder, keys=() if name != SIGNATURE else (self._key,))


def _in_file(folder: Path, name: str, read: Callable[[Path], object], *, beside: str = "") -> Callable[[bytes], object]:
    (folder / beside).mkdir(parents=True, exist_ok=True)

    def run(content: bytes) -> object:
        (folder / name).write_bytes(content)
        return read(folder)

    return run


def _status(content: bytes) -> object:
    """As ``look`` reads it."""
    try:
        table = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return settings_from(table, Status, where="s") if isinstance(table, dict) else None


def without_lists(manifest: bytes) -> bytes:
    """A manifest without the long lists that the door does not use: mutations then meet what matters."""
    table = json.loads(manifest)
    for name in ("training_speakers", "validation_speakers", "licences", "libraries", "enrolled_recordings"):
        table.pop(name, None)
    return json.dumps(table).encode()


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def wav(rate_hz: int = 16_000, samples: int = 40) -> bytes:
    data = bytes(2 * samples)
    form = b"fmt " + (16).to_bytes(4, "little") + (1).to_bytes(2, "little") + (1).to_bytes(2, "little")
    form += rate_hz.to_bytes(4, "little") + (2 * rate_hz).to_bytes(4, "little") + b"\x02\0\x10\0"
    body = b"WAVE" + form + b"data" + len(data).to_bytes(4, "little") + data
    return b"RIFF" + len(body).to_bytes(4, "little") + body
