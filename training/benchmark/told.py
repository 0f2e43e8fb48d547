"""The benchmark's result as a table for people; the JSON beside it holds everything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def table(result: Mapping[str, Any]) -> str:
    """All systems side by side. ``ours / other`` ratios are left to the reader's eye: intervals are wide."""
    return "\n".join([*_verification(result), "", *_household(result), *_one_door(result)])


def _verification(result: Mapping[str, Any]) -> Iterator[str]:
    yield f"verification: {'':34s} EER, %                FRR at FAR 1 %        FRR at FAR 0.1 %      minDCF"
    for name, told in result["systems"].items():
        if "verification" not in told:
            continue
        for corpus, figures in told["verification"].items():
            crossed = "" if corpus == "pooled" else "across sessions" if figures["across_sessions"] else "one session"
            for kind, words in (("clip_to_clip", "clip to clip"), ("clip_to_ten", "clip to ten")):
                if kind in figures:
                    cells = "  ".join(
                        _interval(figures[kind][key]) for key in ("eer", "frr_at_far_1pct", "frr_at_far_01pct")
                    )
                    where = f"{corpus} ({crossed})" if crossed else corpus
                    cost = figures[kind]["min_dcf"]["value"]
                    yield f"{name:8s} {where:42s} {words:12s} {cells}  {cost:.3f}"


def _household(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"household: {'':13s} one clip: EER, FRR at FAR 1 % (reached), at 0.1 % (reached)     "
        "up to three clips: the same;  thresholds from clean speech"
    )
    for name, told in result["systems"].items():
        for condition, figures in told["household"].items():
            cells = "    ".join(_rates(figures[unit]) for unit in ("clip", "visit"))
            yield f"{name:8s} {condition:16s} {cells}"
    yield ""
    yield "at the same FAR of the strangers judged, 1 %: FRR of one clip, of up to three; FAR by the strangers' corpus"
    for name, told in result["systems"].items():
        for condition, figures in told["household"].items():
            clip, visit = (figures[unit]["frr_where_far_is_1pct"]["value"] for unit in ("clip", "visit"))
            start = "far_reached_1pct_"
            by_corpus = "  ".join(
                f"{key.removeprefix(start)} {value['value']:.2%}"
                for key, value in figures["clip"].items()
                if key.startswith(start)
            )
            yield f"{name:8s} {condition:16s} {clip:6.1%} {visit:6.1%}    {by_corpus}"


def _one_door(result: Mapping[str, Any]) -> Iterator[str]:
    systems = {name: told["one_door"] for name, told in result["systems"].items() if "one_door" in told}
    if systems:
        yield ""
        yield (
            f"one door: {'':41s} visits at a target of 1 %: FAR reached, FRR; of 0.1 %: FAR, FRR; "
            "in brackets FAR with strangers as recorded"
        )
    for name, told in systems.items():
        for household in told["judged"]:
            for door, figures in told["doors"].items():
                mark = " (to choose on)" if figures["to_choose_on"] else ""
                yield f"{name:8s} {household:9s} {door + mark:42s} {_door_rates(figures[household], 'value')}"
            for which in ("mean", "worst"):
                cells = _door_rates(told["judged"][household], which)
                yield f"{name:8s} {household:9s} {which + ' of the doors that judge':42s} {cells}"


def _door_rates(figures: Mapping[str, Any], which: str) -> str:
    return "   ".join(
        f"{figures[f'far_reached_{far}'][which]:7.2%} {figures[f'frr_at_far_{far}'][which]:6.1%} "
        f"({figures[f'far_reached_{far}_from_strangers_as_recorded'][which]:6.1%})"
        for far in ("1pct", "01pct")
    )


def _rates(told: Mapping[str, Any]) -> str:
    pairs = (
        f"{told[f'frr_at_far_{far}']['value']:6.1%} ({told[f'far_reached_{far}']['value']:5.2%})"
        for far in ("1pct", "01pct")
    )
    return f"{told['eer']['value']:6.1%}  {'  '.join(pairs)}"


def _interval(told: Mapping[str, float]) -> str:
    return f"{100 * told['value']:5.1f} ({100 * told['low']:4.1f} ..{100 * told['high']:5.1f})"
