"""Studies: the file that names the runs, the law through their points, and one study on made-up networks."""

from pathlib import Path

import pytest

from device.errors import ConfigError, DataError
from tests.conftest import ROOT
from training.study.plan import changed, read_plan
from training.study.scaling import power_law

RECIPE = '[data]\nfolder = "recordings"\n[publish]\nname = "home"\n[backbone]\nepochs = 3\n'


def plan(folder: Path, text: str) -> Path:
    (folder / "base.toml").write_text(RECIPE)
    (folder / "plan.toml").write_text('recipe = "base.toml"\n' + text)
    return folder / "plan.toml"


def test_a_run_is_the_recipe_with_the_keys_of_the_study_and_its_own(tmp_path: Path) -> None:
    text = '[set]\n"backbone.epochs" = 9\n[[run]]\nname = "a"\n[[run]]\nname = "b"\nseries = "hours"\n'
    text += 'set = { "backbone.width" = 4 }\n'
    first, second = read_plan(plan(tmp_path, text))
    assert (first.recipe.backbone.epochs, first.recipe.backbone.width, first.series) == (9, 16, "")
    assert (second.recipe.backbone.epochs, second.recipe.backbone.width, second.series) == (9, 4, "hours")


def test_changing_a_recipe_leaves_the_one_it_was_made_from() -> None:
    base = {"backbone": {"epochs": 3}}
    assert changed(base, {"backbone.epochs": 5, "augment.snr_low_db": 1.0}, where="") == {
        "backbone": {"epochs": 5}, "augment": {"snr_low_db": 1.0},
    }  # fmt: skip
    assert base == {"backbone": {"epochs": 3}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "runs with different names"),
        ('[[run]]\nname = "a"\n[[run]]\nname = "a"\n', "runs with different names"),
        ('[[run]]\nset = {}\n', "needs a name"),
        ('[[run]]\nname = "a"\nsets = {}\n', "unknown key"),
        ('[[run]]\nname = "a"\nseries = "width"\n', "no such series"),
        ('[[run]]\nname = "a"\nset = { "backbone.widht" = 4 }\n', "did you mean 'width'"),
        ('[[run]]\nname = "a"\nset = { "width" = 4 }\n', "not a key of a recipe"),
    ],
)  # fmt: skip
def test_a_wrong_plan_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_plan(plan(tmp_path, text))


def test_the_shipped_plans_are_valid() -> None:
    assert {run.series for run in read_plan(ROOT / "training/recipes/ablations.toml")} == {""}
    assert {run.series for run in read_plan(ROOT / "training/recipes/scaling.toml")} == {"speakers", "hours"}


def test_a_power_law_is_found_again_and_its_spread_told() -> None:
    amounts = [50.0, 100.0, 200.0, 400.0]
    exact = power_law(amounts, [0.8 * each**-0.3 for each in amounts])
    assert exact.exponent == pytest.approx(0.3)
    assert exact.at(2338.0) == pytest.approx(0.8 * 2338.0**-0.3)
    assert exact.spread == pytest.approx(1.0)
    rough = power_law(
        amounts, [0.8 * each**-0.3 * factor for each, factor in zip(amounts, (1, 2, 0.5, 1), strict=True)]
    )
    assert rough.spread > 1.5
    with pytest.raises(DataError):
        power_law(amounts[:2], [0.2, 0.1])
    with pytest.raises(DataError):
        power_law(amounts, [0.2, 0.1, 0.1, 0.0])
