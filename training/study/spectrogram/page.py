"""The study of the spectrogram as one page: the settings, what each changes, the bands' means, the pitch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.corpus.survey_svg import HUES, INK, draw_svg
from training.report_page import table
from training.study.paired import points
from training.study.spectrogram.told import sentences
from training.study.study_page import WIDE_INCHES, document, figure, intervals

_AXES = {"bands": "Bands and scale", "length": "Length of a clip", "silence": "Silence"}


def page(told: Mapping[str, Any]) -> str:
    """The whole page for what :mod:`training.study.spectrogram.command` found."""
    rows = told["settings"]
    parts = ["<h2>Settings</h2>", _differences(rows), *_tables(rows), _HOW]
    if told["band_means"]:
        parts += ["<h2>Whose is a band's mean level?</h2>", *_bands(told["band_means"]), _HOW_BANDS]
    if told["pitch"]:
        parts += ["<h2>Pitch</h2>", _pitch(told["pitch"]["people"]), _HOW_PITCH]
    return document("The spectrogram: bands, length, silence", summary(told), told["command"], parts)


def summary(told: Mapping[str, Any]) -> str:
    """What the figures say: which settings differ beyond chance, then the bands' means and the pitch."""
    compared = [row for row in told["settings"] if row["against"]]

    def named(better: bool) -> str:
        names = [
            f"{row['name']} against {row['against']}"
            for row in compared
            if (row["less"]["eer"]["high"] < 0 if better else row["less"]["eer"]["low"] > 0)
        ]
        return ", ".join(names) or "none"

    return " ".join([
        f"{told['draws']} random households of {told['residents']} from {told['pack']['speakers']} people. Beyond "
        f"chance in EER on another day and strangers never met: better {named(True)}; worse {named(False)}.",
        *sentences(told),
    ])  # fmt: skip


def _differences(rows: Sequence[Mapping[str, Any]]) -> str:
    shown = [(f"{row['name']} against {row['against']}", row["less"]["eer"]) for row in rows if row["against"]]
    picture = intervals("settings", "What each setting changes in the EER", "EER less that of the other, points", shown)
    return figure(
        picture,
        "Left of 0 the setting is better than what it is compared with. Lines: 95 % intervals, people and draws drawn "
        "anew; coloured where they leave 0 out. One in twenty does by chance alone.",
    )


