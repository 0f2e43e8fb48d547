"""A threshold from strangers elsewhere holds at a door where everybody sounds more alike; known answers."""

import numpy as np
import pytest

from device.errors import BundleError, DataError
from device.household.channel import channel_map
from device.household.conditions import StrangersByCondition
from device.household.door_scores import DoorScorer, resident_prototypes
from device.household.nearest_condition import door_fit
from device.household.thresholds import (
    MARGIN,
    MARGIN_OF_ONE,
    DoorThreshold,
    door_threshold,
    highest_sum,
    tail_threshold,
)
from device.verdict.interpreter import unit_length
from tests.household.voices import SIZE, World

DOOR = 20  # not among the shipped conditions


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.fixture(scope="module")
def shipped(world: World) -> StrangersByCondition:
    return world.strangers()


def rates(
    world: World, shipped: StrangersByCondition, *, residents: int, door: int | None, target_far: float = 0.01
) -> tuple[float, float]:
    """FAR of strangers' visits of three clips and FRR of residents', everybody at ``door``; of six households."""
    found = [_rates(world, shipped, 500 + 10 * n + np.arange(residents), door, target_far) for n in range(6)]
    return float(np.mean([far for far, _ in found])), float(np.mean([frr for _, frr in found]))


def _rates(
    world: World, shipped: StrangersByCondition, people: np.ndarray, door: int | None, target_far: float
) -> tuple[float, float]:
    enrolled = [world.clips(np.repeat(person, 10), door) for person in people]
    scorer = DoorScorer(resident_prototypes(enrolled), shipped, channel_map(shipped))
    threshold = door_threshold(scorer, enrolled, target_far=target_far)
    opened = [
        [threshold.opens(scorer.scores(world.clips(np.repeat(person, 3), door))) for person in group]
        for group in (np.arange(1000, 1300), people)
    ]
    return float(np.mean(opened[0])), 1.0 - float(np.mean(opened[1]))


@pytest.mark.parametrize("residents", [1, 2, 5])
def test_the_target_holds_at_a_door_that_no_condition_is_and_residents_get_in(
    world: World, shipped: StrangersByCondition, residents: int
) -> None:
    far, frr = rates(world, shipped, residents=residents, door=DOOR)
    assert far <= 0.02
    assert frr == 0.0


def test_without_the_margin_and_the_conditions_the_same_households_let_more_in(world: World) -> None:
    few = world.strangers(conditions=2)
    enrolled = [world.clips(np.repeat(500, 10), DOOR)]
    visits = [world.clips(np.repeat(person, 3), DOOR) for person in range(1000, 1300)]
    shares = []
    for strangers, bare in ((few, {"margin": 0.0, "own_share": 0.0}), (world.strangers(), {})):
        scorer = DoorScorer(resident_prototypes(enrolled), strangers, channel_map(strangers))
        threshold = door_threshold(scorer, enrolled, target_far=0.01, **bare)
        shares.append(np.mean([threshold.opens(scorer.scores(clips)) for clips in visits]))
    assert shares[0] > 0.05 > 0.01 >= shares[1]


def test_a_cosine_and_a_threshold_from_clean_strangers_let_in_everybody_at_the_same_door(world: World) -> None:
    """What the module is for: without it the same door is open."""
    prototype = unit_length(world.clips(np.repeat(500, 10), DOOR).mean(axis=0))
    clean = world.clips(np.arange(120), None) @ unit_length(world.clips(np.repeat(500, 10), None).mean(axis=0))
    assert np.mean(world.clips(np.arange(1000, 2000), DOOR) @ prototype >= np.quantile(clean, 0.99)) > 0.9


def test_the_channel_map_takes_out_the_door_and_leaves_the_person(world: World, shipped: StrangersByCondition) -> None:
    mapped = channel_map(shipped)
    people = np.arange(600, 700)
    here, elsewhere = (mapped(world.clips(people, door)) for door in (DOOR, DOOR + 1))
    same = np.sum(here * elsewhere, axis=1)
    different = (here @ elsewhere.T)[~np.eye(len(people), dtype=bool)]
    assert same.min() > 0.4
    assert abs(float(different.mean())) < 0.1
    assert np.allclose(np.linalg.norm(here, axis=1), 1.0, atol=1e-5)


def test_embeddings_of_another_network_are_refused(shipped: StrangersByCondition) -> None:
    with pytest.raises(BundleError, match="another network"):
        channel_map(shipped)(np.ones((1, SIZE + 1), dtype=np.float32))
    with pytest.raises(BundleError, match="shrinkage"):
        channel_map(shipped, shrinkage=0.0)


def test_nobody_is_in_the_cohort_that_judges_them(world: World, shipped: StrangersByCondition) -> None:
    """A stranger's own vectors would be its nearest, and it would look like less of a danger than it is."""
    scorer = DoorScorer(resident_prototypes([world.clips(np.repeat(500, 10), 0)]), shipped, channel_map(shipped))
    left_out = scorer.of_strangers(1)
    counted = scorer.scores(shipped.embeddings[1])
    assert np.all(left_out > counted)
    others = shipped.of_people(np.arange(1, shipped.people))
    without = DoorScorer(scorer.prototypes, others, scorer.channel)
    # The share that is near is of the whole cohort: a cohort without one person differs by that person's share.
    assert np.allclose(left_out[:2], without.scores(shipped.embeddings[1][:2]), atol=0.01)


