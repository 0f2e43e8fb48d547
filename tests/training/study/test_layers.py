"""A study of layers finds the layer that does not matter and the one that carries everything, and says so."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from device.errors import DataError
from tests.training.test_fit import SHAPE, voices
from tests.training.tiny_network import tiny

pytest.importorskip("tensorflow")

from training.fit import ValidationClips
from training.networks.parts import norms_of
from training.study.layers.bench import Bench
from training.study.layers.measured import ALL, RESET, Kept, compared, measure
from training.study.layers.paired import Interval, Rates
from training.study.layers.suggestion import Change, fitting, plans
from training.study.layers.verdict import (
    NO,
    UNCLEAR,
    UNKNOWN,
    YES,
    Verdict,
    answer,
    conclusions,
    judged,
    rank_correlation,
)

TOLERANCE = 0.02
DEAD, CARRYING = "01 conv 1x1, 16 to 16", "02 conv 1x1, 16 to 16"


def two_branches() -> Any:
    """The mean of each band over the clip. One convolution carries it as it is, the other's output counts nothing."""
    import keras
    from keras import layers

    frames, bands = SHAPE
    entry = keras.Input(SHAPE)
    x = layers.Reshape((frames, 1, bands))(entry)
    dead = layers.Conv2D(bands, 1, use_bias=False, name="dead")
    carrying = layers.Conv2D(bands, 1, use_bias=False, name="carrying")
    y = layers.Add()([layers.Rescaling(0.0)(dead(x)), carrying(x)])
    network = keras.Model(entry, layers.Flatten()(layers.AveragePooling2D((frames, 1))(y)))
    carrying.kernel.assign(np.eye(bands, dtype=np.float32)[None, None])
    return network


def a_bench(network: Any) -> Bench:
    features, who = voices(np.random.default_rng(4), 8, 8)
    validation = ValidationClips(features.astype(np.float32), tuple(f"v{each}" for each in who))
    examples = voices(np.random.default_rng(5), 8, 4)[0].astype(np.float32)
    return Bench(network, validation, examples, far=0.05, draws=40, seed=1)


def nothing(*_: object) -> None:
    """No progress, nothing said."""


# Every band the same: who speaks is lost, and how loud it is left.
START = {DEAD: np.ones((1, 1, 16, 16), np.float32), CARRYING: np.ones((1, 1, 16, 16), np.float32)}


@pytest.fixture(scope="module")
def branches() -> Bench:
    return a_bench(two_branches())


def test_a_layer_that_counts_nothing_tolerates_everything_and_one_that_carries_all_must_be_learnt(
    branches: Bench, tmp_path: Path
) -> None:
    kept = Kept(tmp_path / "layers.json", "key", say=nothing)
    plain, measured = measure(branches, START, kept, draws_anew=2, seed=3, progress=nothing)
    assert plain.eer[0] < 0.01
    assert {name: each.eer_cost.high for name, each in measured[DEAD].items()} == dict.fromkeys(measured[DEAD], 0.0)
    assert measured[CARRYING][RESET].eer.value > 0.2

    dead, carrying, together = judged(measured, {DEAD: 256, CARRYING: 256}, tolerance=TOLERANCE)
    assert (dead.freezes, dead.share, dead.bits) == (YES, 0.9, 2)
    assert (carrying.layer, carrying.freezes) == (CARRYING, NO)
    assert (together.layer, together.weights) == (ALL, 512)
    # The identity is made of ones and zeros: fifteen of sixteen weights can go, and two bits hold it exactly.
    assert (carrying.share, carrying.bits) == (0.9, 2)

    said = conclusions([dead, carrying, together], measured, {}, tolerance=TOLERANCE)
    assert any(each.startswith("May be frozen") and DEAD in each and CARRYING not in each for each in said)
    assert any(each.startswith("Must be learnt") and CARRYING in each and DEAD not in each for each in said)


