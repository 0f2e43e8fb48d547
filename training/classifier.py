"""The end-to-end classifier that course projects train: one network, one answer, *allowed* against *known others*.

Any network of :mod:`training.networks` with a single output, the logit of *allowed*. A TOML file describes it::

    [classifier]
    network = "simple"
    width = 16
    [frontend]
    scale = "linear"
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.settings import one_of, read_settings, within
from device.sound.logmel import FrontendSpec
from device.verdict.interpreter import Interpreter

# Features are decibels: about -30 to 30 about each band's mean. Networks learn best on numbers about 1.
DECIBELS_TO_ONE = 20.0
OPTIMISERS = ("adam", "adamw", "sgd", "rmsprop", "nadam", "lion")
SGD_MOMENTUM = 0.9
Features = NDArray[np.float32]
Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """How the classifier is made and learnt.

    ``noise_db``: standard deviation of Gaussian noise on every value of a spectrogram while learning, in dB;
    ``label_smoothing`` 0..0.5; ``weight_decay``: of every optimiser, apart from its gradient; ``dropout`` before the
    last layer. ``epochs`` go over all clips; both classes count the same in the loss, however many clips each has.
    """

    network: str = "simple"
    width: int = 16
    activation: str = "relu"
    initialisation: str = "glorot_uniform"
    dropout: float = 0.3
    epochs: int = 12
    batch_size: int = 32
    optimiser: str = "adam"
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    noise_db: float = 0.0

    def __post_init__(self) -> None:
        one_of("classifier.optimiser", self.optimiser, OPTIMISERS)
        within("classifier.width", self.width, 1, 512)
        within("classifier.dropout", self.dropout, 0.0, 0.9)
        within("classifier.epochs", self.epochs, 1, 10_000)
        within("classifier.batch_size", self.batch_size, 2, 65_536)
        within("classifier.learning_rate", self.learning_rate, 1e-8, 10.0)
        within("classifier.weight_decay", self.weight_decay, 0.0, 1.0)
        within("classifier.label_smoothing", self.label_smoothing, 0.0, 0.5)
        within("classifier.noise_db", self.noise_db, 0.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierRecipe:
    """A classifier, and the spectrogram it looks at."""

    classifier: Classifier = field(default_factory=Classifier)
    frontend: FrontendSpec = field(default_factory=FrontendSpec)


def read_classifier(path: Path) -> ClassifierRecipe:
    """The recipe in ``path``. Raises :class:`~device.errors.ConfigError` naming every key that is not acceptable."""
    return read_settings(path, ClassifierRecipe)


def learn_classifier(settings: Classifier, features: Features, allowed: NDArray[np.bool_], *, seed: int) -> Any:
    """The Keras network learnt from float32 ``(n, frames, bands)`` in dB and who is allowed, bool ``(n,)``.

    It takes features in dB and gives logits, float32 ``(n, 1)``.
    """
    import keras
    from keras import layers

    from training.networks.backbone import build
    from training.networks.bricks import Style

    keras.utils.set_random_seed(seed)
    shape = features.shape[1:]
    style = Style(activation=settings.activation, initialisation=settings.initialisation, dropout=settings.dropout)
    core = build(settings.network, shape, embedding_size=1, width=settings.width, style=style)
    entry = keras.Input(shape, name="log_mel")
    x = layers.Rescaling(1.0 / DECIBELS_TO_ONE)(entry)
    if settings.noise_db:
        x = layers.GaussianNoise(settings.noise_db / DECIBELS_TO_ONE)(x)
    network = keras.Model(entry, core(x))
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=settings.label_smoothing)
    network.compile(optimiser(settings), loss)
    truth = allowed.astype(np.float32)
    weights = np.where(allowed, 0.5 / max(allowed.sum(), 1), 0.5 / max((~allowed).sum(), 1)) * len(allowed)
    network.fit(features, truth, sample_weight=weights, epochs=settings.epochs, batch_size=settings.batch_size,
                verbose=0)  # fmt: skip
    return network


def optimiser(settings: Classifier) -> Any:
    """The Keras optimiser of these settings."""
    import keras

    made = {"adam": keras.optimizers.Adam, "adamw": keras.optimizers.AdamW, "sgd": keras.optimizers.SGD,
            "rmsprop": keras.optimizers.RMSprop, "nadam": keras.optimizers.Nadam,
            "lion": keras.optimizers.Lion}[settings.optimiser]  # fmt: skip
    further = {"momentum": SGD_MOMENTUM} if settings.optimiser == "sgd" else {}
    return made(learning_rate=settings.learning_rate, weight_decay=settings.weight_decay or None, **further)


def float_scores(network: Any, features: Features) -> Scores:
    """The logit of each clip by the Keras network, float64 ``(n,)``."""
    return np.asarray(network.predict(features, batch_size=64, verbose=0), dtype=np.float64).ravel()


def int8_scores(model: bytes, features: Features) -> Scores:
    """The logit of each clip by the int8 network in the door's own interpreter, float64 ``(n,)``."""
    interpreter = Interpreter(model)
    return np.array([float(interpreter.output.dequantize(interpreter.run(each))[0]) for each in features])
