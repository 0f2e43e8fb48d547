"""Class centres begin where the teacher puts their people."""

import numpy as np

from device.verdict.interpreter import unit_length
from training.begin import first_centres
from training.examples import NO_SPEAKER


def test_each_class_begins_near_the_mean_of_its_targets_and_an_unnamed_one_where_it_was_drawn() -> None:
    rng = np.random.default_rng(1)
    random = rng.normal(0, 0.03, (4 * 2, 32)).astype(np.float32)
    people = unit_length(rng.standard_normal((3, 32)).astype(np.float32))
    labels = np.array([0, 0, 1, 3, 3, NO_SPEAKER])
    targets = unit_length(people[[0, 0, 1, 2, 2, 0]] + 0.01 * rng.standard_normal((6, 32)).astype(np.float32))
    centres = first_centres(random, labels, targets, sub_centres=2)
    assert centres.shape == random.shape
    cosines = unit_length(centres) @ people.T
    for place, person in ((0, 0), (1, 0), (2, 1), (3, 1), (6, 2), (7, 2)):
        assert cosines[place, person] > 0.95
        assert cosines[place].argmax() == person
    assert np.array_equal(centres[4:6], random[4:6])
    # Two centres of one class are not the same, and no longer than before.
    assert not np.allclose(centres[0], centres[1])
    assert np.all(np.linalg.norm(centres, axis=1) <= 1.2 * np.linalg.norm(random, axis=1))
