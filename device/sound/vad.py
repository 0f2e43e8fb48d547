"""Speech or not, one frame at a time: the WebRTC voice activity detector (the only import of ``webrtcvad``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from device.errors import ConfigError, RuntimeMissingError
from device.sound.fingerprint import fingerprint
from device.sound.pcm import SAMPLE_RATE_HZ, Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class VadSpec:
    """``mode`` 0..3: how eager the detector is to call a frame noise (0 keeps most, 3 drops most)."""

    mode: int = 2

    def __post_init__(self) -> None:
        if self.mode not in (0, 1, 2, 3):
            raise ConfigError("no such detector mode", where="vad.mode", received=self.mode, allowed="0, 1, 2 or 3")

    def fingerprint(self) -> str:
        return fingerprint("webrtcvad-1", asdict(self))


class WebRtcDetector:
    """:class:`~device.ports.SpeechDetector` on the WebRTC detector.

    It adapts to the noise floor, so frames must be passed in order; ``reset`` starts afresh after a Gap.
    Raises :class:`RuntimeMissingError` where the library is absent.
    """

    def __init__(self, spec: VadSpec) -> None:
        try:
            import webrtcvad
        except ImportError as error:
            raise RuntimeMissingError(
                "the speech detector is not installed",
                where="webrtcvad",
                received=error,
                next_step="pip install webrtcvad-wheels (the package webrtcvad itself no longer imports)",
            ) from error
        self._make: Any = webrtcvad.Vad
        self._mode = spec.mode
        self._detector = self._make(self._mode)

    def is_speech(self, frame: Frame) -> bool:
        return bool(self._detector.is_speech(frame.samples.tobytes(), SAMPLE_RATE_HZ))

    def reset(self) -> None:
        self._detector = self._make(self._mode)
