"""Learning the backbone: additive-margin softmax over many speakers, and a teacher's embeddings where there are any.

Loss of one example: the margin softmax of Wang et al. (IEEE SPL 2018) over classes (speaker x speed), left out where
nobody knows who speaks, plus ``teacher_weight * (1 - cosine to the teacher's embedding)``. The teacher heard the clean
clip, the student hears the augmented one. The checkpoint kept is the best by FRR at 1 % FAR on validation speakers.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.examples import NO_SPEAKER, SHARD_CLIPS
from training.metrics import eer, frr_at_far, pooled, trials_between
from training.networks.backbone import build
from training.recipe import Backbone

VALIDATION_ENROLLED = 3


class Batches(keras.utils.PyDataset):  # type: ignore[misc]
    """Random variants of all clips, in a new order each epoch, cropped in time and masked (Park et al. 2019).

    Yields ``{"features": (b, crop, bands), "labels": (b,), "teacher": (b, d)}``; draws depend on seed and epoch.
    """

    def __init__(
        self,
        shards: Sequence[Path],
        labels: NDArray[np.int64],
        teacher: NDArray[np.float32],
        *,
        batch_size: int,
        crop_frames: int,
        seed: int,
        first_epoch: int = 0,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self._shards = [np.load(path, mmap_mode="r") for path in shards]
        self._labels, self._teacher = labels, teacher
        self._batch_size, self._crop, self._seed = batch_size, crop_frames, seed
        self._epoch = first_epoch
        self._shuffle()

    def _shuffle(self) -> None:
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._labels))

    def on_epoch_end(self) -> None:
        self._epoch += 1
        self._shuffle()

    def __len__(self) -> int:
        return len(self._labels) // self._batch_size

    def __getitem__(self, index: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
        rng = np.random.default_rng([self._seed, self._epoch, index])
        rows = self._order[index * self._batch_size : (index + 1) * self._batch_size]
        features = np.stack([self._example(int(row), rng) for row in rows])
        return {"features": features, "teacher": self._teacher[rows]}, self._labels[rows]

    def _example(self, row: int, rng: np.random.Generator) -> NDArray[np.float32]:
        shard = self._shards[row // SHARD_CLIPS]
        variant = int(rng.integers(shard.shape[1]))
        start = int(rng.integers(shard.shape[2] - self._crop + 1))
        features = shard[row % SHARD_CLIPS, variant, start : start + self._crop].astype(np.float32)
        if rng.random() < 0.5:
            band, width = int(rng.integers(features.shape[1] - 8)), int(rng.integers(1, 9))
            features[:, band : band + width] = 0.0
        if rng.random() < 0.5:
            frame, length = int(rng.integers(self._crop - 20)), int(rng.integers(1, 21))
            features[frame : frame + length] = 0.0
        return features


class Learner(keras.Model):  # type: ignore[misc]
    """The backbone with the class weights it needs while learning."""

    def __init__(self, backbone: Any, classes: int, settings: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.settings = settings
        size = settings.embedding_size
        self.classes = self.add_weight(shape=(classes, size), initializer="glorot_uniform", name="classes")
        self.margin = self.add_weight(shape=(), initializer="zeros", trainable=False, name="margin")

    def call(self, inputs: Any, training: bool = False) -> Any:
        return tf.math.l2_normalize(tf.cast(self.backbone(inputs["features"], training=training), tf.float32), axis=1)

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        known = tf.cast(y != NO_SPEAKER, tf.float32)
        labels = tf.maximum(y, 0)
        cosine = tf.matmul(y_pred, tf.math.l2_normalize(self.classes, axis=1), transpose_b=True)
        margin = self.margin * tf.one_hot(labels, tf.shape(cosine)[1])
        logits = self.settings.margin_scale * (cosine - margin)
        each = tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits)
        loss = tf.reduce_sum(each * known) / tf.maximum(tf.reduce_sum(known), 1.0)
        if self.settings.teacher:
            agreement = tf.reduce_sum(y_pred * x["teacher"], axis=1)
            loss += self.settings.teacher_weight * tf.reduce_mean(1.0 - agreement)
        return loss


@dataclass(frozen=True, slots=True, eq=False)
class ValidationClips:
    """Clean clips of speakers nobody learns from: float32 features ``(n, frames, bands)`` and who speaks."""

    features: NDArray[np.float32]
    speakers: tuple[str, ...]


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """After each epoch: margin warm-up, error rates on validation speakers, the best weights kept, one JSON line."""

    def __init__(self, validation: ValidationClips, whole: Any, folder: Path, *, margin: float, warm_epochs: int):
        super().__init__()
        self._validation, self._whole, self._folder = validation, whole, folder
        self._margin, self._warm = margin, warm_epochs
        self._log = folder / "epochs.jsonl"

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.model.margin.assign(self._margin * min(1.0, epoch / max(self._warm, 1)))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._whole.set_weights(self.model.backbone.get_weights())
        raw = self._whole.predict(self._validation.features, batch_size=64, verbose=0)
        embeddings = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        by_speaker = trials_between(embeddings, self._validation.speakers, enrolled=VALIDATION_ENROLLED)
        targets, nontargets = pooled(by_speaker[0]), pooled(by_speaker[1])
        now = {"eer": eer(targets, nontargets), "frr_at_far_1pct": frr_at_far(targets, nontargets, 0.01)}
        earlier = [json.loads(line) for line in self._log.read_text().splitlines()] if self._log.exists() else []
        best = min((each["frr_at_far_1pct"] for each in earlier), default=2.0)
        if now["frr_at_far_1pct"] < best:
            fresh = self._folder / "best.new.weights.h5"
            self._whole.save_weights(fresh)
            fresh.replace(self._folder / "best.weights.h5")
        with self._log.open("a") as file:
            file.write(json.dumps({"epoch": epoch, "loss": float((logs or {}).get("loss", 0.0)), **now}) + "\n")
        print(f"\nepoch {epoch + 1}: validation EER {now['eer']:.2%}, FRR at FAR 1 % {now['frr_at_far_1pct']:.2%}")


def fit_backbone(
    shards: Sequence[Path],
    labels: NDArray[np.int64],
    teacher: NDArray[np.float32],
    validation: ValidationClips,
    *,
    settings: Backbone,
    seed: int,
    folder: Path,
) -> Any:
    """Train (or go on training) in ``folder``; return the Keras network for whole clips with the best weights."""
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    frames, bands = validation.features.shape[1:]
    sizes = {"embedding_size": settings.embedding_size, "width": settings.width}
    whole = build(settings.network, (frames, bands), **sizes)
    if (folder / "finished").exists():
        whole.load_weights(folder / "best.weights.h5")
        return whole
    cropped = build(settings.network, (settings.crop_frames, bands), **sizes)
    learner = Learner(cropped, int(labels.max()) + 1, settings)
    done = len((folder / "epochs.jsonl").read_text().splitlines()) if (folder / "epochs.jsonl").exists() else 0
    batches = Batches(
        shards,
        labels,
        teacher,
        batch_size=settings.batch_size,
        crop_frames=settings.crop_frames,
        seed=seed,
        first_epoch=done,
    )
    steps = len(batches) * settings.epochs
    rate = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 10,
        steps * 9 // 10,
        alpha=0.01,
        warmup_target=settings.learning_rate,
        warmup_steps=max(1, steps // 10),
    )
    learner.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=5.0))
    learner.build({"features": (None, settings.crop_frames, bands), "teacher": (None, teacher.shape[1])})
    watch = Watch(validation, whole, folder, margin=settings.margin, warm_epochs=max(1, settings.epochs // 3))
    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"), save_freq="epoch", delete_checkpoint=False)
    learner.fit(batches, epochs=settings.epochs, callbacks=[watch, backup], verbose=1 if sys.stdout.isatty() else 2)
    (folder / "finished").touch()
    whole.load_weights(folder / "best.weights.h5")
    return whole
