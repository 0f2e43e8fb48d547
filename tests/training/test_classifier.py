"""The end-to-end classifier: it learns what can be told apart and nothing else, and says the same in int8."""

from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError
from training.classifier import (
    OPTIMISERS,
    Classifier,
    float_scores,
    int8_scores,
    learn_classifier,
    read_classifier,
)

RECIPES = sorted(Path("training/recipes/networks").glob("*.toml"))
SHAPE = (32, 16)


def clips(number: int, *, told_apart: bool) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    features = rng.normal(0, 5, (number, *SHAPE)).astype(np.float32)
    allowed = np.arange(number) % 2 == 0
    if told_apart:
        features[allowed, :, 3:6] += 12.0
    return features, allowed


def test_it_learns_what_can_be_told_apart_and_nothing_else() -> None:
    pytest.importorskip("tensorflow")
    from training.quantize import quantize

    settings = Classifier(width=4, epochs=30, learning_rate=1e-2, dropout=0.0)
    features, allowed = clips(80, told_apart=True)
    network = learn_classifier(settings, features[:40], allowed[:40], seed=1)
    scores = float_scores(network, features[40:])
    assert ((scores > 0) == allowed[40:]).mean() > 0.9
    small = int8_scores(quantize(network, features[:40]), features[40:])
    assert np.corrcoef(scores, small)[0, 1] > 0.98
    nothing, allowed = clips(80, told_apart=False)
    guess = float_scores(learn_classifier(settings, nothing[:40], allowed[:40], seed=1), nothing[40:])
    assert ((guess > 0) == allowed[40:]).mean() < 0.8


@pytest.mark.parametrize("optimiser", OPTIMISERS)
def test_every_optimiser_lowers_the_loss(optimiser: str) -> None:
    pytest.importorskip("tensorflow")
    features, allowed = clips(16, told_apart=True)
    rate = 0.05 if optimiser == "sgd" else 2e-3
    settings = Classifier(width=2, epochs=1, batch_size=16, optimiser=optimiser, learning_rate=rate, dropout=0.0,
                          weight_decay=1e-3, noise_db=1.0, label_smoothing=0.1)  # fmt: skip
    begun = float_scores(learn_classifier(settings, features, allowed, seed=2), features)
    later = float_scores(
        learn_classifier(Classifier(**{**_values(settings), "epochs": 12}), features, allowed, seed=2), features
    )

    def loss(scores: np.ndarray) -> float:
        return float(np.logaddexp(0.0, np.where(allowed, -scores, scores)).mean())

    assert loss(later) < loss(begun)


def _values(settings: Classifier) -> dict[str, object]:
    return {name: getattr(settings, name) for name in Classifier.__dataclass_fields__}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_network_has_a_recipe_that_can_be_read(path: Path) -> None:
    assert read_classifier(path).classifier.network == path.stem


def test_there_is_a_recipe_for_every_network_of_the_comparison() -> None:
    assert {path.stem for path in RECIPES} >= {"simple", "tutorial", "vggish", "resnet", "resnet_se", "resnet_cbam",
                                               "depthwise", "lean"}  # fmt: skip


def test_wrong_keys_and_values_are_named(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    path.write_text('[classifier]\noptimizer = "adam"\n')
    with pytest.raises(ConfigError, match="optimiser"):
        read_classifier(path)
    with pytest.raises(ConfigError, match="label_smoothing"):
        Classifier(label_smoothing=0.9)
