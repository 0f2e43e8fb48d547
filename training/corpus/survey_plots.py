"""The survey's pictures, each from figures to one inline SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from device.enrolment.progress import ENOUGH_SPEECH_SECONDS
from device.sound.logmel import band_edges_hz
from device.sound.pcm import SAMPLE_RATE_HZ
from training.corpus.survey import Part, Survey
from training.corpus.survey_svg import HUES, INK, PITCH, draw_svg, short
from training.corpus.survey_voices import HOP_SAMPLES, LINEAR_TOP_HZ, Spread, Voice

# More rows make a picture taller than anybody scrolls; the table on the page holds everybody.
MOST_ROWS = 40
_Row = tuple[str, Spread]


def minutes_plot(residents: Sequence[Part]) -> str:
    """Bars a resident: net speech of each session, and what was silence."""
    shown = residents[:MOST_ROWS]

    def draw(axes: Any) -> None:
        for row, person in enumerate(shown):
            start = 0.0
            for number, session in enumerate(person.sessions):
                wide = session.speech_seconds / 60.0
                axes.barh(row, wide, left=start, height=0.6, color=HUES[0], alpha=1.0 if number % 2 == 0 else 0.6)
                start += wide
            axes.barh(row, max(0.0, person.seconds / 60.0 - start), left=start, height=0.6, color=INK, alpha=0.15)
        axes.axvline(ENOUGH_SPEECH_SECONDS / 60.0, color=HUES[1], linestyle="--", linewidth=1.5)
        axes.set_xlabel("minutes")
        _rows(axes, [each.name for each in shown])

    return _picture("minutes", "Minutes of speech and silence of each resident, by session", len(shown), draw)


def durations_plot(parts: Sequence[Part]) -> str:
    """Two boxes a part: how long recordings are, and how much of each is speech."""
    shown = parts[:MOST_ROWS]

    def draw(axes: Any) -> None:
        _boxes(axes, [(each.name, each.spread("seconds")) for each in shown], colour=INK, shift=-0.19, height=0.3)
        _boxes(axes, [(each.name, each.spread("speech_seconds")) for each in shown], colour=HUES[0], shift=0.19,
               height=0.3)  # fmt: skip
        axes.set_xlabel("seconds a recording")
        axes.set_xlim(left=0)
        _rows(axes, [each.name for each in shown])

    label = "Durations of recordings before and after silence is removed"
    return _picture("durations", label, len(shown) * 1.4, draw)


def spread_plot(name: str, label: str, axis: str, rows: Sequence[_Row], *, limit: float | None = None) -> str:
    """One box a row; ``limit`` draws the line at which advice begins."""
    shown = rows[:MOST_ROWS]

    def draw(axes: Any) -> None:
        _boxes(axes, shown, colour=HUES[0], shift=0.0, height=0.5)
        if limit is not None:
            axes.axvline(limit, color=HUES[1], linestyle="--", linewidth=1.5)
        axes.set_xlabel(axis)
        _rows(axes, [each for each, _ in shown])

    return _picture(name, label, len(shown), draw)


def clipping_plot(parts: Sequence[Part]) -> str:
    """A bar a part: which share of its recordings is clipped."""
    shown = parts[:MOST_ROWS]

    def draw(axes: Any) -> None:
        for row, part in enumerate(shown):
            axes.barh(row, 100.0 * len(part.clipped) / len(part.recordings), height=0.5, color=HUES[1])
        axes.set_xlabel("% of recordings")
        axes.set_xlim(left=0)
        _rows(axes, [each.name for each in shown])

    return _picture("clipping", "Share of recordings that are clipped", len(shown), draw)


def spectra_plot(voices: Sequence[Voice]) -> str:
    """Long-term average spectra, one line a voice."""

    def draw(axes: Any) -> None:
        for number, voice in enumerate(voices):
            style = "-" if number < len(HUES) else "--"
            axes.plot(voice.spectrum.bands_hz, voice.spectrum.level_db, color=HUES[number % len(HUES)], linestyle=style,
                      linewidth=1.8, label=short(voice.person))  # fmt: skip
        axes.set_xscale("log")
        ticks = [100, 200, 500, 1000, 2000, 5000]
        axes.set_xticks(ticks, [f"{each / 1000:g}k" if each >= 1000 else str(each) for each in ticks])
        axes.minorticks_off()
        axes.set_xlabel("Hz")
        axes.set_ylabel("dB, each voice's mean at 0")
        axes.grid(True, axis="both")
        axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.16))

    return _picture("spectra", "Long-term average spectra of the residents' voices", 0, draw, height_inches=4.2)


def closeness_plot(survey: Survey) -> str:
    """A row a resident: a box of all others, dots for other residents, a diamond for the same person on another day."""
    likeness = survey.likeness
    shown = likeness.surroundings[:MOST_ROWS]

    def draw(axes: Any) -> None:
        for row, each in enumerate(shown):
            if each.others is not None:
                _boxes(axes, [(each.person, each.others)], colour=INK, shift=float(row), height=0.36)
                axes.plot(
                    each.nearest[0].cosine, row, marker="x", markersize=9, color=INK, markeredgewidth=2.2, zorder=6
                )
            pairs = [pair for pair in likeness.residents if each.person in (pair.first, pair.second)]
            axes.scatter([pair.cosine for pair in pairs], [row] * len(pairs), s=42, color=HUES[0], alpha=0.85, zorder=4)
            if each.own_other_session is not None:
                axes.scatter([each.own_other_session], [row], s=64, marker="D", color=HUES[2], zorder=5)
        axes.axvline(likeness.look_alike_cosine, color=HUES[1], linestyle="--", linewidth=1.5)
        axes.set_xlabel("cosine between mean embeddings")
        _rows(axes, [each.person for each in shown])

    return _picture("closeness", "How alike everybody sounds to each resident", len(shown), draw)


def likeness_matrix(survey: Survey) -> str:
    """Residents against residents, shaded from the reference's median to 1."""
    names = [each.person for each in survey.likeness.surroundings][:MOST_ROWS]
    floor = survey.likeness.reference.median

    def draw(axes: Any) -> None:
        from matplotlib.patches import Rectangle

        for pair in survey.likeness.residents:
            if pair.first not in names or pair.second not in names:
                continue
            across, down = sorted((names.index(pair.first), names.index(pair.second)))
            alike = pair.cosine >= survey.likeness.look_alike_cosine
            shade = float(np.clip((pair.cosine - floor) / (1.0 - floor), 0.03, 1.0)) * 0.8
            cell = (across - 0.47, down - 0.47)
            axes.add_patch(Rectangle(cell, 0.94, 0.94, facecolor=HUES[1 if alike else 0], alpha=shade, linewidth=0))
            if len(names) <= 12:
                axes.text(across, down, f"{pair.cosine:.2f}", ha="center", va="center", fontsize=9)
        axes.grid(False)
        axes.set_xlim(-0.5, len(names) - 1.5)
        axes.set_xticks(range(len(names) - 1), [short(each, 11) for each in names[:-1]], rotation=35, ha="right")
        _rows(axes, names)
        axes.set_ylim(len(names) - 0.5, 0.5)
        axes.spines["bottom"].set_visible(False)
        axes.tick_params(length=0)

    return _picture("matrix", "How alike each pair of residents sounds", len(names) + 1, draw)


