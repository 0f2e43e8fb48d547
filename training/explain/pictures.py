"""An explanation's pictures, each from figures to one inline SVG whose colours follow the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.sound.logmel import Features, FrontendSpec
from device.verdict.values import ResidentScore
from training.corpus.survey_svg import HUES, INK, draw_svg, short
from training.explain.deletion import Chance, Verdict
from training.explain.grid import Grid, Kept, Map
from training.explain.occlusion import Occlusion
from training.explain.scales import band_of, frame_seconds

WIDE_INCHES = 8.5
FOR, AGAINST, NEITHER = "#1769aa", "#c2410c", "#f5f5f4"
MARKS_HZ = (250, 1000, 2000, 4000, 7000)
METHODS = {
    "occlusion": "occlusion (int8)",
    "lime": "LIME (int8)",
    "grad_cam": "Grad-CAM (float)",
    "elementwise": "Grad-CAM, gradients left in place (float)",
    "integrated": "integrated gradients (float)",
}


def evidence_plot(scores: Sequence[ResidentScore], *, open_llr: float, refuse_llr: float) -> str:
    """A bar a resident: this clip's evidence, beside the thresholds."""
    rows = sorted(scores, key=lambda each: -each.llr)

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        values = [each.llr for each in rows]
        colours = [HUES[0] if each >= open_llr else INK if each > refuse_llr else HUES[1] for each in values]
        axes.barh(range(len(rows)), values, height=0.6, color=colours, alpha=0.75)
        axes.axvline(0.0, color=INK, linewidth=0.8)
        for at, word in ((open_llr, "open"), (refuse_llr, "refuse")):
            axes.axvline(at, color=INK, linestyle="--", linewidth=1.2)
            axes.text(at, -0.62, f"{word} {at:+.1f}", ha="center", va="bottom", fontsize=9)
        axes.set_yticks(range(len(rows)), [short(each.resident) for each in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("log-likelihood ratio of this clip")

    return draw_svg("evidence", "This clip's evidence for each resident", draw, height_inches=1.2 + 0.34 * len(rows),
                    width_inches=WIDE_INCHES)  # fmt: skip


def log_mel_plot(decibels: Features, spec: FrontendSpec, *, grid: Grid, kept: Kept) -> str:
    """The clip as log-mel, with what is left in the sound of what mattered outlined."""

    def draw(figure: Any) -> None:
        from matplotlib import colormaps

        axes = figure.subplots()
        top = float(np.quantile(decibels, 0.999))
        image = axes.imshow(decibels.T, origin="lower", aspect="auto", extent=_extent(spec), interpolation="none",
                            vmin=top - 65.0, vmax=top, cmap=colormaps["magma"].resampled(32))  # fmt: skip
        for one, other in _borders(grid, kept, spec):
            axes.plot(one, other, color="#7dd3fc", linewidth=1.3, solid_capstyle="projecting")
        _hz_axis(axes, spec)
        axes.set_xlabel("seconds")
        figure.colorbar(image, ax=axes, pad=0.01, aspect=30).set_label("dB")

    label = "The clip's log-mel spectrogram, the patches that speak for the resident most outlined"
    return draw_svg("logmel", label, draw, height_inches=3.4, width_inches=WIDE_INCHES)


def occlusion_plot(occlusion: Occlusion, grid: Grid, spec: FrontendSpec) -> str:
    """The grid of falls; above it those of moments without any band, beside it those of bands throughout."""

    def draw(figure: Any) -> None:
        axes = figure.subplots(2, 2, height_ratios=(1, 3), width_ratios=(5, 1))
        above, corner, middle, beside = axes[0][0], axes[0][1], axes[1][0], axes[1][1]
        corner.axis("off")
        seconds = frame_seconds(spec, occlusion.times_grid.time_edges)
        above.bar(seconds[:-1], occlusion.times, width=np.diff(seconds), align="edge",
                  color=_signed(occlusion.times), linewidth=0)  # fmt: skip
        above.axhline(0.0, color=INK, linewidth=0.8)
        above.set_xlim(*_extent(spec)[:2])
        above.set_xticklabels([])
        above.set_ylabel("all bands")
        above.grid(False)
        edges = occlusion.bands_grid.band_edges
        beside.barh(edges[:-1] - 0.5, occlusion.bands, height=np.diff(edges), align="edge",
                    color=_signed(occlusion.bands), linewidth=0)  # fmt: skip
        beside.axvline(0.0, color=INK, linewidth=0.8)
        beside.set_ylim(-0.5, spec.mel_bands - 0.5)
        beside.set_yticks([])
        beside.set_xlabel("all the time")
        beside.grid(False)
        _map(figure, middle, occlusion.patches, grid, spec, colourbar=False)

    label = "How far the score falls without each patch, each moment and each band"
    return draw_svg("occlusion", label, draw, height_inches=4.4, width_inches=WIDE_INCHES)


def map_plot(name: str, label: str, importance: Map, grid: Grid, spec: FrontendSpec) -> str:
    """One method's map."""

    def draw(figure: Any) -> None:
        _map(figure, figure.subplots(), importance, grid, spec, colourbar=True)

    return draw_svg(f"map-{name}", label, draw, height_inches=2.7)


def deletion_plot(verdicts: Mapping[str, Verdict], chance: Chance, *, open_llr: float) -> str:
    """The score as patches go, the most important first, beside random orders."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        share = 100.0 * chance.curve.removed
        axes.fill_between(share, chance.low, chance.high, color=INK, alpha=0.15, linewidth=0)
        axes.plot(share, chance.curve.scores, color=INK, linewidth=1.6, linestyle="--", label="random order, and 90 %")
        for number, (name, verdict) in enumerate(verdicts.items()):
            curve = verdict.curve
            axes.plot(100.0 * curve.removed, curve.scores, color=HUES[number % len(HUES)], linewidth=2.0,
                      label=METHODS.get(name, name))  # fmt: skip
        low, high = axes.get_ylim()
        if low < open_llr < high:
            axes.axhline(open_llr, color=INK, linewidth=0.8, linestyle=":")
            axes.text(100.0, open_llr, "opens alone", ha="right", va="bottom", fontsize=9)
        axes.set_xlim(0.0, 100.0)
        axes.set_xlabel("patches taken away, %")
        axes.set_ylabel("log-likelihood ratio")
        axes.grid(True, axis="both")
        axes.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.0, 1.0))

    label = "The score as patches are taken away, by each method's order and in random order"
    return draw_svg("deletion", label, draw, height_inches=3.4, width_inches=WIDE_INCHES)


def _map(figure: Any, axes: Any, importance: Map, grid: Grid, spec: FrontendSpec, *, colourbar: bool) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    colours = LinearSegmentedColormap.from_list("evidence", [AGAINST, NEITHER, FOR])
    # A map that points nowhere stays in the middle colour.
    most = max(float(np.abs(importance).max()), 1e-9)
    image = axes.imshow(grid.spread(importance).T, origin="lower", aspect="auto", extent=_extent(spec),
                        interpolation="none", vmin=-most, vmax=most, cmap=colours)  # fmt: skip
    _hz_axis(axes, spec)
    axes.set_xlabel("seconds")
    if colourbar:
        bar = figure.colorbar(image, ax=axes, pad=0.01, aspect=20)
        bar.set_ticks([-most, 0.0, most], labels=["against", "0", "for"])


def _extent(spec: FrontendSpec) -> tuple[float, float, float, float]:
    begin, end = frame_seconds(spec, np.array([0, spec.frames]))
    return float(begin), float(end), -0.5, spec.mel_bands - 0.5


def _hz_axis(axes: Any, spec: FrontendSpec) -> None:
    marks = [each for each in MARKS_HZ if spec.low_hz <= each <= spec.high_hz]
    places = band_of(spec, np.array(marks, dtype=np.float64))
    axes.set_yticks(places.tolist(), [str(each) for each in marks])
    axes.set_ylim(-0.5, spec.mel_bands - 0.5)
    axes.set_xlim(*_extent(spec)[:2])
    axes.set_ylabel("Hz")
    axes.grid(False)


def _signed(values: NDArray[np.float64]) -> list[str]:
    return [HUES[0] if each >= 0 else HUES[1] for each in values]


def _borders(grid: Grid, kept: Kept, spec: FrontendSpec) -> list[tuple[list[float], list[float]]]:
    """Lines (seconds, bands) between patches that are kept and those that are not."""
    seconds = frame_seconds(spec, grid.time_edges)
    bands = grid.band_edges - 0.5
    inside = np.pad(kept, 1)
    lines = []
    for time in range(len(seconds)):
        for band in range(len(bands)):
            if band < len(bands) - 1 and inside[time, band + 1] != inside[time + 1, band + 1]:
                lines.append(([seconds[time]] * 2, [bands[band], bands[band + 1]]))
            if time < len(seconds) - 1 and inside[time + 1, band] != inside[time + 1, band + 1]:
                lines.append(([seconds[time], seconds[time + 1]], [bands[band]] * 2))
    return lines
