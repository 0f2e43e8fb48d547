"""The study of the spectrogram for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from training.study.paired import points


def table(told: Mapping[str, Any]) -> str:
    """One line a setting, and what pitch and the bands' means tell."""
    return "\n".join([*_settings(told["settings"]), *sentences(told)])


def _settings(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        f"{'setting':32s} clips    EER  FRR@FAR1%  visit EER  closed-set F1   against        "
        "EER less that (points, 95 %)    FRR@FAR1% less that"
    )
    for row in rows:
        figures = {name: each["mean"] for name, each in row["figures"].items()}
        less = row.get("less", {})
        yield (
            f"{row['name']:32s} {row['clips']:5d} {figures['eer']:6.2%} {figures['frr_where_far_is_1pct']:10.1%} "
            f"{figures['visit_eer']:10.2%} {figures['closed_set_f1']:14.3f}   {row['against']:14s} "
            f"{points(less.get('eer')):31s} {points(less.get('frr_where_far_is_1pct'))}"
        )


def sentences(told: Mapping[str, Any]) -> list[str]:
    """What the bands' means and the pitch tell, in words; empty where they were not asked."""
    found = []
    if told["band_means"]:
        means = told["band_means"]
        shares = {name: sum(means[name]["share"]) / len(means[name]["share"]) for name in ("as_recorded", "colour")}
        found.append(
            f"Of the variance of a band's mean level among {len(means['speakers'])} people on {means['sessions']} days "
            f"{shares['as_recorded']:.0%} is the speaker's, averaged over the bands, the rest the day's; with each "
            f"day's overall level taken out {shares['colour']:.0%}."
        )
    if told["pitch"]:
        alone, share = told["pitch"]["alone"], told["pitch"]["share"]
        if alone["household_eer"] is not None:
            found.append(
                f"Pitch alone tells residents on another day from strangers with an EER of {alone['household_eer']:.0%}"
                + (
                    f", and one resident from strangers of the same sex with {alone['same_sex_eer']:.0%}."
                    if alone["same_sex_eer"] is not None
                    else "."
                )
            )
        said = [f"{value:.0%} {words}" for words, value in share.items() if value is not None]
        if said:
            found.append(f"The speaker's share of the variance of pitch between days: {', '.join(said)}.")
    return found
