"""The pictures of a study of layers, each from figures to one inline SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from training.corpus.survey_svg import HUES, INK, draw_svg
from training.study.layers.measured import TREATMENTS, Measured
from training.study.layers.told import HEADINGS

WIDTH_INCHES = 11.0
COLUMNS = 4
# A logarithmic scale has no zero: what is less is drawn here.
LEAST_RATE = 0.002
RATE_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
PANELS = {
    "reset, or drawn anew": ("reset", "drawn"),
    "weights set to zero": ("pruned",),
    "bits a weight": ("quantised",),
}


def moves_chart(log: Sequence[Mapping[str, Any]]) -> str:
    """A small picture for each layer: how far from its start, and how far in each epoch."""
    names = list(log[0]["kernels"])
    epochs = [each["epoch"] + 1 for each in log]
    rows = -(-len(names) // COLUMNS)
    most = max(_move(each, name, "since_start") for each in log for name in names)

    def draw(figure: Any) -> None:
        grid = figure.subplots(rows, COLUMNS, sharex=True, sharey=True, squeeze=False).ravel()
        for axes, name in zip(grid, names, strict=False):
            for key, hue in (("since_start", HUES[0]), ("since_epoch_before", HUES[1])):
                axes.plot(epochs, [_move(each, name, key) for each in log], color=hue, linewidth=2, marker="o",
                          markersize=3)  # fmt: skip
            axes.set_title(name, fontsize=11)
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.set_ylim(0, 1.08 * most)
            axes.grid(visible=True, axis="y")
        for axes in grid[len(names) :]:
            axes.set_visible(False)
        figure.supxlabel("epoch", fontsize=11)
        figure.supylabel("change / size of the start", fontsize=11)

    label = "How far each layer is from its start, and how far it moves in each epoch"
    return draw_svg("moves", label, draw, height_inches=1.0 + 1.6 * rows, width_inches=WIDTH_INCHES)


def total_chart(change: Mapping[str, float]) -> str:
    """One bar a layer: how far it ended from its start."""

    def draw(figure: Any) -> None:
        axes = figure.subplots()
        axes.barh(range(len(change)), list(change.values()), height=0.6, color=HUES[0])
        axes.set_yticks(range(len(change)), list(change))
        axes.invert_yaxis()
        axes.set_xlabel("change / size of the start")

    label = "How far each layer ended from its start"
    return draw_svg("total", label, draw, height_inches=1.0 + 0.3 * len(change), width_inches=WIDTH_INCHES)


def treatments_chart(measured: Mapping[str, Mapping[str, Measured]], plain_eer: float, *, tolerance: float) -> str:
    """The EER of each layer under each treatment, with the interval of what it costs; one picture a kind."""
    layers = list(measured)
    least = min(plain_eer, *(each.eer.value for row in measured.values() for each in row.values()))
    lowest = max(0.8 * least, LEAST_RATE)

    def draw(figure: Any) -> None:
        every = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (title, kinds) in zip(every, PANELS.items(), strict=True):
            shown = [each for each in TREATMENTS if each.kind in kinds]
            for place, treatment in enumerate(shown):
                for row, layer in enumerate(layers):
                    if treatment.name in measured[layer]:
                        cost = measured[layer][treatment.name].eer_cost
                        low, value, high = (max(plain_eer + each, lowest) for each in (cost.low, cost.value, cost.high))
                        y = row + 0.18 * (place - (len(shown) - 1) / 2)
                        axes.plot([low, high], [y, y], color=HUES[place], linewidth=1.5, alpha=0.5)
                        axes.plot([value], [y], color=HUES[place], marker="o", markersize=4)
                axes.plot([], [], color=HUES[place], marker="o", linestyle="none", label=HEADINGS[treatment.name])
            axes.axvline(plain_eer, color=INK, linewidth=1.2)
            axes.axvline(plain_eer + tolerance, color=INK, linewidth=1.2, linestyle=":")
            axes.set_xscale("log")
            axes.set_xlim(lowest, 0.6)
            ticks = [each for each in RATE_TICKS if each > lowest]
            axes.set_xticks(ticks, [f"{100 * each:g}" for each in ticks])
            axes.minorticks_off()
            axes.set_xlabel("EER, %")
            axes.set_title(title, fontsize=11, pad=34)
            key = axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4, frameon=False, fontsize=10,
                              columnspacing=0.8, handletextpad=0.0)  # fmt: skip
            # Else the layout would make room for a long key, and the panels narrow.
            key.set_in_layout(False)
        every[0].set_yticks(range(len(layers)), layers)
        every[0].invert_yaxis()

    label = "Equal error rate of each layer under each treatment"
    return draw_svg("treatments", label, draw, height_inches=1.6 + 0.36 * len(layers), width_inches=WIDTH_INCHES)


def _move(line: Mapping[str, Any], name: str, key: str) -> float:
    value = line["kernels"][name][key]
    return 0.0 if value is None else float(value)
