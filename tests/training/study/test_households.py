"""Which households a study draws: what a page says is the command that draws them again."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError
from tests.training.study.test_trials import pack
from training.study.households import Trials, add_households, trials_of


def parsed(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_households(parser, study="colours", draws=4)
    return parser.parse_args(given)


def test_what_is_said_of_the_households_draws_them_again() -> None:
    asked = Trials(Path("PACK"), draws=3, residents=4, enrol_seconds=22.5, seed=11)
    assert trials_of(parsed(*asked.options().split())) == asked


def test_results_have_a_place_of_the_study_s_own_unless_one_is_named() -> None:
    usual = parsed("--pack", "PACK")
    assert (usual.json, usual.page) == (Path("reports/colours.json"), Path("reports/colours.html"))
    assert parsed("--pack", "PACK", "--page", "a.html").page == Path("a.html")


def test_too_few_households_are_refused() -> None:
    with pytest.raises(ConfigError, match="--draws"):
        trials_of(parsed("--pack", "PACK", "--draws", "1"), fewest_draws=2)


def test_a_trial_is_of_its_own_household_and_less_speech_enrols_fewer_clips() -> None:
    of = pack()
    asked = Trials(Path("none"), draws=2, residents=4, enrol_seconds=30.0, seed=3)
    whole, less = asked.of_classifiers(of), asked.of_classifiers(of, enrol_seconds=15.0)
    assert [each.residents for each in whole] == [each.residents for each in asked.drawn(of)]
    for more, fewer in zip(whole, less, strict=True):
        assert np.sum(more.allowed[more.learnt]) > np.sum(fewer.allowed[fewer.learnt])
