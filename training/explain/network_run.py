"""``explain network``: read a network, run a clip through it, write page and JSON."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import AudioFormatError
from device.sound.logmel import LogMel
from device.sound.segmenter import cut_clips
from device.verdict.interpreter import Interpreter
from training.atomic import write_text
from training.benchmark.systems import Judged, read_judged
from training.corpus.index import Progress
from training.explain.keras_side import Weights, load_network
from training.explain.layers import Anatomy, filters_of
from training.explain.network_page import network_html
from training.explain.told import dumped
from training.explain.visit import read_recording


def explain_network(
    bundle: Path,
    weights: Weights | None,
    *,
    clip: Path | None,
    out: Path,
    command: str,
    progress: Progress,
    say: Callable[[str], None],
) -> Anatomy:
    """Write ``network.html`` and ``network.json`` into ``out``. With ``weights`` the Keras network is shown, without
    them the int8 one of ``bundle`` (a bundle or a backbone); its front-end and segmenter make features of ``clip``.

    Raises a :class:`~device.errors.VoicelatchError` where one of them cannot be used.
    """
    judged = read_judged(bundle)
    features = None
    if clip is not None:
        cut = cut_clips(read_recording(clip), judged.vad, judged.segmenter)
        if not cut:
            raise AudioFormatError("the door hears no speech in it", where=str(clip), next_step="choose another one")
        features = LogMel(judged.frontend)(cut[0].samples)
    steps = 3
    progress("network", 1, steps)
    anatomy = _read(judged, weights, features)
    progress("network", 2, steps)
    name = f"Inside {weights.path.name if weights else bundle.name}"
    page = network_html(anatomy, title=name, clip=clip.name if clip else "", command=command)
    write_text(out / "network.json", dumped(to_json(anatomy, command)))
    write_text(out / "network.html", page)
    progress("network", 3, steps)
    for line in told_lines(anatomy):
        say(line)
    say(f"the page: {out / 'network.html'}")
    return anatomy


def _read(judged: Judged, weights: Weights | None, features: Any) -> Anatomy:
    interpreter = Interpreter(judged.model)
    if weights is None:
        from training.explain.tflite_layers import read_tflite

        return read_tflite(judged.model, features, interpreter.input)
    from training.explain.keras_layers import read_keras

    size = interpreter.output.shape[0]
    network = load_network(weights, judged.manifest, shape=judged.frontend.shape, embedding_size=size)
    return read_keras(network, features)


def to_json(anatomy: Anatomy, command: str) -> dict[str, Any]:
    """Each layer's figures, without the weights and maps themselves."""
    rows = []
    for layer in anatomy.layers:
        filters = filters_of(layer)
        rows.append({
            "name": layer.name,
            "kind": layer.kind,
            "shape": list(layer.shape),
            "parameters": layer.parameters,
            "multiply_adds": layer.multiply_adds,
            **({} if filters is None else {
                "filters": len(filters.norms),
                "norms": np.round(filters.norms, 6).tolist(),
                "norm_folded_in": layer.folded,
                "dead": int(filters.dead.sum()),
                "silent": filters.silent,
            }),
        })  # fmt: skip
    return {
        "command": command,
        "source": anatomy.source,
        "form": anatomy.form,
        "parameters": anatomy.parameters,
        "multiply_adds": anatomy.multiply_adds,
        "layers": rows,
    }


def told_lines(anatomy: Anatomy) -> list[str]:
    """For a terminal: the layers that have filters."""
    lines = [f"{'layer':24s} {'kind':18s} {'output':16s} {'parameters':>10s} {'multiply-adds':>13s}  dead filters"]
    for layer in anatomy.layers:
        filters = filters_of(layer)
        if filters is not None:
            shape = " x ".join(map(str, layer.shape))
            lines.append(
                f"{layer.name:24s} {layer.kind:18s} {shape:16s} {layer.parameters:10,d} {layer.multiply_adds:13,d}  "
                f"{int(filters.dead.sum())} of {len(filters.dead)}"
            )
    lines.append(f"{'all':60s} {anatomy.parameters:10,d} {anatomy.multiply_adds:13,d}")
    return lines