def test_the_tail_of_known_visits_is_met_and_never_below_the_plain_quantile() -> None:
    rng = np.random.default_rng(3)
    estimates = [tail_threshold(rng.exponential(1.0, 3000), 0.001) for _ in range(40)]
    assert np.mean(estimates) == pytest.approx(np.log(1000.0), abs=0.6)
    heavy = np.concatenate([np.zeros(990), np.full(10, 50.0)])
    assert tail_threshold(heavy, 0.005) > 50.0


@pytest.mark.parametrize("target", [0.0, -0.1, 0.06, 1.0, float("nan")])
def test_a_target_that_is_no_small_share_is_refused(target: float) -> None:
    with pytest.raises(DataError, match="target"):
        tail_threshold(np.arange(100.0), target)


def test_few_strangers_and_scores_that_are_no_numbers_choose_nothing() -> None:
    for peaks in (np.arange(49.0), np.full(100, np.nan), np.append(np.arange(99.0), np.inf)):
        with pytest.raises(DataError, match="too few strangers"):
            tail_threshold(peaks, 0.01)


def test_strangers_with_one_clip_each_cannot_place_the_middle(world: World) -> None:
    single = world.strangers(clips=1)
    enrolled = [world.clips(np.repeat(500, 10), 0)]
    scorer = DoorScorer(resident_prototypes(enrolled), single, channel_map(single))
    with pytest.raises(DataError, match="one clip each"):
        door_threshold(scorer, enrolled, target_far=0.01)


def test_a_lower_target_and_a_margin_are_stricter_and_residents_who_resemble_each_other_too(
    world: World, shipped: StrangersByCondition
) -> None:
    enrolled = [world.clips(np.repeat(person, 10), DOOR) for person in (500, 501)]
    scorer = DoorScorer(resident_prototypes(enrolled), shipped, channel_map(shipped))

    def chosen(**changes: float) -> DoorThreshold:
        return door_threshold(scorer, enrolled, **({"target_far": 0.01, "margin": 0.0} | changes))

    assert chosen(target_far=0.001).open > chosen().open > chosen(own_share=0.0).open
    assert chosen(margin=0.05).offset == pytest.approx(chosen().offset + 0.05)
    alike = [enrolled[0], unit_length(enrolled[0] + 0.5 * enrolled[1])]
    twins = DoorScorer(resident_prototypes(alike), shipped, channel_map(shipped))
    alone = DoorScorer(resident_prototypes(enrolled[:1]), shipped, channel_map(shipped))
    assert door_threshold(alone, enrolled[:1], target_far=0.01).offset == MARGIN_OF_ONE > MARGIN
    assert door_threshold(twins, alike, target_far=0.01, margin=0.0).offset > chosen().offset


def test_residents_who_stand_out_make_the_door_stricter_by_half_of_the_way_and_one_clip_shows_nothing(
    world: World, shipped: StrangersByCondition
) -> None:
    enrolled = [world.clips(np.repeat(500, 10), DOOR)]
    scorer = DoorScorer(resident_prototypes(enrolled), shipped, channel_map(shipped))
    threshold = door_threshold(scorer, enrolled, target_far=0.01)
    own = float(scorer.of_own(enrolled[0]).mean()) - threshold.midpoint - threshold.offset
    assert threshold.open == pytest.approx((threshold.of_strangers + own) / 2)
    assert threshold.of_strangers < threshold.open < own
    single = [enrolled[0][:1]]
    of_one_clip = door_threshold(scorer, single, target_far=0.01)
    assert of_one_clip.open == of_one_clip.of_strangers


def test_more_strangers_like_each_other_never_make_the_offset_negative(
    world: World, shipped: StrangersByCondition
) -> None:
    apart = [world.clips(np.repeat(person, 10), DOOR) for person in (500, 501)]
    apart[1] = -apart[0]
    scorer = DoorScorer(resident_prototypes(apart), shipped, channel_map(shipped))
    assert door_threshold(scorer, apart, target_far=0.01, margin=0.0).offset == 0.0


def test_a_visit_counts_by_the_highest_sum_of_any_resident_on_the_way() -> None:
    assert highest_sum(np.array([[1.0, -5.0], [2.0, 4.0], [-9.0, 0.5]])) == 3.0


def test_a_door_among_the_conditions_is_named_and_one_like_none_is_noticed(
    world: World, shipped: StrangersByCondition
) -> None:
    at_a_condition = door_fit(shipped, [world.clips(np.repeat(person, 10), 3) for person in range(500, 505)])
    assert at_a_condition.nearest == "door 3"
    assert at_a_condition.fits
    strange = [unit_length(np.abs(world.clips(np.repeat(n, 10), None)) + 0.3) * np.float32(-1) for n in range(500, 505)]
    assert not door_fit(shipped, strange).fits
