"""How the embedding network is learnt: the ``[backbone]`` of a recipe."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from device.settings import one_of, within

# How a network is converted for the door; training/quantize.py says what each is.
CONVERSIONS = ("int8", "dynamic", "float16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backbone:
    """The embedding network: taken from a folder (``source``), learnt here where ``source`` is empty, or, for the
    network ``ge2e``, imported from the resemblyzer installed in the teacher's environment.

    ``speeds``: each further speed counts as a new speaker. ``variants``: differently augmented copies of each clip,
    beside the clean one. ``schedule`` of the learning rate: ``cosine`` (warm-up, then down) or ``constant``.
    ``checkpoint_far``: epochs are compared by FRR at this FAR on the validation strangers (take the decision's
    ``target_far``; it is a key of its own so that another threshold later trains nothing). ``patience``: stop after
    so many epochs without a better one; 0 never. ``start_from``: weights of the same network to go on from, instead of
    chance: ``best.weights.h5`` of an earlier run's fit, or a ``.keras`` file that ``training weights`` wrote. With
    ``epochs`` 0 they are taken as they are, and nothing is learnt. ``conversion`` of the network for the door:
    ``int8``, ``dynamic`` or ``float16`` (``training/quantize.py``), or ``auto``: ``dynamic`` for ``campplus``, int8
    for the others. ``speaker_balance``: 0 hears every clip equally
    often, 1 every speaker. ``teacher``: empty, or ``resemblyzer`` (needs PyTorch) for distillation.
    ``teacher_speaker_share``: how much of the target is the teacher's mean over the speaker's clips, instead of the
    clip's own embedding, 0..1. ``teacher_whitening`` and ``whitening``: how far the teacher's embeddings before,
    and the network's own after learning, are spread evenly over all directions (``training/whitening.py``), 0..1.
    ``margin_weight`` and ``teacher_weight``: what each of the two losses counts. ``sub_centres``: voices a class
    may have (Deng et al., ECCV 2020). ``most_speakers`` and ``share_of_clips``: learn from fewer people (0: all),
    from a share of each one's clips; for studies. ``clean_start`` and ``clean_end``: the share of clips taken as
    recorded, beyond the even draw among the variants, at the beginning and the end of learning, in a straight line
    between. ``steps_per_epoch``: 0 is once through all clips. ``keep_epoch``: ``best`` on the validation strangers,
    or ``last``, which leaves them unused, so that thresholds are chosen on people who chose nothing else.
    """

    source: str = ""
    start_from: str = ""
    network: str = "resnet"
    conversion: str = "auto"
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
    teacher_whitening: float = 0.0
    clean_start: float = 0.0
    clean_end: float = 0.0
    whitening: float = 0.0

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
        for key in ("teacher_whitening", "clean_start", "clean_end", "whitening"):
            within(f"backbone.{key}", getattr(self, key), 0.0, 1.0)
        within("backbone.label_smoothing", self.label_smoothing, 0.0, 0.5)
        within("backbone.checkpoint_far", self.checkpoint_far, 1e-5, 0.2)
        within("backbone.patience", self.patience, 0, 10_000)
        within("backbone.speaker_balance", self.speaker_balance, 0.0, 1.0)
        one_of("backbone.conversion", self.conversion, ("auto", *CONVERSIONS))
        within("backbone.epochs", self.epochs, 0 if self.start_from else 1, 10_000)
        within("backbone.batch_size", self.batch_size, 2, 65_536)
        within("backbone.variants", self.variants, 0, 100)
        within("backbone.embedding_size", self.embedding_size, 16, 1024)

    def learnt_by(self) -> dict[str, Any]:
        """What decides the weights at the end of learning; ``start_from`` counts by its content, not by its name."""
        later = ("whitening", "start_from", "conversion")
        return {key: value for key, value in asdict(self).items() if key not in later}

    @property
    def converted_to(self) -> str:
        """One of :data:`CONVERSIONS`."""
        if self.conversion != "auto":
            return self.conversion
        return "dynamic" if self.network == "campplus" else "int8"
