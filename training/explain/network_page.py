"""The page of a network: its layers as a table, its filters and what it makes of a clip as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.corpus.survey_svg import HUES, INK, draw_svg
from training.explain.layers import DEAD_SHARE, Anatomy, Filters, Layer, filters_of, pictures_of
from training.explain.page import HUES_STYLE
from training.explain.pictures import AGAINST, FOR, NEITHER, WIDE_INCHES
from training.report_page import STYLE, table

# More small pictures than this are more than anybody looks at: the strongest come first.
MOST_PICTURES = 24
ACROSS = 8


def network_html(anatomy: Anatomy, *, title: str, clip: str, command: str) -> str:
    """The whole page: no scripts, nothing loaded from elsewhere, light and dark. ``clip``: whose feature maps are
    shown; empty for none."""
    with_filters = [(each, filters_of(each)) for each in anatomy.layers]
    filtered = [(layer, filters) for layer, filters in with_filters if filters is not None]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title><style>{STYLE}{HUES_STYLE}</style><h1>{escape(title)}</h1>",
        f"<p class=lead>{_lead(anatomy, filtered)}</p>",
        _first(filtered),
        _summary(filtered),
        _layers(anatomy),
        _maps(anatomy, clip),
        f"<p class=soft>Made again by <code>{escape(command)}</code>; all figures are in <code>network.json</code> "
        "beside this page.</p></html>",
    ]
    return "\n".join(parts)


def _lead(anatomy: Anatomy, filtered: Sequence[tuple[Layer, Filters]]) -> str:
    dead = sum(int(filters.dead.sum()) for _, filters in filtered)
    count = sum(len(filters.dead) for _, filters in filtered)
    return (
        f"{escape(anatomy.source)}: {len(anatomy.layers)} {'layers' if anatomy.form == 'float' else 'operations'}, "
        f"{anatomy.parameters:,} parameters, {anatomy.multiply_adds / 1e6:.1f} million multiply-adds "
        "of convolutions and dense layers for a clip. "
        f"{dead} of {count} filters are dead: less than {DEAD_SHARE:.0%} of the median of their layer."
    )


def _first(filtered: Sequence[tuple[Layer, Filters]]) -> str:
    if not filtered:
        return ""
    layer, filters = filtered[0]
    assert layer.kernel is not None
    pictures = pictures_of(layer.kernel)[np.argsort(-filters.norms)][:MOST_PICTURES]
    shown = "" if len(pictures) == len(filters.norms) else f" The {len(pictures)} longest of {len(filters.norms)}."
    picture = _pictures("first", f"Filters of {layer.name}", list(pictures), signed=True)
    return (
        f"<h2>The first filters</h2><figure>{picture}<figcaption>{escape(layer.name)}, {_size(layer)}, the longest "
        f"first: time to the right, frequency upwards; blue above 0, orange below, each at its own scale.{shown}"
        "</figcaption></figure>"
    )


def _summary(filtered: Sequence[tuple[Layer, Filters]]) -> str:
    if not filtered:
        return "<p>No layer of this network has filters that can be read.</p>"
    rows = []
    counted = any(filters.silent is not None for _, filters in filtered)
    for layer, filters in filtered:
        low, middle, high = np.quantile(filters.norms, (0.0, 0.5, 1.0))
        silent = "" if filters.silent is None else str(filters.silent)
        rows.append([
            layer.name, _size(layer), str(len(filters.norms)), f"{low:.3g}", f"{middle:.3g}", f"{high:.3g}",
            str(int(filters.dead.sum())), *([silent] if counted else []),
        ])  # fmt: skip
    head = ["", "size", "filters", "shortest", "median length", "longest", "dead", *(["silent"] if counted else [])]
    silence = (
        "<p class=soft><i>Silent</i> channels are 0 throughout the clip. They are counted where a ReLU is part of the "
        "layer, as in an int8 network.</p>"
    )
    folded = any(layer.folded for layer, _ in filtered)
    note = " The norm after a convolution is folded into it, as the int8 network has it." if folded else ""
    return (
        f"<h2>Filters of each layer</h2><figure>{_norms_plot(filtered)}<figcaption>How long the filters of each layer "
        f"are: a dot is a filter, the line the median.{note}</figcaption></figure>{table(head, rows)}"
        f"{silence if counted else ''}"
    )


def _layers(anatomy: Anatomy) -> str:
    rows = [
        [each.name, each.kind, " × ".join(map(str, each.shape)), f"{each.parameters:,}" if each.parameters else "",
         f"{each.multiply_adds:,}" if each.multiply_adds else ""]
        for each in anatomy.layers
    ]  # fmt: skip
    rows.append(["all", "", "", f"{anatomy.parameters:,}", f"{anatomy.multiply_adds:,}"])
    head = ["", "kind", "output: frames × bands × channels", "parameters", "multiply-adds"]
    return f"<h2>Every layer</h2>{table(head, rows)}"


def _maps(anatomy: Anatomy, clip: str) -> str:
    if not clip:
        return "<h2>What each layer makes of a clip</h2><p>Add <code>--clip visit.wav</code> to see it.</p>"
    figures = []
    for number, layer in enumerate(anatomy.layers):
        if layer.maps is None:
            continue
        figures.append(f"<figure>{_map_figure(number, layer)}<figcaption>{_caption(layer)}</figcaption></figure>")
    return (
        f"<h2>What each layer makes of {escape(clip)}</h2><p>Channels, the strongest first: time to the right, "
        f"frequency upwards, each at its own scale. At most {MOST_PICTURES} of each layer.</p>{''.join(figures)}"
    )


def _map_figure(number: int, layer: Layer) -> str:
    maps = layer.maps
    assert maps is not None
    label = f"Feature maps of {layer.name}"
    if maps.ndim == 3 and maps.shape[0] > 1 and maps.shape[1] > 1:
        order = np.argsort(-np.square(maps.astype(np.float64)).sum(axis=(0, 1)))[:MOST_PICTURES]
        return _pictures(f"maps{number}", label, [maps[:, :, each] for each in order], signed=bool(maps.min() < 0))
    # One axis is left beside the channels, or none: one picture of all.
    return _plane(f"maps{number}", label, maps.reshape(-1, maps.shape[-1]))


def _caption(layer: Layer) -> str:
    assert layer.maps is not None
    values = layer.maps
    zero = float(np.mean(values == 0.0))
    return (
        f"<b>{escape(layer.name)}</b>, {escape(layer.kind)}, {' × '.join(map(str, layer.shape))}; "
        f"{values.min():.3g} to {values.max():.3g}, {zero:.0%} of it 0"
    )


def _pictures(name: str, label: str, pictures: Sequence[NDArray[np.float32]], *, signed: bool) -> str:
    """Small pictures ``(time, bands)`` in rows."""
    times, bands = pictures[0].shape
    rows = (len(pictures) + ACROSS - 1) // ACROSS
    tall = min(max(bands / times, 0.35), 1.0) * WIDE_INCHES / ACROSS

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.axis("off")
        _image(axes, mosaic(pictures), signed=signed)

    return draw_svg(name, label, draw, height_inches=rows * tall + 0.1, width_inches=WIDE_INCHES)


def mosaic(pictures: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Pictures ``(time, bands)`` as one, time to the right, :data:`ACROSS` in a row, the first at the top: each scaled
    to at most 1, nothing (NaN) between them. Rows count upwards."""
    times, bands = pictures[0].shape
    # At least a tenth of a picture, and a whole cell.
    right, up = max(1, times // 10), max(1, bands // 10)
    rows = (len(pictures) + ACROSS - 1) // ACROSS
    made = np.full((rows * (bands + up) - up, ACROSS * (times + right) - right), np.nan, dtype=np.float32)
    for place, each in enumerate(pictures):
        row, column = rows - 1 - place // ACROSS, place % ACROSS
        bottom, left = row * (bands + up), column * (times + right)
        scaled = each.T / max(float(np.abs(each).max()), 1e-12)
        made[bottom : bottom + bands, left : left + times] = scaled
    return made


def _plane(name: str, label: str, plane: NDArray[np.float32]) -> str:
    """``(times, channels)`` as one picture, time to the right; a single time as bars."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.grid(False)
        if len(plane) == 1:
            axes.bar(range(plane.shape[1]), plane[0], width=1.0, color=HUES[0], linewidth=0)
            axes.axhline(0.0, color=INK, linewidth=0.8)
            axes.set_xlabel("channel")
            axes.set_xlim(-0.5, plane.shape[1] - 0.5)
            return
        _image(axes, plane.T, signed=bool(plane.min() < 0))
        axes.set_xlabel("time")
        axes.set_ylabel("channel")
        axes.set_xticks([])

    return draw_svg(name, label, draw, height_inches=1.9, width_inches=WIDE_INCHES)


def _image(axes: Any, values: NDArray[np.float32], *, signed: bool) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    most = max(float(np.nanmax(np.abs(values))), 1e-12)
    colours = (
        LinearSegmentedColormap.from_list("evidence", [AGAINST, NEITHER, FOR], N=32)
        if signed
        else colormaps["magma"].resampled(32)
    )
    axes.imshow(values, origin="lower", aspect="auto", interpolation="none", vmin=-most if signed else 0.0, vmax=most,
                cmap=colours)  # fmt: skip


def _norms_plot(filtered: Sequence[tuple[Layer, Filters]]) -> str:
    def draw(figure: Any) -> None:
        axes = figure.subplots()
        for row, (_, filters) in enumerate(filtered):
            colours = [HUES[1] if dead else HUES[0] for dead in filters.dead]
            jitter = np.random.default_rng(row).uniform(-0.28, 0.28, len(filters.norms))
            axes.scatter(np.maximum(filters.norms, 1e-6), row + jitter, s=7, color=colours, alpha=0.6, linewidths=0)
            middle = float(np.median(filters.norms))
            axes.plot([middle, middle], [row - 0.35, row + 0.35], color=INK, linewidth=2.0)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_xlabel("length of a filter")
        axes.set_yticks(range(len(filtered)), [layer.name for layer, _ in filtered])
        axes.set_ylim(len(filtered) - 0.5, -0.5)

    return draw_svg("norms", "How long the filters of each layer are", draw, height_inches=1.0 + 0.3 * len(filtered),
                    width_inches=WIDE_INCHES)  # fmt: skip


def _size(layer: Layer) -> str:
    assert layer.kernel is not None
    height, width, inputs, _ = layer.kernel.shape
    return f"{height} × {width} × {inputs}"
