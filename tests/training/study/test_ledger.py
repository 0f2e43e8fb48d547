"""A study of many cases: killed it goes on, and a changed recipe is not mistaken for the old one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from device.errors import DataError
from tests.training.study.made_up import MadeUp, listed, silent
from training.classifier import Classifier, ClassifierRecipe
from training.study.households import Trials
from training.study.ledger import Case, Ledger, Run

RECIPE = ClassifierRecipe()


def cases(recipe: ClassifierRecipe = RECIPE, name: str = "a") -> list[Case]:
    return [Case(name, recipe, draw, repeat) for draw in range(2) for repeat in range(2)]


def carry_out(folder: Path, learner: MadeUp, asked: list[Case], *, trials: Trials | None = None) -> list[Run]:
    ledger = Ledger(folder / "runs.json", "seeds")
    return ledger.carry_out(asked, trials or Trials(folder), learner, progress=silent, say=silent)


def test_killed_it_goes_on_and_learns_nothing_twice(tmp_path: Path) -> None:
    listed(tmp_path)
    killed, again = MadeUp(killed_at=3), MadeUp()
    with pytest.raises(KeyboardInterrupt):
        carry_out(tmp_path, killed, cases())
    runs = carry_out(tmp_path, again, cases())
    assert (len(killed.asked), len(again.asked)) == (3, 1)
    assert not set(killed.asked) & set(again.asked)
    assert runs == carry_out(tmp_path / "fresh", MadeUp(), cases(), trials=Trials(tmp_path))


def test_what_was_learnt_is_read_again_exactly(tmp_path: Path) -> None:
    listed(tmp_path)
    first, kept = carry_out(tmp_path, MadeUp(), cases()), MadeUp()
    assert carry_out(tmp_path, kept, cases()) == first
    assert not kept.asked


@pytest.mark.parametrize(
    "changed",
    [
        ClassifierRecipe(classifier=Classifier(epochs=13)),
        ClassifierRecipe(frontend=replace(RECIPE.frontend, mel_bands=40)),
    ],
    ids=["epochs", "bands"],
)
def test_a_changed_recipe_of_the_same_name_is_learnt_anew_and_the_old_one_found_again(
    tmp_path: Path, changed: ClassifierRecipe
) -> None:
    listed(tmp_path)
    carry_out(tmp_path, MadeUp(), cases())
    anew, back = MadeUp(), MadeUp()
    carry_out(tmp_path, anew, cases(changed))
    assert len(anew.asked) == 4
    content = json.loads((tmp_path / "runs.json").read_text())
    assert (len(content["runs"]), len(content["earlier"])) == (4, 4)
    carry_out(tmp_path, back, cases())
    assert not back.asked


def test_other_households_other_seeds_and_other_recordings_are_other_runs(tmp_path: Path) -> None:
    listed(tmp_path)
    carry_out(tmp_path, MadeUp(), cases())
    for trials in (Trials(tmp_path, residents=4), Trials(tmp_path, enrol_seconds=30.0), Trials(tmp_path, seed=8)):
        learner = MadeUp()
        carry_out(tmp_path, learner, cases(), trials=trials)
        assert len(learner.asked) == 4
    with (tmp_path / "manifest.csv").open("a") as file:
        file.write("/elsewhere/b.flac,speech,c,two,1\n")
    learner = MadeUp()
    carry_out(tmp_path, learner, cases())
    assert len(learner.asked) == 4


def test_more_households_keep_the_ones_there_were(tmp_path: Path) -> None:
    listed(tmp_path)
    carry_out(tmp_path, MadeUp(), cases(), trials=Trials(tmp_path, draws=2))
    learner = MadeUp()
    carry_out(tmp_path, learner, [*cases(), Case("a", RECIPE, 2, 0)], trials=Trials(tmp_path, draws=3))
    assert [draw for _, draw, _ in learner.asked] == [2]


def test_recipes_meet_the_same_seeds_and_households_meet_different_ones(tmp_path: Path) -> None:
    listed(tmp_path)
    learner = MadeUp()
    other = ClassifierRecipe(classifier=Classifier(optimiser="sgd"))
    carry_out(tmp_path, learner, [*cases(), *cases(other, "b")])
    seeds = {name: [seed for optimiser, _, seed in learner.asked if optimiser == name] for name in ("adam", "sgd")}
    assert seeds["adam"] == seeds["sgd"]
    assert len(set(seeds["adam"])) == 4


def test_learning_that_ran_away_is_kept_and_not_tried_again(tmp_path: Path) -> None:
    listed(tmp_path)
    wild = cases(ClassifierRecipe(classifier=Classifier(learning_rate=5.0)))
    assert all(run.outcome is None for run in carry_out(tmp_path, MadeUp(), wild))
    again = MadeUp()
    assert all(run.outcome is None for run in carry_out(tmp_path, again, wild))
    assert not again.asked


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"study": "grid", "runs": [], "earlier": []}', '{"study": "seeds", "runs": [{}]}']
)
def test_a_file_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path, text: str) -> None:
    path = tmp_path / "runs.json"
    path.write_text(text)
    with pytest.raises(DataError, match="no runs of such a study"):
        Ledger(path, "seeds")
    assert path.read_text() == text


def test_a_run_of_another_version_is_refused(tmp_path: Path) -> None:
    listed(tmp_path)
    carry_out(tmp_path, MadeUp(), cases())
    path = tmp_path / "runs.json"
    path.write_text(path.read_text().replace('"visit_eer"', '"visits_eer"'))
    with pytest.raises(DataError, match="no runs of such a study"):
        carry_out(tmp_path, MadeUp(), cases())
