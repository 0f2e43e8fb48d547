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
from training.corpus.layouts import LAYOUTS, parse_source
from training.learning_settings import Backbone


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where the recordings are (relative to where the command runs) and how speakers are divided.

    ``layout``: how ``folder`` is arranged (``corpus/layouts.py``); ``allowed``: the residents, where the layout does
    not say; ``corpora``: further recordings as ``LAYOUT:FOLDER``, whose speakers are others.
    """

    folder: str
    layout: str = "folder"
    allowed: tuple[str, ...] = ()
    corpora: tuple[str, ...] = ()
    seed: int = 7
    validation_fraction: float = 0.18
    test_fraction: float = 0.15

    def __post_init__(self) -> None:
        one_of("data.layout", self.layout, tuple(LAYOUTS))
        for each in self.corpora:
            parse_source(each)
        within("data.validation_fraction", self.validation_fraction, 0.05, 0.5)
        within("data.test_fraction", self.test_fraction, 0.0, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """What may happen to a training clip, in this order: probabilities 0..1 and ranges. ``training/augment.py`` says
    what each does; ``opus_*_compression`` 0 is 256 kbit/s, 1 is 6 kbit/s."""

    short_probability: float = 0.25
    short_low_seconds: float = 1.0
    short_high_seconds: float = 2.5
    pitch_probability: float = 0.05
    pitch_semitones: float = 0.7
    pace_probability: float = 0.1
    pace_low: float = 0.85
    pace_high: float = 1.15
    room_probability: float = 0.5
    room_low_seconds: float = 0.1
    room_high_seconds: float = 0.7
    noise_probability: float = 0.7
    snr_low_db: float = 0.0
    snr_high_db: float = 20.0
    clipping_probability: float = 0.05
    clipping_low_db: float = 3.0
    clipping_high_db: float = 12.0
    telephone_probability: float = 0.2
    codec_probability: float = 0.1
    opus_low_compression: float = 0.9
    opus_high_compression: float = 1.0
    gain_low_db: float = -20.0
    gain_high_db: float = 6.0

    def __post_init__(self) -> None:
        for key in ("short", "pitch", "pace", "room", "noise", "clipping", "telephone", "codec"):
            within(f"augment.{key}_probability", getattr(self, f"{key}_probability"), 0.0, 1.0)
        within("augment.pitch_semitones", self.pitch_semitones, 0.0, 12.0)
        for low, high, least, most in (
            ("short_low_seconds", "short_high_seconds", 0.2, 3.0),
            ("pace_low", "pace_high", 0.5, 2.0),
            ("room_low_seconds", "room_high_seconds", 0.01, 3.0),
            ("snr_low_db", "snr_high_db", -20.0, 60.0),
            ("clipping_low_db", "clipping_high_db", 0.0, 40.0),
            ("opus_low_compression", "opus_high_compression", 0.0, 1.0),
            ("gain_low_db", "gain_high_db", -60.0, 40.0),
        ):
            within(f"augment.{low}", getattr(self, low), least, most)
            within(f"augment.{high}", getattr(self, high), getattr(self, low), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrol:
    """``sessions``: ``all`` enrols every session; the test is of the same household without each resident's last
    session. ``first`` enrols each resident's earliest session and tests on the others. Who has less than
    ``min_speech_seconds`` is not enrolled; ``prototypes`` a resident."""

    sessions: str = "all"
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
    cohort_top: int = 20

    def __post_init__(self) -> None:
        within("decision.target_far", self.target_far, 1e-5, 0.2)
        within("decision.max_clips", self.max_clips, 1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """The bundle's name and folder; ``make_current`` lets the ``current`` pointer name it; ``keep``: bundles are called
    ``<name>-<sequence>`` and the last so many stay (0: one folder ``<name>``, replaced each time); ``backbone`` also
    keeps the network as ``models/<backbone>`` for later refreshes, and ``keep_weights`` its Keras weights beside it, to
    learn on from; ``licences`` of the recordings go into the manifest.
    ``key``: the private key that signs the bundle (``training keygen``); empty leaves it unsigned.
    """

    name: str
    models: str = "models"
    make_current: bool = True
    keep: int = 3
    backbone: str = ""
    keep_weights: bool = False
    licences: tuple[str, ...] = ()
    key: str = ""

    def __post_init__(self) -> None:
        within("publish.keep", self.keep, 0, 1000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """What a network is learnt on. ``devices``: ``auto``, ``one``, ``mirrored`` (several GPUs) or ``multi_worker``
    (several machines); ``precision``: ``float32``, or mixed with float16 (GPUs) or bfloat16."""

    devices: str = "auto"
    precision: str = "float32"

    def __post_init__(self) -> None:
        one_of("compute.devices", self.devices, ("auto", "one", "mirrored", "multi_worker"))
        one_of("compute.precision", self.precision, ("float32", "mixed_float16", "mixed_bfloat16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracking:
    """Who else follows a run, beside its JSON lines: ``tensorboard`` event files, and Weights & Biases, ``off``,
    ``offline`` (written to disk) or ``online``, in ``wandb_project``."""

    tensorboard: bool = False
    wandb: str = "off"
    wandb_project: str = "voicelatch"

    def __post_init__(self) -> None:
        one_of("tracking.wandb", self.wandb, ("off", "offline", "online"))


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
    compute: Compute = field(default_factory=Compute)
    tracking: Tracking = field(default_factory=Tracking)

    def sha256(self) -> str:
        """The identity of everything in the recipe but who follows it, what it is computed on and who signs: that
        changes nothing in what is asked for, and a signature says itself whose it is."""
        table = {name: value for name, value in asdict(self).items() if name not in ("tracking", "compute")}
        del table["publish"]["key"]
        return digest(table)


def digest(value: object) -> str:
    """SHA-256 of a value in canonical JSON; also names a stage's cache by what it depends on."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def read_recipe(path: Path) -> Recipe:
    """Read and check a recipe. Raises :class:`~device.errors.ConfigError` with all its problems."""
    return read_settings(path, Recipe)
