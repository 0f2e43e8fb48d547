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
class Backbone:
    """The embedding network: taken from a folder (``source``), learnt here where ``source`` is empty, or, for the
    network ``ge2e``, imported from the resemblyzer installed in the teacher's environment.

    ``speeds``: each further speed counts as a new speaker. ``variants``: differently augmented copies of each clip,
    beside the clean one. ``schedule`` of the learning rate: ``cosine`` (warm-up, then down) or ``constant``.
    ``checkpoint_far``: epochs are compared by FRR at this FAR on the validation strangers (take the decision's
    ``target_far``; it is a key of its own so that another threshold later trains nothing). ``patience``: stop after so
    many epochs without a better one; 0 never.
    ``start_from``: weights (``best.weights.h5`` of an earlier run's fit) of the same network to go on from, instead of
    chance. ``speaker_balance``: 0 hears every clip equally often, 1 every speaker. ``teacher``: empty, or
    ``resemblyzer`` (needs PyTorch) for distillation. ``teacher_speaker_share``: how much of the target is the teacher's
    mean over the speaker's clips, instead of the clip's own embedding, 0..1. ``margin_weight`` and ``teacher_weight``:
    what each of the two losses counts. ``sub_centres``: voices a class may have (Deng et al., ECCV 2020).
    ``most_speakers`` and ``share_of_clips``: learn from fewer people (0: all), from a share of each one's clips; for
    studies. ``steps_per_epoch``: 0 is once through all clips. ``keep_epoch``: ``best`` on the validation strangers, or
    ``last``, which leaves them unused, so that thresholds are chosen on people who chose nothing else.
    """

    source: str = ""
    start_from: str = ""
    network: str = "resnet"
    width: int = 16
    embedding_size: int = 256
    speeds: tuple[float, ...] = (1.0, 0.9, 1.1)
    variants: int = 2
    epochs: int = 7
    batch_size: int = 128
    crop_frames: int = 200
    learning_rate: float = 2e-3
    schedule: str = "cosine"
    weight_decay: float = 1e-4
    label_smoothing: float = 0.0
    checkpoint_far: float = 0.01
    patience: int = 0
    keep_epoch: str = "best"
    steps_per_epoch: int = 0
    most_speakers: int = 0
    share_of_clips: float = 1.0
    speaker_balance: float = 0.0
    margin: float = 0.2
    margin_scale: float = 30.0
    margin_weight: float = 1.0
    sub_centres: int = 1
    teacher: str = ""
    teacher_weight: float = 10.0
    teacher_speaker_share: float = 0.0

    def __post_init__(self) -> None:
        one_of("backbone.teacher", self.teacher, ("", "resemblyzer"))
        one_of("backbone.schedule", self.schedule, ("cosine", "constant"))
        one_of("backbone.keep_epoch", self.keep_epoch, ("best", "last"))
        within("backbone.steps_per_epoch", self.steps_per_epoch, 0, 10_000_000)
        within("backbone.most_speakers", self.most_speakers, 0, 10_000_000)
        within("backbone.share_of_clips", self.share_of_clips, 0.01, 1.0)
        within("backbone.margin_weight", self.margin_weight, 0.0, 1000.0)
        within("backbone.sub_centres", self.sub_centres, 1, 20)
        within("backbone.teacher_speaker_share", self.teacher_speaker_share, 0.0, 1.0)
        within("backbone.label_smoothing", self.label_smoothing, 0.0, 0.5)
        within("backbone.checkpoint_far", self.checkpoint_far, 1e-5, 0.2)
        within("backbone.patience", self.patience, 0, 10_000)
        within("backbone.speaker_balance", self.speaker_balance, 0.0, 1.0)
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
    cohort_top: int = 20

    def __post_init__(self) -> None:
        within("decision.target_far", self.target_far, 1e-5, 0.2)
        within("decision.max_clips", self.max_clips, 1, 10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """The bundle's name and folder; ``make_current`` lets the ``current`` pointer name it; ``keep``: bundles are called
    ``<name>-<sequence>`` and the last so many stay (0: one folder ``<name>``, replaced each time); ``backbone`` also
    keeps the network as ``models/<backbone>`` for later refreshes; ``licences`` of the recordings go into the manifest.
    ``key``: the private key that signs the bundle (``training keygen``); empty leaves it unsigned.
    """

    name: str
    models: str = "models"
    make_current: bool = True
    keep: int = 3
    backbone: str = ""
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
