"""The layers that tolerate something, treated together: how many of them the network still carries, and that in int8.

What each layer tolerates alone, all may not tolerate at once. So the layers of a plan are added one after the other,
those that save most first, and one that is surely tolerated no longer together with those before it is left out.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.atomic import write_atomically
from training.corpus.index import Progress
from training.networks.parts import Kernel, Values
from training.quantize import quantize
from training.study.layers.bench import Bench, with_kernels
from training.study.layers.measured import ALL, Kept, Measured, compared, one_measured
from training.study.layers.paired import Rates
from training.study.layers.treatments import MOST_BITS, packed_bytes, pruned, quantised
from training.study.layers.verdict import YES, Verdict, answer

FEW_BITS, HALF = 4, 0.5
SHIPPED = "as learnt"


@dataclass(frozen=True, slots=True)
class Change:
    """What is done to one kernel: first pruned, then held in so many bits."""

    bits: int = MOST_BITS
    share: float = 0.0

    def of(self, kernel: Kernel) -> Values:
        made = pruned(kernel.values(), self.share) if self.share > 0 else kernel.values()
        return made if self.bits == MOST_BITS else quantised(made, self.bits, channel_axis=kernel.channel_axis)

    def saved_bytes(self, weights: int) -> float:
        """Packed, against one byte a weight."""
        return weights - packed_bytes(weights, bits=self.bits, share=self.share)


Plan = Mapping[str, Change]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan carried out. ``saved_bytes``: packed, against int8. ``deflated_bytes``: the int8 file, compressed as a
    parcel is. ``float_rates`` against the float network, ``int8_rates`` against the int8 one, both as learnt."""

    plan: Plan
    saved_bytes: float
    file_bytes: int
    deflated_bytes: int
    float_rates: Measured
    int8_rates: Measured


def plans(verdicts: Sequence[Verdict]) -> dict[str, Plan]:
    """What could be tried together, by name; only what is tolerated alone, and no plan that would change nothing."""
    layers = [each for each in verdicts if each.layer != ALL]

    def plan(bits: Mapping[str, int], shares: Mapping[str, float]) -> Plan:
        made = {each.layer: Change(bits.get(each.layer, MOST_BITS), shares.get(each.layer, 0.0)) for each in layers}
        return {layer: change for layer, change in made.items() if change != Change()}

    few = {each.layer: FEW_BITS for each in layers if 0 < each.bits <= FEW_BITS}
    fewest = {each.layer: each.bits for each in layers if each.bits}
    half = {each.layer: HALF for each in layers if each.share >= HALF}
    most = {each.layer: each.share for each in layers if each.share >= HALF}
    wanted = {
        f"{FEW_BITS} bits": plan(few, {}),
        "fewest bits": plan(fewest, {}),
        f"{HALF:.0%} zero": plan({}, half),
        "most zeros": plan({}, most),
        f"{HALF:.0%} zero, {FEW_BITS} bits": plan(few, half),
        "most zeros, fewest bits": plan(fewest, most),
    }
    return {name: made for name, made in wanted.items() if made}


def fitting(bench: Bench, plain: Rates, plan: Plan, *, tolerance: float) -> Plan:
    """As much of ``plan`` as is surely tolerated together: layer by layer, those that save most first."""

    def saved_bytes(layer: str) -> float:
        return plan[layer].saved_bytes(bench.kernels[layer].values().size)

    fits: dict[str, Change] = {}
    for layer in sorted(plan, key=saved_bytes, reverse=True):
        more = {**fits, layer: plan[layer]}
        found = compared([bench.changed(treated(bench, more))], plain)
        if answer(found.eer_cost, tolerance) == YES:
            fits = more
    return fits


def treated(bench: Bench, plan: Plan) -> dict[str, Values]:
    """The kernels of a plan, by name."""
    return {layer: change.of(bench.kernels[layer]) for layer, change in plan.items()}


def carry_out(
    bench: Bench,
    plain: Rates,
    verdicts: Sequence[Verdict],
    kept: Kept,
    *,
    shipped: bytes,
    examples: NDArray[np.float32],
    tolerance: float,
    folder: Path,
    progress: Progress,
) -> dict[str, Outcome]:
    """Every plan, quantized by ``examples`` as the ``shipped`` model was; each model is kept in ``folder``."""
    # Which layers fit together depends on the tolerance; what each costs alone does not.
    table, int8_plain = kept.table(f"together, at most {100 * tolerance:g} points"), bench.int8(shipped)
    if SHIPPED not in table:
        nothing = Outcome({}, 0.0, len(shipped), _deflated(shipped), compared([plain], plain),
                          compared([int8_plain], int8_plain))  # fmt: skip
        table[SHIPPED] = asdict(nothing)
    wanted = plans(verdicts)
    for count, (name, plan) in enumerate(wanted.items(), start=1):
        if name not in table:
            fits = fitting(bench, plain, plan, tolerance=tolerance)
            values = treated(bench, fits)
            with with_kernels(bench.kernels, values):
                model = quantize(bench.network, examples)
            write_model(folder / model_file(name), model)
            sizes = {layer: bench.kernels[layer].values().size for layer in fits}
            table[name] = asdict(
                Outcome(
                    plan=fits,
                    saved_bytes=sum(change.saved_bytes(sizes[layer]) for layer, change in fits.items()),
                    file_bytes=len(model),
                    deflated_bytes=_deflated(model),
                    float_rates=compared([bench.changed(values)], plain),
                    int8_rates=compared([bench.int8(model)], int8_plain),
                )
            )
            kept.write()
        progress("together", count, len(wanted))
    return {name: _read(table[name]) for name in (SHIPPED, *wanted)}


def suggested(outcomes: Mapping[str, Outcome], *, tolerance: float) -> str | None:
    """The plan that saves most among those whose int8 network is surely tolerated; None where none saves anything."""
    able = {
        name: each.saved_bytes
        for name, each in outcomes.items()
        if each.saved_bytes > 0 and answer(each.int8_rates.eer_cost, tolerance) == YES
    }
    return max(able, key=lambda name: able[name]) if able else None


def model_file(name: str) -> str:
    """How a plan's model is called on disk."""
    return "".join(letter if letter.isalnum() else "-" for letter in name) + ".tflite"


def write_model(path: Path, model: bytes) -> None:
    """The whole file, or none."""
    write_atomically(path, lambda file: file.write(model))


def _deflated(model: bytes) -> int:
    return len(zlib.compress(model, 9))


def _read(told: Mapping[str, Any]) -> Outcome:
    return Outcome(
        plan={layer: Change(**change) for layer, change in told["plan"].items()},
        saved_bytes=told["saved_bytes"],
        file_bytes=told["file_bytes"],
        deflated_bytes=told["deflated_bytes"],
        float_rates=one_measured(told["float_rates"]),
        int8_rates=one_measured(told["int8_rates"]),
    )
