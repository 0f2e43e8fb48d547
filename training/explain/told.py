"""An explanation in words and numbers: the places that mattered, and ``explain.json``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from device.sound.logmel import FrontendSpec
from device.verdict.bundle import Bundle
from training.explain.explanation import Explanation, Maps
from training.explain.grid import Grid, Map
from training.explain.neighbours import Neighbour
from training.explain.scales import bounds_hz, frame_seconds
from training.explain.visit import Judged

STRONGEST = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """One patch in the world's terms, and how much it counts."""

    from_seconds: float
    to_seconds: float
    from_hz: float
    to_hz: float
    importance: float

    @property
    def sentence(self) -> str:
        return (
            f"{self.from_seconds:.1f} to {self.to_seconds:.1f} s, {self.from_hz:.0f} to {self.to_hz:.0f} Hz "
            f"(by {self.importance:.2f})"
        )


def strongest(importance: Map, grid: Grid, spec: FrontendSpec) -> list[Spot]:
    """The most important patches, at most :data:`STRONGEST`, none that does not speak for the resident."""
    seconds = frame_seconds(spec, grid.time_edges)
    hz = bounds_hz(spec, grid.band_edges)
    found = []
    for flat in np.argsort(-importance.ravel(), kind="stable")[:STRONGEST]:
        time, band = np.unravel_index(flat, grid.shape)
        if importance[time, band] > 0.0:
            found.append(
                Spot(
                    from_seconds=float(seconds[time]),
                    to_seconds=float(seconds[time + 1]),
                    from_hz=float(hz[band]),
                    to_hz=float(hz[band + 1]),
                    importance=float(importance[time, band]),
                )
            )
    return found


def to_json(
    name: str,
    bundle: Bundle,
    heard: Sequence[Judged],
    place: int,
    explanation: Explanation,
    *,
    residents: Sequence[Neighbour] | None,
    strangers: Sequence[Neighbour] | None,
    command: str,
) -> dict[str, Any]:
    """Everything on the page and the maps themselves; times in seconds of the clip, frequencies in Hz."""
    spec, judged, maps = bundle.frontend, explanation.judged, explanation.maps
    return {
        "file": name,
        "command": command,
        "bundle": bundle.name,
        "clip": place + 1,
        "clips": [
            {
                "from_seconds": round(each.clip.started_at_seconds, 3),
                "to_seconds": round(each.clip.ended_at_seconds, 3),
                "speech_seconds": round(each.clip.speech_seconds, 2),
                "filled": each.clip.filled,
                "outcome": each.decision.outcome.value,
                "evidence": each.decision.evidence,
                "reason": each.decision.reason,
                "residents": [asdict(one) for one in each.score.residents],
            }
            for each in heard
        ],
        "outcome": judged.decision.outcome.value,
        "resident": explanation.best.resident,
        "llr": explanation.best.llr,
        "thresholds": {"open_llr": bundle.thresholds.open_llr, "refuse_llr": bundle.thresholds.refuse_llr},
        "passes": explanation.passes,
        **maps_told(maps, spec),
        "nearest_residents": _near(residents),
        "nearest_strangers": _near(strangers),
    }


def maps_told(maps: Maps, spec: FrontendSpec) -> dict[str, Any]:
    """Grid, maps and deletion areas. A map is a list of moments, each a list of its bands."""
    occlusion = maps.occlusion
    return {
        "grid": {
            "seconds": _rounded(frame_seconds(spec, maps.grid.time_edges)),
            "hz": _rounded(bounds_hz(spec, maps.grid.band_edges)),
        },
        "maps": {method: _rounded(each) for method, each in maps.by_method.items()},
        "occlusion_times": {
            "seconds": _rounded(frame_seconds(spec, occlusion.times_grid.time_edges)),
            "falls": _rounded(occlusion.times),
        },
        "occlusion_bands": {
            "hz": _rounded(bounds_hz(spec, occlusion.bands_grid.band_edges)),
            "falls": _rounded(occlusion.bands),
        },
        "lime_explained": maps.lime.explained,
        "float_int8_cosine": maps.cosine,
        "strongest": [asdict(each) for each in strongest(occlusion.patches, maps.grid, spec)],
        "deletion": {
            "whole": maps.whole,
            "empty": float(maps.chance.curve.scores[-1]),
            "random": {
                "area": maps.chance.area,
                "lowest": float(maps.chance.areas.min()),
                "highest": float(maps.chance.areas.max()),
            },
            **{
                method: {
                    "area": verdict.curve.area,
                    "random_orders_beaten": verdict.beaten,
                    "flat": verdict.flat,
                    "faithful": verdict.faithful,
                }
                for method, verdict in maps.verdicts.items()
            },
        },
    }


def dumped(told: dict[str, Any]) -> str:
    """As text; a figure that is not a number would make a file that strict readers refuse."""
    return json.dumps(told, indent=1, allow_nan=False)


def _near(found: Sequence[Neighbour] | None) -> list[dict[str, Any]] | None:
    if found is None:
        return None
    return [
        {"speaker": each.speaker, "session": each.session, "clip": each.place + 1, "cosine": each.cosine}
        for each in found
    ]


def _rounded(values: Any) -> Any:
    return np.round(np.asarray(values, dtype=np.float64), 5).tolist()
