"""A teacher for the backbone: GE2E speaker embeddings (Wan et al., ICASSP 2018) from resemblyzer's shipped weights.

Runs as a program of its own, since it needs PyTorch, which nothing else here does::

    python -m training.teacher clips.npy embeddings.npy

reads int16 ``(n, 48000)`` and writes float32 ``(n, 256)`` of length 1; with one path, ``weights.npz``, it writes the
weights themselves. ``VOICELATCH_TEACHER_PYTHON`` names the interpreter that has ``torch`` and ``resemblyzer``; without
it, the running one is used.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import RuntimeMissingError
from device.sound.logmel import FrontendSpec, band_filters
from device.sound.pcm import FULL_SCALE
from training.atomic import write_array, write_atomically

PARTIAL_FRAMES = 160
LEVEL_DBFS = -30.0
BATCH_CLIPS = 64


def teach(clips: Path, out: Path) -> NDArray[np.float32]:
    """The teacher's embeddings of ``clips``, computed once and kept in ``out``.

    Raises :class:`RuntimeMissingError` when the teacher's program fails.
    """
    if not out.exists():
        _ask(str(clips), str(out))
    embeddings: NDArray[np.float32] = np.load(out)
    return embeddings


def teacher_weights(out: Path) -> dict[str, NDArray[np.float32]]:
    """The teacher's own weights by PyTorch's names, kept in ``out`` (``.npz``). Raises :class:`RuntimeMissingError`."""
    if not out.exists():
        _ask(str(out))
    with np.load(out, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _ask(*arguments: str) -> None:
    python = os.environ.get("VOICELATCH_TEACHER_PYTHON", sys.executable)
    home = Path(__file__).resolve().parent.parent
    whole = [str(Path(each).resolve()) for each in arguments]
    done = subprocess.run([python, "-m", "training.teacher", *whole], cwd=home, check=False)
    if done.returncode != 0:
        raise RuntimeMissingError(
            "the teacher did not answer",
            where="backbone.teacher",
            received=done.returncode,
            next_step="install torch and resemblyzer in an environment of its own and name "
            'its python in VOICELATCH_TEACHER_PYTHON, or set backbone.teacher = ""',
        )


def _mel_power(samples: NDArray[np.int16], window: NDArray[np.float64], filters: NDArray[np.float64]) -> Any:
    sound = samples.astype(np.float64) / FULL_SCALE
    level = 10 * np.log10(max(float(np.mean(sound**2)), 1e-12))
    sound *= 10 ** (max(LEVEL_DBFS - level, 0.0) / 20)
    padded = np.pad(sound, 200)
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160]
    spectrum = np.fft.rfft(frames * window, axis=1)
    return ((spectrum.real**2 + spectrum.imag**2) @ filters).astype(np.float32)


def main(*paths: str) -> None:
    """The program: see the module's text."""
    torch: Any = __import__("torch")
    weights = _shipped_weights(torch)
    if len(paths) == 1:
        arrays = {name: value.numpy() for name, value in weights.items()}
        write_atomically(Path(paths[0]), lambda file: np.savez(file, **arrays))
        return
    embeddings = _listen(torch, weights, np.load(paths[0], mmap_mode="r"))
    write_array(Path(paths[1]), embeddings)


def _shipped_weights(torch: Any) -> Any:
    found = importlib.util.find_spec("resemblyzer")
    if found is None or found.origin is None:
        raise RuntimeMissingError("resemblyzer is not installed", next_step="pip install --no-deps resemblyzer")
    # weights_only: numbers, never code that a pickle would run.
    shipped = Path(found.origin).parent / "pretrained.pt"
    return torch.load(shipped, map_location="cpu", weights_only=True)["model_state"]


def _listen(torch: Any, weights: Any, clips: NDArray[np.int16]) -> NDArray[np.float32]:
    lstm = torch.nn.LSTM(40, 256, 3, batch_first=True)
    linear = torch.nn.Linear(256, 256)
    lstm.load_state_dict({key[5:]: value for key, value in weights.items() if key.startswith("lstm.")})
    linear.load_state_dict({key[7:]: value for key, value in weights.items() if key.startswith("linear.")})

    spec = FrontendSpec(fft_samples=400, window_samples=400, mel_bands=40, low_hz=0.0, high_hz=8000.0)
    filters = np.ascontiguousarray(band_filters(spec).T)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    embeddings = np.zeros((len(clips), 256), dtype=np.float32)
    for start in range(0, len(clips), BATCH_CLIPS):
        batch = np.stack([_mel_power(each, window, filters) for each in np.asarray(clips[start : start + BATCH_CLIPS])])
        total = np.zeros((len(batch), 256), dtype=np.float32)
        for offset in (0, batch.shape[1] - PARTIAL_FRAMES):
            with torch.no_grad():
                _, (hidden, _) = lstm(torch.from_numpy(batch[:, offset : offset + PARTIAL_FRAMES].copy()))
                raw = torch.relu(linear(hidden[-1])).numpy()
            total += raw / np.maximum(np.linalg.norm(raw, axis=1, keepdims=True), 1e-9)
        embeddings[start : start + len(batch)] = total / np.linalg.norm(total, axis=1, keepdims=True)
        if sys.stderr.isatty():
            print(f"\rteacher {start + len(batch)}/{len(clips)}", end="", file=sys.stderr, flush=True)
    return embeddings


if __name__ == "__main__":
    main(*sys.argv[1:])
