"""Detection error trade-off curves of several systems (Martin et al., Eurospeech 1997), axes in normal deviates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

from device.errors import DataError
from training.atomic import write_atomically

TICKS = (0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4)
KINDS = {"clip_to_clip": "clip against clip", "clip_to_ten": "clip against ten clips"}


def curves(systems: Mapping[str, Any]) -> Iterator[tuple[str, str, list[float], list[float]]]:
    """``(kind, label, far, frr)`` of each system, in the corpus whose trials cross sessions (else in all pooled)."""
    for name, told in systems.items():
        verification = told.get("verification", {})
        across = [corpus for corpus, found in verification.items() if found.get("across_sessions")]
        for corpus in across[:1] or list(verification)[-1:]:
            for kind in KINDS:
                if kind in verification[corpus]:
                    points = verification[corpus][kind]["det"]
                    yield kind, f"{name}, {corpus}", points["far"], points["frr"]


def draw_det(systems: Mapping[str, Any], path: Path) -> None:
    """Write the picture; its kind follows from the ending. Raises :class:`DataError` where there is nothing to draw."""
    from matplotlib.figure import Figure

    found = list(curves(systems))
    if not found:
        raise DataError("there are no verification trials to draw", where=str(path))
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    deviate = NormalDist().inv_cdf
    places = [deviate(tick) for tick in TICKS]
    labels = [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in TICKS]
    for axes, (kind, words) in zip(figure.subplots(1, 2), KINDS.items(), strict=True):
        for _, label, far, frr in (each for each in found if each[0] == kind):
            inside = [(x, y) for x, y in zip(far, frr, strict=True) if 0 < x < 1 and 0 < y < 1]
            axes.plot([deviate(x) for x, _ in inside], [deviate(y) for _, y in inside], label=label)
        axes.plot(places, places, color="0.8", linewidth=0.8)
        axes.set(title=words, xlabel="false accepts", ylabel="false rejects", xlim=(places[0], places[-1]),
                 ylim=(places[0], places[-1]), aspect="equal")  # fmt: skip
        axes.set_xticks(places, labels)
        axes.set_yticks(places, labels)
        axes.grid(alpha=0.3)
        axes.legend(loc="upper right")
    ending = path.suffix.removeprefix(".")
    if ending not in ("svg", "png"):
        raise DataError("pictures are svg or png", where=str(path), received=path.suffix, allowed=".svg, .png")
    write_atomically(path, lambda file: figure.savefig(file, format=ending, dpi=120))