def test_a_network_is_left_as_it_was_also_when_a_measurement_fails(
    branches: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = branches.network.get_weights()
    branches.changed({CARRYING: START[CARRYING]}, norms_measured=True)
    monkeypatch.setattr(Bench, "plain", lambda _: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        branches.changed({CARRYING: START[CARRYING]}, norms_measured=True)
    for one, other in zip(before, branches.network.get_weights(), strict=True):
        assert np.array_equal(one, other)


def test_with_norms_measured_anew_the_size_of_a_kernel_does_not_matter_and_without_it_does() -> None:
    bench = a_bench(tiny(SHAPE, 16, 4))
    for norm in norms_of(bench.network):
        norm.beta.assign(np.full(norm.beta.shape, 3.0))
    name, kernel = next(iter(bench.kernels.items()))
    values = kernel.values()
    louder = {name: 50.0 * values}
    assert np.allclose(bench.changed({name: values}, norms_measured=True).eer,
                       bench.changed(louder, norms_measured=True).eer, atol=0.02)  # fmt: skip
    statistics = [np.array(each) for each in bench.network.weights if "moving" in each.name]
    assert all(np.array_equal(each, np.full_like(each, each[0])) for each in statistics)
    assert not np.allclose(bench.plain().eer, bench.changed(louder).eer, atol=1e-3)


def test_a_killed_study_goes_on_and_another_networks_figures_are_not_taken(
    branches: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, calls, said = tmp_path / "layers.json", [0], []
    changed = Bench.changed

    def counted(self: Bench, *values: Any, **named: Any) -> Rates:
        calls[0] += 1
        if calls[0] == 6:
            raise KeyboardInterrupt
        return changed(self, *values, **named)

    monkeypatch.setattr(Bench, "changed", counted)
    asked: dict[str, Any] = {"draws_anew": 1, "seed": 3, "progress": nothing}
    with pytest.raises(KeyboardInterrupt):
        measure(branches, START, Kept(path, "key", say=said.append), **asked)
    assert len(json.loads(path.read_text())["measured"][DEAD]) == 5
    _, first = measure(branches, START, Kept(path, "key", say=said.append), **asked)
    # Of two layers twelve figures each and eight of both together, the five that were kept are not found again.
    assert calls[0] == 6 + 12 + 12 + 8 - 5
    _, again = measure(branches, START, Kept(path, "key", say=said.append), **asked)
    assert calls[0] == 33
    assert again == first
    assert not said
    assert Kept(path, "another", say=said.append).table("measured") == {}
    assert "of another network" in str(said[0])


def test_results_that_cannot_be_read_are_an_error_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "layers.json"
    path.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        Kept(path, "key", say=nothing)
    assert path.read_text() == "{"


def test_nothing_is_concluded_while_the_interval_spans_the_tolerance() -> None:
    assert answer(Interval(0.001, -0.002, 0.004), 0.005) == YES
    assert answer(Interval(0.02, 0.01, 0.03), 0.005) == NO
    assert answer(Interval(0.004, 0.001, 0.009), 0.005) == UNCLEAR


def rates_of(eer: float) -> Rates:
    return Rates(np.full(5, eer), np.full(5, eer))


def test_how_far_layers_moved_is_ranked_against_what_resetting_them_costs() -> None:
    assert rank_correlation([0.1, 0.5, 9.0], [1.0, 1.5, 2.0]) == pytest.approx(1.0)
    assert rank_correlation([0.1, 0.5, 9.0], [2.0, 1.5, 1.0]) == pytest.approx(-1.0)


def test_fewer_bits_need_all_more_to_be_tolerated_and_an_unknown_start_concludes_nothing() -> None:
    cheap, dear = (compared([rates_of(eer)], rates_of(0.1)) for eer in (0.1, 0.3))
    row = {f"{share} zero": cheap for share in ("25%", "75%", "90%")} | {"50% zero": dear}
    row |= {"8 bits": cheap, "4 bits": cheap, "3 bits": dear, "2 bits": cheap}
    (found,) = judged({"a": row}, {"a": 10}, tolerance=0.005)
    assert (found.share, found.bits, found.freezes) == (0.25, 4, UNKNOWN)
    assert any("is not known" in each for each in conclusions([found], {"a": row}, {}, tolerance=0.005))
    (none,) = judged({"a": {**row, "8 bits": dear}}, {"a": 10}, tolerance=0.005)
    assert none.bits == 0


def test_layers_that_tolerate_something_alone_are_taken_together_only_as_far_as_that_is_tolerated() -> None:
    class Costly:
        """Layers of 4, 16, 36 and 64 weights: two of them together cost a third of a point, and ``c`` costs much."""

        def __init__(self) -> None:
            self.kernels = {
                name: SimpleNamespace(values=lambda size=size: np.ones((size, size), np.float32), channel_axis=1)
                for name, size in zip("abcd", (2, 4, 6, 8), strict=True)
            }

        def changed(self, values: dict[str, Any]) -> Rates:
            return rates_of(0.1 + 0.0034 * max(len(values) - 1, 0) + (0.1 if "c" in values else 0.0))

    def fits(plain: float, tolerance: float) -> list[str]:
        plan = {name: Change(bits=4) for name in "abcd"}
        return sorted(fitting(Costly(), rates_of(plain), plan, tolerance=tolerance))  # type: ignore[arg-type]

    # The largest, and the next one that the network carries beside it.
    assert fits(0.1, 0.005) == ["b", "d"]
    assert fits(0.1, 1.0) == ["a", "b", "c", "d"]
    assert fits(0.2, -0.2) == []


def test_a_plan_changes_only_what_is_tolerated_alone_and_nothing_at_all_is_no_plan() -> None:
    few, none = Verdict("few", 100, YES, 0.75, 3), Verdict("none", 100, NO, 0.0, 8)
    every = plans([few, none, Verdict(ALL, 200, UNKNOWN, 0.9, 2)])
    assert every["4 bits"] == {"few": Change(bits=4)}
    assert every["fewest bits"] == {"few": Change(bits=3)}
    assert every["50% zero, 4 bits"] == {"few": Change(bits=4, share=0.5)}
    assert plans([none]) == {}
