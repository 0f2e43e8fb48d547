"""The score that is explained: features through the bundle's own network and head, to one resident's evidence."""

from __future__ import annotations

from device.sound.logmel import Features
from device.verdict.bundle import Bundle
from device.verdict.interpreter import Embedding, Interpreter
from device.verdict.scorer import Scorer


class Int8Judge:
    """Call it with features ``bundle.frontend.shape``; get ``resident``'s natural-log likelihood ratio for a clip that
    is speech to ``speech_share`` (0..1). ``passes`` counts the calls."""

    def __init__(self, bundle: Bundle, scorer: Scorer, *, resident: str, speech_share: float) -> None:
        self._interpreter, self._scorer = Interpreter(bundle.model), scorer
        self._place, self._speech_share = bundle.residents.index(resident), speech_share
        self.passes = 0

    def __call__(self, features: Features) -> float:
        self.passes += 1
        score = self._scorer.judge_embedding(self.embed(features), speech_share=self._speech_share)
        return score.residents[self._place].llr

    def embed(self, features: Features) -> Embedding:
        """float32 ``(d,)`` of length 1."""
        return self._interpreter.embed(features)