def spectrogram_plot(voice: Voice, number: int) -> str:
    """A clip twice: linear up to 2.5 kHz with its pitch, and mel as the network hears it."""
    example = voice.example
    linear_seconds = example.linear_db.shape[1] * HOP_SAMPLES / SAMPLE_RATE_HZ
    frontend, bands = example.frontend, example.mel_db.shape[0]
    first = frontend.frame_samples / 2 / SAMPLE_RATE_HZ
    edges_hz = band_edges_hz(frontend)

    def band(frequency_hz: Any) -> Any:
        return np.interp(np.asarray(frequency_hz, dtype=float), edges_hz, np.arange(bands + 2)) - 1

    def draw(figure: Any) -> None:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        times = np.arange(len(example.pitch_hz)) * HOP_SAMPLES / SAMPLE_RATE_HZ
        _image(upper, example.linear_db, (0.0, linear_seconds, 0.0, LINEAR_TOP_HZ / 1000.0))
        mel_seconds = example.mel_db.shape[1] * HOP_SAMPLES / SAMPLE_RATE_HZ
        _image(lower, example.mel_db, (first, first + mel_seconds, -0.5, bands - 0.5))
        for axes, heights in ((upper, example.pitch_hz / 1000.0), (lower, band(example.pitch_hz))):
            axes.plot(times, heights, color="#000000", linewidth=3.0, solid_capstyle="round")
            axes.plot(times, heights, color=PITCH, linewidth=1.6, solid_capstyle="round")
            axes.grid(False)
        upper.set_ylabel("linear, kHz")
        lower.set_ylabel("mel, Hz")
        marks = [each for each in (200, 1000, 3000, 7000) if frontend.low_hz <= each <= frontend.high_hz]
        lower.set_yticks([float(band(each)) for each in marks], [str(each) for each in marks])
        lower.set_ylim(-0.5, bands - 0.5)
        lower.set_xlim(0.0, linear_seconds)
        lower.set_xlabel("seconds")

    label = f"Spectrograms of {voice.person}: linear above, mel below, the pitch drawn over both"
    return draw_svg(f"voice{number}", label, draw, height_inches=4.5)


def _boxes(axes: Any, rows: Sequence[_Row], *, colour: str, shift: float, height: float) -> None:
    """Boxes of the middle half, whiskers from 5 to 95 %, a line at the median."""
    for row, (_, spread) in enumerate(rows):
        at = row + shift
        axes.plot([spread.low, spread.high], [at, at], color=colour, linewidth=1.4, alpha=0.7, zorder=2)
        wide = max(spread.three_quarters - spread.quarter, 1e-9)
        axes.barh(at, wide, left=spread.quarter, height=height, color=colour, alpha=0.35, linewidth=0, zorder=2)
        axes.plot([spread.median] * 2, [at - height / 2, at + height / 2], color=colour, linewidth=2.4, zorder=3)


def _rows(axes: Any, names: Sequence[str]) -> None:
    axes.set_yticks(range(len(names)), [short(each) for each in names])
    axes.set_ylim(len(names) - 0.5, -0.5)


def _image(axes: Any, decibels: Any, extent: tuple[float, float, float, float]) -> None:
    from matplotlib import colormaps

    top = float(np.quantile(decibels, 0.999))
    # Few colours make a small picture, and the eye does not tell more apart here.
    axes.imshow(decibels, origin="lower", aspect="auto", extent=extent, interpolation="none", vmin=top - 65.0, vmax=top,
                cmap=colormaps["magma"].resampled(32))  # fmt: skip


def _picture(
    name: str, label: str, rows: float, draw: Callable[[Any], None], *, height_inches: float | None = None
) -> str:
    return draw_svg(
        name, label, lambda figure: draw(figure.subplots()), height_inches=height_inches or 1.0 + 0.34 * rows
    )
