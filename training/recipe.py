"""A recipe: everything that decides what a run produces, as frozen values; its hash is the run's identity."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from device.settings import one_of, read_settings, within
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where the recordings are (relative to where the command runs) and how speakers are divided."""

    folder: str
    seed: int = 7
    validation_fraction: float = 0.18
    test_fraction: float = 0.15

    def __post_init__(self) -> None:
        within("data.validation_fraction", self.validation_fraction, 0.05, 0.5)
        within("data.test_fraction", self.test_fraction, 0.0, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """What may happen to a training clip; probabilities 0..1, levels in dB."""

    noise_probability: float = 0.7
    snr_low_db: float = 0.0
    snr_high_db: float = 20.0
    room_probability: float = 0.5
    telephone_probability: float = 0.2
    short_probability: float = 0.25
    gain_low_db: float = -20.0
    gain_high_db: float = 6.0

    def __post_init__(self) -> None:
        for key in ("noise_probability", "room_probability", "telephone_probability", "short_probability"):
            within(f"augment.{key}", getattr(self, key), 0.0, 1.0)
        within("augment.snr_high_db", self.snr_high_db, self.snr_low_db, 60.0)
        within("augment.gain_high_db", self.gain_high_db, self.gain_low_db, 40.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """The embedding network: taken from a folder (``source``), or learnt here where ``source`` is empty.

    ``speeds``: each further speed counts as a new speaker. ``variants``: differently augmented copies of each clip,
    beside the clean one. ``teacher``: empty, or ``resemblyzer`` (needs PyTorch) for distillation.
    """

    source: str = ""
    network: str = "resnet"
    width: int = 16
    embedding_size: int = 256
    speeds: tuple[float, ...] = (1.0, 0.9, 1.1)
    variants: int = 2
    epochs: int = 7
    batch_size: int = 128
    crop_frames: int = 200
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    margin: float = 0.2
    margin_scale: float = 30.0
    teacher: str = ""
    teacher_weight: float = 10.0

    def __post_init__(self) -> None:
        one_of("backbone.teacher", self.teacher, ("", "resemblyzer"))
        within("backbone.epochs", self.epochs, 1, 10_000)
        within("backbone.batch_size", self.batch_size, 2, 65_536)
        within("backbone.variants", self.variants, 0, 100)
        within("backbone.embedding_size", self.embedding_size, 16, 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """``sessions``: ``first`` enrols each resident's earliest session and tests on the others; ``all`` uses all."""

    sessions: str = "first"
    min_speech_seconds: float = 20.0
    prototypes: int = 6

    def __post_init__(self) -> None:
        one_of("enrol.sessions", self.sessions, ("first", "all"))
        within("enrol.prototypes", self.prototypes, 1, 50)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionSettings:
    """``target_far``: the share of validation strangers' visits (up to ``max_clips`` clips) that may open."""

    target_far: float = 0.01
    max_clips: int = 3
    cohort_top: int = 50

    def __post_init__(self) -> None:
        within("decision.target_far", self.target_far, 1e-5, 0.2)
        within("decision.max_clips", self.max_clips, 1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """The bundle's name and folder; ``make_current`` lets the ``current`` pointer name it; ``backbone`` also keeps
    the network as ``models/<backbone>`` for later refreshes; ``licences`` of the recordings go into the manifest."""

    name: str
    models: str = "models"
    make_current: bool = True
    backbone: str = ""
    licences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """One run of the workshop."""

    data: Data
    publish: Publish
    backbone: Backbone = field(default_factory=Backbone)
    augment: Augment = field(default_factory=Augment)
    frontend: FrontendSpec = field(default_factory=FrontendSpec)
    vad: VadSpec = field(default_factory=VadSpec)
    segmenter: SegmenterSpec = field(default_factory=SegmenterSpec)
    enrol: Enrol = field(default_factory=Enrol)
    decision: DecisionSettings = field(default_factory=DecisionSettings)

    def sha256(self) -> str:
        """The identity of everything in the recipe."""
        return digest(asdict(self))


def digest(value: object) -> str:
    """SHA-256 of a value in canonical JSON; also names a stage's cache by what it depends on."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises :class:`~device.errors.ConfigError` with all its problems."""
    return read_settings(path, Recipe)
