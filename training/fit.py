"""Learning the backbone: additive-margin softmax over many speakers, and a teacher's embeddings where there are any.

Loss of one example: the margin softmax of Wang et al. (IEEE SPL 2018) over classes (speaker x speed), left out where
nobody knows who speaks, plus ``teacher_weight * (1 - cosine to the teacher's embedding)``. The teacher heard the clean
clip, the student hears the augmented one. The checkpoint kept is the last, or the best by FRR at ``checkpoint_far`` on
validation speakers (``keep_epoch``); without a better one for ``patience`` epochs, learning stops. How far each layer
moves is told beside it (``layer_log``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from training.batches import Batches
from training.begin import first_centres, load_start
from training.compute import precision, strategy_for
from training.corpus.index import Progress
from training.examples import NO_SPEAKER
from training.layer_log import LayerLog, keep_start
from training.learning_settings import Backbone
from training.material import Material
from training.metrics import eer, frr_at_far, pooled, trials_between
from training.networks.backbone import build
from training.networks.weights import load_weights, save_weights
from training.recipe import Compute
from training.tracking import Tracker

VALIDATION_ENROLLED = 3
ONE_DEVICE = Compute(devices="one")


class Learner(keras.Model):  # type: ignore[misc]
    """The backbone with the class weights it needs while learning."""

    def __init__(self, backbone: Any, classes: int, settings: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.settings = settings
        size = settings.embedding_size
        shape = (classes * settings.sub_centres, size)
        self.classes = self.add_weight(shape=shape, initializer="glorot_uniform", name="classes")
        self.margin = self.add_weight(shape=(), initializer="zeros", trainable=False, name="margin")

    def call(self, inputs: Any, training: bool = False) -> Any:
        return tf.math.l2_normalize(tf.cast(self.backbone(inputs["features"], training=training), tf.float32), axis=1)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Nothing: everything is built before. Keras would take a batch for it, which several workers cannot share."""

    def compute_metrics(self, *arguments: Any, **named: Any) -> Any:
        told = super().compute_metrics(*arguments, **named)
        if not isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
            return told
        # Keras averages over workers along an axis that a single number does not have.
        return {name: tf.reshape(value, (1,)) for name, value in told.items()}

    def compute_loss(self, x: Any = None, y: Any = None, y_pred: Any = None, *_: Any, **__: Any) -> Any:
        known = tf.cast(y != NO_SPEAKER, tf.float32)
        labels = tf.maximum(y, 0)
        cosine = tf.matmul(y_pred, tf.math.l2_normalize(self.classes, axis=1), transpose_b=True)
        if self.settings.sub_centres > 1:
            centres = tf.reshape(cosine, (tf.shape(cosine)[0], -1, self.settings.sub_centres))
            cosine = tf.reduce_max(centres, axis=2)
        margin = self.margin * tf.one_hot(labels, tf.shape(cosine)[1])
        logits = self.settings.margin_scale * (cosine - margin)
        # Label smoothing (Szegedy et al., CVPR 2016): a share of the certainty is spread over all classes.
        smoothing = self.settings.label_smoothing
        logs = tf.nn.log_softmax(logits)
        own = tf.reduce_sum(logs * tf.one_hot(labels, tf.shape(cosine)[1]), axis=1)
        each = -(1.0 - smoothing) * own - smoothing * tf.reduce_mean(logs, axis=1)
        loss = self.settings.margin_weight * tf.reduce_sum(each * known) / tf.maximum(tf.reduce_sum(known), 1.0)
        if self.settings.teacher:
            agreement = tf.reduce_sum(y_pred * x["teacher"], axis=1)
            loss += self.settings.teacher_weight * tf.reduce_mean(1.0 - agreement)
        # Each replica sees a part of the batch, and their gradients are added up.
        return loss / tf.distribute.get_strategy().num_replicas_in_sync


@dataclass(frozen=True, slots=True, eq=False)
class ValidationClips:
    """Clean clips of speakers nobody learns from: float32 features ``(n, frames, bands)`` and who speaks."""

    features: NDArray[np.float32]
    speakers: tuple[str, ...]


