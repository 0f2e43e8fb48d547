"""A bundle at work: Clip -> Score, trusted only after it has reproduced the bundle's golden vectors, and does not open
to sounds that nobody speaks."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from device.errors import BundleError
from device.sound.logmel import LogMel
from device.sound.pcm import CLIP_SECONDS, Clip, Samples
from device.verdict.bundle import Bundle
from device.verdict.golden import check_golden
from device.verdict.interpreter import Embedding, Interpreter, unit_length
from device.verdict.noise_check import highest_evidence, noise_evidence, refuse_opening_to_noise
from device.verdict.values import ResidentScore, Score


@dataclass(frozen=True, slots=True)
class Timings:
    """How long the two heavy stages of one clip took."""

    features_seconds: float
    inference_seconds: float


class Scorer:
    """Scores clips with a verified bundle.

    Construction runs the golden self-test and raises :class:`BundleError` when this machine does not compute what the
    workstation computed, or when the bundle would open to noise (:mod:`device.verdict.noise_check`), or
    :class:`~device.errors.RuntimeMissingError` when there is no runtime that can.
    """

    def __init__(self, bundle: Bundle, *, runtime: str = "auto") -> None:
        self.bundle = bundle
        self._log_mel = LogMel(bundle.frontend)
        self._interpreter = Interpreter(bundle.model, runtime=runtime)
        self.runtime_name = self._interpreter.runtime_name
        self._check_tensors()
        self.self_test()
        self._refuse_noise()

    def score(self, clip: Clip) -> Score:
        """The evidence of one clip for every resident."""
        return self.score_timed(clip)[0]

    def score_timed(self, clip: Clip) -> tuple[Score, Timings]:
        """As :meth:`score`, with the time the stages took."""
        started = time.perf_counter()
        features = self._log_mel(clip.samples)
        featured = time.perf_counter()
        score = self.judge_embedding(self._interpreter.embed(features), speech_share=speech_share(clip))
        return score, Timings(featured - started, time.perf_counter() - featured)

    def judge_embedding(self, embedding: Embedding, *, speech_share: float) -> Score:
        """The head alone: float32 ``(d,)`` of length 1, of a clip that is speech to ``speech_share`` (0..1), to a
        Score."""
        head = self.bundle.head
        cosines = head.similarity(embedding[None])[0]
        ratios = head.log_likelihood_ratios(embedding[None], np.array([speech_share]))[0]
        return Score(
            tuple(
                ResidentScore(name, float(llr), float(cosine))
                for name, llr, cosine in zip(head.residents, ratios, cosines, strict=True)
            ),
            speech_share,
        )

    def self_test(self) -> None:
        """Recompute the golden vectors. Raises :class:`BundleError` at the first that differs."""
        where = str(self.bundle.path / "golden.npz")
        check_golden(self.bundle.golden, self._log_mel, self._interpreter, spec=self.bundle.frontend, where=where)

    def _refuse_noise(self) -> None:
        bundle = self.bundle
        max_clips, least_seconds = bundle.thresholds.max_clips, bundle.segmenter.min_speech_seconds

        def embed(samples: Samples) -> Embedding:
            return self._interpreter.embed(self._log_mel(samples))

        # The self-test has just shown that the golden outputs are this machine's.
        outputs = bundle.golden.outputs
        golden = unit_length(bundle.output.dequantize(outputs) if outputs.dtype == np.int8 else outputs)  # type: ignore[arg-type]
        sums = highest_evidence(bundle.head, golden, max_clips=max_clips, min_speech_seconds=least_seconds)
        evidence = noise_evidence(bundle.head, embed, max_clips=max_clips, min_speech_seconds=least_seconds)
        evidence |= {f"golden clip {index}": reached for index, reached in enumerate(sums.tolist())}
        refuse_opening_to_noise(evidence, open_llr=bundle.thresholds.open_llr, where=str(bundle.path))

    def _check_tensors(self) -> None:
        for name in ("input", "output"):
            bundled, actual = getattr(self.bundle, name), getattr(self._interpreter, name)
            same = (bundled.shape, bundled.zero_point, bundled.dtype) == (actual.shape, actual.zero_point, actual.dtype)
            if not same or not np.isclose(bundled.scale, actual.scale, rtol=1e-6, atol=0.0):
                raise BundleError(
                    f"the model's {name} is not what the manifest says",
                    where=str(self.bundle.path / "model.tflite"),
                    received=actual,
                    allowed=str(bundled),
                    next_step="publish the bundle again",
                )


def speech_share(clip: Clip) -> float:
    """How much of a clip is evidence, 0..1: 1 for 3 s as recorded, the share of true speech for a filled one."""
    return min(1.0, clip.speech_seconds / CLIP_SECONDS) if clip.filled else 1.0
