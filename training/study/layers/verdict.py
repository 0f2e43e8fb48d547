"""What follows from the measurements, by rule: which layers may be frozen, pruned, or held in fewer bits.

A layer *tolerates* a treatment when the EER rises by less than the tolerance at the upper end of its interval, and does
*not* when it rises by more even at the lower end. Between the two nothing is concluded: ``unclear``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.study.layers.measured import ALL, BITS, DRAWN_MEASURED, RESET, RESET_MEASURED, SHARES, Measured
from training.study.layers.paired import Interval
from training.study.layers.treatments import MOST_BITS, packed_bytes

# Of fewer layers no rank correlation is told.
FEWEST_TO_RANK = 3
YES, NO, UNCLEAR, UNKNOWN = "yes", "no", "unclear", "not measured"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of one layer (or all at once). ``freezes``: may it stay at its random start, with the batch norms measured anew:
    ``yes``, ``no``, ``unclear``, or ``not measured``; ``share``: the largest share of zeros it tolerates (with every
    smaller one), 0 for none; ``bits``: the fewest it tolerates (with all more), 0 where not even 8 are enough."""

    layer: str
    weights: int
    freezes: str
    share: float
    bits: int


def answer(cost: Interval, tolerance: float) -> str:
    """``yes``: surely less than ``tolerance``; ``no``: surely more; else ``unclear``."""
    if cost.high < tolerance:
        return YES
    return NO if cost.low > tolerance else UNCLEAR


def judged(
    measured: Mapping[str, Mapping[str, Measured]], weights: Mapping[str, int], *, tolerance: float
) -> list[Verdict]:
    """One verdict a layer, in order, and that of all layers at once last. ``tolerance`` as a share, 0.005 for half a
    point; ``weights`` by layer."""
    found = []
    for layer, row in measured.items():
        share, bits = 0.0, 0
        for each in SHARES:
            if answer(row[f"{each:.0%} zero"].eer_cost, tolerance) != YES:
                break
            share = each
        for each_bits in BITS:
            if answer(row[f"{each_bits} bits"].eer_cost, tolerance) != YES:
                break
            bits = each_bits
        freezes = answer(row[RESET_MEASURED].eer_cost, tolerance) if RESET_MEASURED in row else UNKNOWN
        count = sum(weights.values()) if layer == ALL else weights[layer]
        found.append(Verdict(layer, count, freezes, share, bits))
    return found


def conclusions(
    verdicts: Sequence[Verdict],
    measured: Mapping[str, Mapping[str, Measured]],
    change: Mapping[str, float],
    *,
    tolerance: float,
) -> list[str]:
    """Sentences, each from the figures alone. ``change``: how far each layer is from its start, empty if not known."""
    layers = [each for each in verdicts if each.layer != ALL]
    together = [each for each in verdicts if each.layer == ALL]
    return [
        *_freezing(layers, measured, tolerance),
        *_moving(measured, change),
        *_pruning(layers, together),
        *_bits(layers, together),
    ]


def _freezing(
    layers: Sequence[Verdict], measured: Mapping[str, Mapping[str, Measured]], tolerance: float
) -> Iterator[str]:
    if any(each.freezes == UNKNOWN for each in layers):
        yield "Which layers could stay as they began is not known: the start of this network is not."
        return
    by = {what: [each for each in layers if each.freezes == what] for what in (YES, NO, UNCLEAR)}
    limit = f"{100 * tolerance:g} points of EER"
    if by[YES]:
        yield (
            f"May be frozen at their random start, since resetting one of them costs less than {limit}: "
            f"{_named(by[YES])} ({_part(by[YES], layers)})."
        )
    else:
        yield f"No layer may be frozen at its random start: none can be reset for surely less than {limit}."
    if by[NO]:
        yield f"Must be learnt, since resetting one of them costs more: {_named(by[NO])} ({_part(by[NO], layers)})."
    if by[UNCLEAR]:
        yield f"Too few people to say: {_named(by[UNCLEAR])} ({_part(by[UNCLEAR], layers)})."
    worst = max(layers, key=lambda each: measured[each.layer][RESET].eer.value)
    yield (
        f"The dearest to lose: {worst.layer}; reset with everything else as learnt, it leaves an EER of "
        f"{measured[worst.layer][RESET].eer.value:.1%}."
    )
    own, other = (
        sum(measured[each.layer][name].eer.value for each in layers) / len(layers)
        for name in (RESET_MEASURED, DRAWN_MEASURED)
    )
    yield (
        f"The start stays in a network: on average over the layers, one at its own start leaves an EER of {own:.1%}, "
        f"one drawn anew {other:.1%} (norms measured in both)."
    )


def _moving(measured: Mapping[str, Mapping[str, Measured]], change: Mapping[str, float]) -> Iterator[str]:
    known = [name for name in change if RESET_MEASURED in measured.get(name, {})]
    if len(known) < FEWEST_TO_RANK:
        return
    least, most = (pick(known, key=lambda name: change[name]) for pick in (min, max))
    costs = [measured[name][RESET_MEASURED].eer_cost.value for name in known]
    alike = rank_correlation([change[name] for name in known], costs)
    yield (
        f"Moved least from its start: {least} ({change[least]:.2f} of its size); most: {most} ({change[most]:.2f}). "
        f"Rank correlation of how far a layer moved with what resetting it costs: {alike:+.2f}."
    )


def rank_correlation(left: Sequence[float], right: Sequence[float]) -> float:
    """Spearman's: the correlation of the ranks; equal values are ranked in the order they come."""
    first, second = (np.argsort(np.argsort(each, kind="stable"), kind="stable") for each in (left, right))
    return float(np.corrcoef(first, second)[0, 1])


def _pruning(layers: Sequence[Verdict], together: Sequence[Verdict]) -> Iterator[str]:
    some = [each for each in layers if each.share > 0]
    if not some:
        yield f"No layer surely tolerates even {SHARES[0]:.0%} zeros."
    for share in sorted({each.share for each in some}, reverse=True):
        which = [each for each in some if each.share == share]
        yield f"Pruned to {share:.0%} zeros one at a time: {_named(which)} ({_part(which, layers)})."
    for each in together:
        yield f"All layers at once {_most(each.share > 0, f'{each.share:.0%} zeros', f'{SHARES[0]:.0%} zeros')}."


def _bits(layers: Sequence[Verdict], together: Sequence[Verdict]) -> Iterator[str]:
    for bits in sorted({each.bits for each in layers if 0 < each.bits < MOST_BITS}):
        which = [each for each in layers if each.bits == bits]
        saved = sum(each.weights - packed_bytes(each.weights, bits=bits) for each in which)
        yield (
            f"Held in {bits} bits one at a time: {_named(which)} ({_part(which, layers)}); packed, that is "
            f"{saved / 1000:.0f} kB less each of 8 bits."
        )
    for each in together:
        yield f"All layers at once {_most(each.bits > 0, f'{each.bits} bits', f'{MOST_BITS} bits')}."


def _most(some: bool, reached: str, first: str) -> str:
    return f"tolerate {reached}" if some else f"do not surely tolerate even {first}"


def _named(which: Sequence[Verdict]) -> str:
    """One or two by their whole names, more by their numbers."""
    if len(which) <= 2:
        return " and ".join(each.layer for each in which)
    return "layers " + ", ".join(each.layer.split()[0] for each in which)


def _part(which: Sequence[Verdict], layers: Sequence[Verdict]) -> str:
    share = sum(each.weights for each in which) / sum(each.weights for each in layers)
    return f"{share:.0%} of the weights" if share >= 0.01 else "under 1% of the weights"
