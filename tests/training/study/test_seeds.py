"""The study of seeds, from a made-up learner to its table, file and page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import ConfigError, DataError
from tests.training.study.made_up import MadeUp, listed, silent
from training.classifier import Classifier, ClassifierRecipe
from training.cli import main
from training.study.households import Trials
from training.study.ledger import Ledger
from training.study.seeds import Seeds, measure
from training.study.seeds_page import lead, page, table


def found(folder: Path, *, draws: int = 3, recipe: ClassifierRecipe | None = None) -> Seeds:
    ledger = Ledger(folder / "seeds.json", "seeds")
    trials = Trials(listed(folder), draws=draws)
    return measure(
        "small", recipe or ClassifierRecipe(), trials, ledger, MadeUp(), seeds=4, progress=silent, say=silent
    )


def test_each_figure_has_its_mean_deviations_and_interval(tmp_path: Path) -> None:
    told = found(tmp_path)
    eer = told.figures["eer"]
    # Households 0.20, 0.25 and 0.30; seeds half a point either way.
    assert eer.mean == pytest.approx(0.25)
    assert eer.seed_deviation == pytest.approx(0.005 * (4 / 3) ** 0.5)
    assert eer.draw_deviation == pytest.approx(0.05, abs=0.001)
    assert told.figures["validation_eer"].mean == pytest.approx(0.125)
    assert sorted(told.eer[2]) == pytest.approx([0.295, 0.295, 0.305, 0.305])


def test_the_sentence_says_which_matters_more(tmp_path: Path) -> None:
    figures = dict(found(tmp_path).figures)
    assert lead(figures).startswith("Households matter more")
    figures["eer"] = replace(figures["eer"], seed_deviation=0.2)
    assert lead(figures).startswith("Seeds matter more")


def test_with_one_household_nothing_is_said_of_others(tmp_path: Path) -> None:
    told = found(tmp_path, draws=1)
    assert told.figures["eer"].other_households is None
    assert "matter more" not in lead(told.figures)
    assert "nan" not in table(told.figures)


def test_the_file_holds_every_run_and_what_was_found(tmp_path: Path) -> None:
    told = found(tmp_path)
    content = json.loads((tmp_path / "seeds.json").read_text())
    assert len(content["runs"]) == 12
    eer = content["result"]["figures"]["eer"]
    assert eer["mean"] == told.figures["eer"].mean
    assert eer["told_apart"] == told.figures["eer"].told_apart(4)


def test_table_and_page_tell_the_same_figures(tmp_path: Path) -> None:
    told = found(tmp_path)
    made = page("small <net>", told.figures, told.eer, "command & more")
    assert "small &lt;net&gt;" in made
    assert "command &amp; more" in made
    assert made.count('r="4"') == 12
    for said in (f"{told.figures['eer'].mean:.1%}", lead(told.figures)):
        assert said in made
        assert said in table(told.figures)


def test_learning_that_ran_away_is_told_and_makes_no_spread(tmp_path: Path) -> None:
    wild = ClassifierRecipe(classifier=Classifier(learning_rate=5.0))
    with pytest.raises(DataError, match="ran away"):
        found(tmp_path, recipe=wild)


def test_one_seed_is_refused_before_anything_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = "training/recipes/networks/simple.toml"
    assert main(["study", "seeds", recipe, "--pack", "nowhere", "--seeds", "1"]) == ConfigError.exit_code
    assert "--seeds" in capsys.readouterr().err
