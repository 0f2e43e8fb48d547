"""A grid of settings: its file, its cells, and which of them are called better."""

import json
from pathlib import Path

import pytest

from device.errors import ConfigError, DataError
from tests.conftest import ROOT
from tests.training.study.made_up import MadeUp, listed, outcome, silent
from training.classifier import ClassifierRecipe
from training.study.cases import LearningRanAwayError, Outcome
from training.study.grid import carry_out
from training.study.grid_page import lead, page, table
from training.study.grid_plan import Grid, read_grid
from training.study.grid_ranks import Ranked, agreement, beyond_noise, of_value
from training.study.households import Trials
from training.study.ledger import Learner, Ledger

BASE = "[classifier]\nwidth = 4\nlearning_rate = 0.01\n"
AXES = '[axes]\nlearning_rate = [0.1, 0.01, 0.001]\noptimiser = ["sgd", "adam"]\n'


def plan(folder: Path, text: str = AXES) -> Path:
    (folder / "base.toml").write_text(BASE)
    (folder / "grid.toml").write_text('recipe = "base.toml"\n' + text)
    return folder / "grid.toml"


def ranked(
    folder: Path, text: str = AXES, learner: Learner | None = None, *, full: bool = False
) -> tuple[Grid, list[Ranked]]:
    grid = read_grid(plan(folder, text), full=full)
    ledger = Ledger(folder / "grid.json", "grid")
    trials = Trials(listed(folder), draws=3)
    return grid, carry_out(grid, trials, ledger, learner or MadeUp(), seeds=2, progress=silent, say=silent)


def nothing_learnt(recipe: ClassifierRecipe, draw: int, *, seed: int) -> Outcome:
    raise LearningRanAwayError("learning ran away")


def test_one_setting_is_changed_at_a_time_and_the_base_is_learnt_once(tmp_path: Path) -> None:
    grid = read_grid(plan(tmp_path))
    assert [cell.name for cell in grid.cells] == ["base", "learning_rate 0.001", "learning_rate 0.1", "optimiser sgd"]
    assert all(cell.recipe.classifier.width == 4 for cell in grid.cells)
    assert grid.cells[1].recipe.classifier.learning_rate == 0.001
    assert grid.axes == {"learning_rate": (0.001, 0.01, 0.1), "optimiser": ("adam", "sgd")}


def test_in_full_every_combination_is_a_cell(tmp_path: Path) -> None:
    for grid in (read_grid(plan(tmp_path), full=True), read_grid(plan(tmp_path, "full = true\n" + AXES))):
        assert len({cell.name for cell in grid.cells}) == 6
        assert grid.cells[0].name == "base"
        assert "learning_rate 0.1, optimiser sgd" in [cell.name for cell in grid.cells]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[axes]\nlearning_rat = [1.0]\n", "did you mean 'learning_rate'"),
        ("fulll = true\n", "did you mean 'full'"),
        ('[axes]\noptimiser = ["adma"]\n', "did you mean 'adam'"),
        ('[axes]\nactivation = ["rellu"]\n', "did you mean 'relu"),
        ('[axes]\ninitialisation = ["he"]\n', "initialisation"),
        ("[axes]\nlabel_smoothing = [0.9]\n", "label_smoothing"),
        ("[axes]\nlearning_rate = [0.01]\n", "nothing to try"),
        ("", "nothing to try"),
    ],
)
def test_a_wrong_plan_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_grid(plan(tmp_path, text))


def test_the_shipped_grid_is_valid_and_has_every_setting() -> None:
    grid = read_grid(ROOT / "training/recipes/grid.toml")
    assert set(grid.axes) == {"learning_rate", "weight_decay", "label_smoothing", "noise_db", "optimiser",
                              "initialisation", "activation"}  # fmt: skip


def test_a_better_setting_is_found_and_one_that_does_nothing_is_called_noise(tmp_path: Path) -> None:
    _, rows = ranked(tmp_path)
    by_name = {row.name: row for row in rows}
    assert rows[0].name == "optimiser sgd"
    better = by_name["optimiser sgd"].compared["eer"]
    assert better.less_base.mean == pytest.approx(-0.1, abs=0.006)
    assert not better.within_noise
    assert by_name["learning_rate 0.1"].compared["eer"].within_noise
    assert not by_name["base"].compared
    assert beyond_noise(rows, "eer") == (1, 3)


def test_cells_are_ranked_by_validation_and_not_by_what_is_reported(tmp_path: Path) -> None:
    def learn(recipe: ClassifierRecipe, draw: int, *, seed: int) -> Outcome:
        sgd = recipe.classifier.optimiser == "sgd"
        return outcome(0.4 if sgd else 0.1, validation=0.1 if sgd else 0.4)

    _, rows = ranked(tmp_path, learner=learn)
    assert rows[0].name == "optimiser sgd"
    assert agreement(rows) == pytest.approx(-1.0)
    assert "rank correlation of -1.00" in lead(rows)


def test_a_cell_that_ran_away_is_last_and_compared_with_nothing(tmp_path: Path) -> None:
    grid, rows = ranked(tmp_path, "[axes]\nlearning_rate = [5.0]\noptimiser = ['sgd']\n")
    assert (rows[-1].name, rows[-1].ran_away, rows[-1].runs) == ("learning_rate 5", 6, 6)
    assert not rows[-1].compared
    for text in (table(rows), page(grid, rows, "command")):
        assert "ran away in 6 of 6 runs" in text
        assert "nan" not in text


def test_a_base_that_ran_away_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in the base"):
        ranked(tmp_path, learner=nothing_learnt)


def test_killed_after_some_runs_every_cell_was_learnt_about_equally_often(tmp_path: Path) -> None:
    killed, again = MadeUp(killed_at=9), MadeUp()
    with pytest.raises(KeyboardInterrupt):
        ranked(tmp_path, learner=killed)
    assert [sum(name == "sgd" for name, *_ in killed.asked), len(killed.asked)] == [2, 9]
    ranked(tmp_path, learner=again)
    assert len(again.asked) == 4 * 6 - 9


def test_the_file_holds_the_table(tmp_path: Path) -> None:
    _, rows = ranked(tmp_path)
    content = json.loads((tmp_path / "grid.json").read_text())
    assert len(content["runs"]) == 24
    assert [each["name"] for each in content["result"]["cells"]] == [row.name for row in rows]
    assert content["result"]["ranked_by"] == "validation_eer"
    assert content["result"]["cells"][0]["less_base"]["eer"]["within_seed_noise"] is False


@pytest.mark.parametrize("full", [False, True])
def test_the_page_has_a_picture_for_each_setting_and_marks_what_is_noise(tmp_path: Path, full: bool) -> None:
    grid, rows = ranked(tmp_path, full=full)
    made = page(grid, rows, "command <b>")
    assert made.count("<svg") == len(grid.axes) == 2
    assert "command &lt;b&gt;" in made
    assert "<span class=better>better</span>" in made
    assert "<span class=noise>noise</span>" in made
    assert ("over all the others" in made) is full


def test_in_full_a_value_is_told_over_all_other_settings(tmp_path: Path) -> None:
    grid, rows = ranked(tmp_path, full=True)
    assert len(of_value(grid, rows, "optimiser", "sgd")) == 3
    assert len(of_value(grid, rows, "learning_rate", 0.01)) == 2
