"""Everything one study of layers found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.study.layers.measured import Measured
from training.study.layers.paired import Rates
from training.study.layers.suggestion import SHIPPED, Outcome, suggested
from training.study.layers.told import points
from training.study.layers.verdict import Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Findings:
    """``network``: its name and size; ``people``: the validation speakers tried, in ``own_trials`` trials of their own
    voices; ``log``: the lines of ``layers.jsonl`` (empty for an older fit); ``change``: by layer, how far it ended from
    its start (empty where that is not known); ``pack``: what :func:`training.study.layers.on_pack.on_pack` gives (empty
    without a pack)."""

    network: str
    people: Sequence[str]
    own_trials: int
    far: float
    tolerance: float
    plain: Rates
    measured: Mapping[str, Mapping[str, Measured]]
    verdicts: Sequence[Verdict]
    conclusions: Sequence[str]
    outcomes: Mapping[str, Outcome]
    log: Sequence[Mapping[str, Any]]
    change: Mapping[str, float]
    start_told: str
    pack: Mapping[str, Any]

    @property
    def suggestion(self) -> str:
        """What to do about all of it, in a sentence."""
        name = suggested(self.outcomes, tolerance=self.tolerance)
        if name is None:
            return "Nothing that was tried together is surely tolerated in int8: leave the network as it is."
        each, plain = self.outcomes[name], self.outcomes[SHIPPED]
        return (
            f"Best together: {name}, in {len(each.plan)} layers: {points(each.int8_rates.eer_cost)} points of EER on "
            f"the int8 network, {each.saved_bytes / 1000:.0f} kB less when packed; the file compresses to "
            f"{each.deflated_bytes / 1000:.0f} kB instead of {plain.deflated_bytes / 1000:.0f} kB."
        )