def _tables(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    head = ["", "EER", "less", "against", "FRR at FAR 1 %", "less", "EER of a visit", "FRR of a visit",
            "closed-set F1", "clips"]  # fmt: skip
    parts = []
    for axis, title in _AXES.items():
        shown = [row for row in rows if row["axis"] == axis]
        if shown:
            parts += [f"<h3>{title}</h3>", table(head, [_row(row) for row in shown])]
    return parts


def _row(row: Mapping[str, Any]) -> list[str]:
    figures = {name: each["mean"] for name, each in row["figures"].items()}
    less = row.get("less", {})
    return [
        row["name"],
        f"{figures['eer']:.2%}",
        points(less.get("eer")),
        row["against"],
        f"{figures['frr_where_far_is_1pct']:.1%}",
        points(less.get("frr_where_far_is_1pct")),
        f"{figures['visit_eer']:.2%}",
        f"{figures['visit_frr_where_far_is_1pct']:.1%}",
        f"{figures['closed_set_f1']:.3f}",
        str(row["clips"]),
    ]


def _bands(means: Mapping[str, Any]) -> list[str]:
    centres = means["centres_hz"]

    def shares(drawn: Any) -> None:
        axes = drawn.subplots()
        for number, (name, said) in enumerate((("as_recorded", "level as recorded"), ("colour", "overall level out"))):
            shown = 100.0 * np.array(means[name]["share"])
            axes.plot(centres, shown, color=HUES[number], linewidth=2.0, marker="oD"[number], markersize=4, label=said)
        axes.set_ylabel("the speaker's share, %")
        axes.set_ylim(0, 100)
        _hertz(axes)
        axes.legend(frameon=False, fontsize=10, loc="lower left")

    def lines(drawn: Any) -> None:
        axes = drawn.subplots()
        for number, levels in enumerate(means["speakers"].values()):
            axes.plot(centres, levels, color=HUES[number % len(HUES)], linewidth=1.4, alpha=0.8,
                      linestyle=("-", "--", ":")[number // len(HUES) % 3])  # fmt: skip
        axes.axhline(0.0, color=INK, linewidth=0.8, alpha=0.5)
        axes.set_ylabel("dB, each voice's mean at 0")
        _hertz(axes)

    first = draw_svg("shares", "The speaker's share of each band's variance", shares, height_inches=3.2,
                     width_inches=WIDE_INCHES)  # fmt: skip
    second = draw_svg("levels", "Each speaker's mean level in each band", lines, height_inches=3.4,
                      width_inches=WIDE_INCHES)  # fmt: skip
    return [
        figure(first, f"{len(means['speakers'])} people on {means['sessions']} days; the rest of each band's variance "
                      "is that of the same person's other days."),
        figure(second, "Mean intensity a band, a line a person, overall level out."),
    ]  # fmt: skip


def _hertz(axes: Any) -> None:
    axes.set_xscale("log")
    ticks = [100, 200, 500, 1000, 2000, 5000]
    axes.set_xticks(ticks, [f"{each / 1000:g}k" if each >= 1000 else str(each) for each in ticks])
    axes.minorticks_off()
    axes.set_xlabel("the band's centre, Hz")
    axes.grid(True, axis="both")


def _pitch(people: Sequence[Mapping[str, Any]]) -> str:
    ranked = sorted(people, key=lambda row: float(np.median(row["sessions_hz"])))
    sexes = sorted({row["sex"] for row in ranked})

    def draw(drawn: Any) -> None:
        axes = drawn.subplots()
        for number, sex in enumerate(sexes):
            said = {"f": "women", "m": "men"}.get(sex, "not told")
            mine = [(rank, hz) for rank, row in enumerate(ranked) if row["sex"] == sex for hz in row["sessions_hz"]]
            axes.scatter([rank for rank, _ in mine], [hz for _, hz in mine], s=26, marker="oDs"[number % 3],
                         color=HUES[number % len(HUES)], label=said, zorder=3)  # fmt: skip
        for rank, row in enumerate(ranked):
            if len(row["sessions_hz"]) > 1:
                axes.plot([rank, rank], [min(row["sessions_hz"]), max(row["sessions_hz"])], color=INK, linewidth=1.2,
                          alpha=0.6)  # fmt: skip
        axes.set_xlabel("people, by pitch")
        axes.set_xticks([])
        axes.set_ylabel("median pitch of a day, Hz")
        axes.grid(True, axis="y")
        axes.legend(frameon=False, fontsize=10, loc="upper left")

    picture = draw_svg("pitch", "Median pitch of each person and day", draw, height_inches=3.4,
                       width_inches=WIDE_INCHES)  # fmt: skip
    return figure(picture, "A dot a day; a line joins one person's days.")


_HOW = (
    "<p>Every setting is learnt anew in every household and judged on residents on another day and on strangers the "
    "network never met, by the float network. EER, FRR and what they are less than those of the setting in "
    "<i>against</i> (points, with 95 % intervals) are of single clips; a visit is the mean of up to three. "
    "FRR is told where the judged strangers' own FAR is 1 %. The closed-set F1 is what course projects "
    "report: other clips of the same people on the same day. The network has the same layers for every picture, so "
    "with more bands each of its convolutions spans fewer Hz.</p>"
    "<p>Lengths: what the door cut is joined, day by day, and cut again; residents are enrolled on the same seconds of "
    "speech, so a shorter clip means more of them, learnt in larger batches, and its visit of three clips is shorter "
    "too. Blind cutting takes the recordings as they are: read speech with short pauses, in which there is little "
    "silence to remove. An evening at a door has far more.</p>"
)
_HOW_BANDS = (
    "<p>The front-end subtracts each band's mean over the clip. Above is what that mean holds: sessions' mean levels, "
    "variance between speakers against variance of one speaker's days. A share of 0 means that a band's level tells "
    "the day and not the person. The setting <i>bands' means kept</i> in the first table asks the same of the "
    "network.</p>"
)
_HOW_PITCH = (
    "<p>The median pitch (pYIN) of a few clips a day. As a verifier a clip is as good as it is near, in octaves, to "
    "the nearest resident's pitch on the day that was learnt.</p>"
)
