"""Every layer under every treatment: one figure each, written as it comes, so that a killed study goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from device.errors import DataError
from training.atomic import write_text
from training.corpus.index import Progress
from training.networks.parts import Kernel, Values
from training.study.layers.bench import Bench
from training.study.layers.paired import Interval, Rates, difference, interval
from training.study.layers.treatments import pruned, quantised

ALL = "all layers"
SHARES = (0.25, 0.5, 0.75, 0.9)
BITS = (8, 4, 3, 2)


@dataclass(frozen=True, slots=True)
class Treatment:
    """``kind``: ``reset`` to the start, ``drawn`` anew at random, ``pruned`` to a share of zeros or ``quantised``;
    ``level``: that share, or the bits. ``norms_measured``: with the batch norms' statistics measured anew."""

    name: str
    kind: str
    level: float = 0.0
    norms_measured: bool = False


RESET, RESET_MEASURED, DRAWN_MEASURED = "reset", "reset, norms measured", "drawn, norms measured"
TREATMENTS = (
    Treatment(RESET, "reset"),
    Treatment(RESET_MEASURED, "reset", norms_measured=True),
    Treatment("drawn", "drawn"),
    Treatment(DRAWN_MEASURED, "drawn", norms_measured=True),
    *(Treatment(f"{share:.0%} zero", "pruned", share) for share in SHARES),
    *(Treatment(f"{bits} bits", "quantised", bits) for bits in BITS),
)
# What is done to all layers at once as well: with all of them at random there is no network.
TOGETHER = tuple(each for each in TREATMENTS if each.kind in ("pruned", "quantised"))


@dataclass(frozen=True, slots=True)
class Measured:
    """Error rates 0..1 of one network, with how much above the plain network's they are (``*_cost``); of several draws
    their mean, and ``lowest`` and ``highest`` EER of a single one."""

    eer: Interval
    eer_cost: Interval
    frr: Interval
    frr_cost: Interval
    lowest: float
    highest: float


class Kept:
    """Everything a study has found so far, in one JSON file. What stands there under another ``key`` is not used."""

    def __init__(self, path: Path, key: str, *, say: Callable[[str], None]) -> None:
        self._path = path
        self.told: dict[str, Any] = {"key": key}
        if path.exists():
            found = _read(path)
            if found.get("key") == key:
                self.told = found
            else:
                say(f"{path} is of another network, or of other settings: measured again")

    def table(self, name: str) -> dict[str, Any]:
        """The part ``name`` of what was found, to be added to."""
        part: dict[str, Any] = self.told.setdefault(name, {})
        return part

    def write(self) -> None:
        write_text(self._path, json.dumps(self.told, indent=1, allow_nan=False))


def measure(
    bench: Bench,
    start: Mapping[str, Values] | None,
    kept: Kept,
    *,
    draws_anew: int,
    seed: int,
    progress: Progress,
) -> tuple[Rates, dict[str, dict[str, Measured]]]:
    """The plain network's rates, and by layer and treatment what each costs; nothing reset where ``start`` is None."""
    plain, table = bench.plain(), kept.table("measured")
    wanted = [(name, each) for name in bench.kernels for each in TREATMENTS if start or each.kind != "reset"]
    wanted += [(ALL, each) for each in TOGETHER]
    for count, (name, treatment) in enumerate(wanted, start=1):
        row = table.setdefault(name, {})
        if treatment.name not in row:
            chosen = list(bench.kernels.values()) if name == ALL else [bench.kernels[name]]
            found = [
                bench.changed(values, norms_measured=treatment.norms_measured)
                for values in _treated(chosen, treatment, start or {}, draws_anew=draws_anew, seed=seed)
            ]
            row[treatment.name] = asdict(compared(found, plain))
            kept.write()
        progress("layers", count, len(wanted))
    return plain, read_measured(table)


def compared(found: list[Rates], plain: Rates) -> Measured:
    """The mean of networks that differ in a random draw alone, against the plain one, people drawn anew."""
    eers, frrs = (np.mean([getattr(each, what) for each in found], axis=0) for what in ("eer", "frr"))
    each = [float(one.eer[0]) for one in found]
    return Measured(
        eer=interval(eers),
        eer_cost=difference(eers, plain.eer),
        frr=interval(frrs),
        frr_cost=difference(frrs, plain.frr),
        lowest=min(each),
        highest=max(each),
    )


def read_measured(table: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Measured]]:
    """What :func:`measure` wrote."""
    return {layer: {name: one_measured(told) for name, told in row.items()} for layer, row in table.items()}


def one_measured(told: Mapping[str, Any]) -> Measured:
    """One of them."""
    eer, eer_cost, frr, frr_cost = (Interval(**told[key]) for key in ("eer", "eer_cost", "frr", "frr_cost"))
    return Measured(eer, eer_cost, frr, frr_cost, float(told["lowest"]), float(told["highest"]))


def _treated(
    kernels: list[Kernel], treatment: Treatment, start: Mapping[str, Values], *, draws_anew: int, seed: int
) -> list[dict[str, Values]]:
    """The kernels as they are to be tried, by name: one set, or of ``drawn`` several."""
    if treatment.kind == "drawn":
        return [{each.name: each.drawn_anew(seed + draw) for each in kernels} for draw in range(draws_anew)]
    made = {}
    for each in kernels:
        if treatment.kind == "reset":
            made[each.name] = start[each.name]
        elif treatment.kind == "pruned":
            made[each.name] = pruned(each.values(), treatment.level)
        else:
            made[each.name] = quantised(each.values(), int(treatment.level), channel_axis=each.channel_axis)
    return [made]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(
            "what an earlier study found cannot be read", where=str(path), received=error,
            next_step="remove it, or give another file with --json",
        ) from error  # fmt: skip
    return found if isinstance(found, dict) else {}