class Watch(keras.callbacks.Callback):  # type: ignore[misc]
    """Progress, margin warm-up; after each epoch the error rates on validation speakers, the best weights kept, one
    line for whoever follows, and an early end when nothing gets better."""

    def __init__(
        self,
        validation: ValidationClips,
        whole: Any,
        folder: Path,
        *,
        settings: Backbone,
        tracker: Tracker,
        progress: Progress,
    ) -> None:
        super().__init__()
        self._validation, self._whole, self._folder = validation, whole, folder
        self._settings = settings
        self._tracker, self._progress = tracker, progress
        self._warm = max(1, settings.epochs // 3)
        self._log = folder / "epochs.jsonl"
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch
        # Where learning goes on, the classes stand near their people already.
        warm = 1.0 if self._settings.start_from else min(1.0, epoch / self._warm)
        self.model.margin.assign(self._settings.margin * warm)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        steps = self.params["steps"]
        self._progress("fit", self._epoch * steps + batch + 1, self._settings.epochs * steps)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._whole.set_weights(self.model.backbone.get_weights())
        raw = self._whole.predict(self._validation.features, batch_size=64, verbose=0)
        embeddings = raw / np.linalg.norm(raw, axis=1, keepdims=True)
        by_speaker = trials_between(embeddings, self._validation.speakers, enrolled=VALIDATION_ENROLLED)
        targets, nontargets = pooled(by_speaker[0]), pooled(by_speaker[1])
        now = {
            "loss": float((logs or {}).get("loss", 0.0)),
            "eer": eer(targets, nontargets),
            "frr_at_checkpoint_far": frr_at_far(targets, nontargets, self._settings.checkpoint_far),
        }
        rates = [each["frr_at_checkpoint_far"] for each in epochs_so_far(self._folder)]
        if self._settings.keep_epoch == "last" or now["frr_at_checkpoint_far"] < min(rates, default=2.0):
            save_weights(self._whole, self._folder / "best.weights.h5")
        with self._log.open("a") as file:
            file.write(json.dumps({"epoch": epoch, **now}) + "\n")
        self._tracker.tell("epoch", now, step=epoch)
        if gives_up([*rates, now["frr_at_checkpoint_far"]], self._settings.patience):
            self.model.stop_training = True


def epochs_so_far(folder: Path) -> list[dict[str, float]]:
    """What earlier epochs of this run told."""
    log = folder / "epochs.jsonl"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def gives_up(rates: Sequence[float], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought nothing better than before them; never for a patience of 0."""
    return 0 < patience < len(rates) and min(rates[-patience:]) >= min(rates[:-patience])


def fit_backbone(
    material: Material,
    validation: ValidationClips,
    *,
    settings: Backbone,
    seed: int,
    folder: Path,
    tracker: Tracker,
    progress: Progress,
    compute: Compute = ONE_DEVICE,
) -> Any:
    """Train (or go on training) in ``folder``; return the Keras network for whole clips with the best weights.

    Of several workers each runs this on the same data, with a folder of its own.
    """
    strategy = strategy_for(compute)
    keras.utils.set_random_seed(seed)
    folder.mkdir(parents=True, exist_ok=True)
    frames, bands = validation.features.shape[1:]
    sizes: Any = {"embedding_size": settings.embedding_size, "width": settings.width}
    with strategy.scope():
        whole = build(settings.network, (frames, bands), **sizes)
    if (folder / "finished").exists():
        load_weights(whole, folder / "best.weights.h5")
        return whole
    with strategy.scope(), precision(compute):
        cropped = build(settings.network, (settings.crop_frames, bands), **sizes)
    if settings.start_from:
        load_start(whole, Path(settings.start_from))
        cropped.set_weights(whole.get_weights())
    keep_start(cropped, whole, folder)
    layer_log = LayerLog(cropped, whole, folder)
    rates = [each["frr_at_checkpoint_far"] for each in epochs_so_far(folder)]
    batches = Batches(
        material.shards,
        material.labels,
        material.teacher,
        batch_size=settings.batch_size,
        crop_frames=settings.crop_frames,
        seed=seed,
        speaker_balance=settings.speaker_balance,
        rows=material.rows,
        steps_per_epoch=settings.steps_per_epoch,
        clean=(settings.clean_start, settings.clean_end),
        epochs=settings.epochs,
    )
    rate = learning_rate(settings, len(batches) * settings.epochs)
    with strategy.scope():
        learner = Learner(cropped, int(material.labels.max()) + 1, settings)
        learner.compile(optimizer=keras.optimizers.AdamW(rate, weight_decay=settings.weight_decay, clipnorm=5.0))
        learner.build({"features": (None, settings.crop_frames, bands), "teacher": (None, material.teacher.shape[1])})
        learner.optimizer.build(learner.trainable_variables)
        if settings.start_from and settings.teacher:
            # From chance, the teacher's space and the network's have nothing in common yet.
            labels, taught = material.labels[material.rows], material.teacher[material.rows]
            random = np.asarray(learner.classes)
            learner.classes.assign(first_centres(random, labels, taught, sub_centres=settings.sub_centres))
    watch = Watch(validation, whole, folder, settings=settings, tracker=tracker, progress=progress)
    backup = keras.callbacks.BackupAndRestore(str(folder / "backup"), save_freq="epoch", delete_checkpoint=False)
    if not gives_up(rates, settings.patience):
        learner.fit(
            batches.dataset(first_epoch=len(rates), epochs=settings.epochs),
            epochs=settings.epochs,
            steps_per_epoch=len(batches),
            callbacks=[watch, layer_log, backup],
            verbose=0,
        )
    (folder / "finished").touch()
    load_weights(whole, folder / "best.weights.h5")
    return whole


def learning_rate(settings: Backbone, steps: int) -> Any:
    """The learning rate over all ``steps``: constant, or a tenth of them up to it and a cosine down to a hundredth."""
    if settings.schedule == "constant":
        return settings.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / 10,
        steps * 9 // 10,
        alpha=0.01,
        warmup_target=settings.learning_rate,
        warmup_steps=max(1, steps // 10),
    )
