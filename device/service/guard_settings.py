"""What else an opening depends on, and what is kept of it: the tables ``[replay]``, ``[button]`` and ``[privacy]``."""

from __future__ import annotations

from dataclasses import dataclass

from device.replay.guard import THRESHOLD
from device.settings import one_of, within


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayConfig:
    """Each clip is compared with ``most_utterances`` at most, none older than ``keep_hours``; a likeness of
    ``threshold`` is a replay. ``keep_on_disk``: they outlive a restart, in the state directory where there is one."""

    enabled: bool = True
    keep_hours: float = 24.0
    most_utterances: int = 150
    threshold: float = THRESHOLD
    keep_on_disk: bool = True

    def __post_init__(self) -> None:
        within("replay.keep_hours", self.keep_hours, 0.01, 24.0 * 31)
        within("replay.most_utterances", self.most_utterances, 10, 2000)
        within("replay.threshold", self.threshold, 5.0, 100.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ButtonConfig:
    """A second factor: where ``enabled``, the button on BCM ``pin`` must have been pressed at most ``within_seconds``
    before a voice opens. ``pull_up``: it connects the pin to ground; else to 3.3 V."""

    enabled: bool = False
    pin: int = 27
    pull_up: bool = True
    pin_factory: str = "lgpio"
    within_seconds: float = 15.0

    def __post_init__(self) -> None:
        within("button.pin", self.pin, 0, 27)
        one_of("button.pin_factory", self.pin_factory, ("lgpio", "native", "mock"))
        within("button.within_seconds", self.within_seconds, 1.0, 120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockConfig:
    """``require_set``: whoever has hours stays outside while nobody has set the machine's clock since it started.
    Off: hours count by whatever the clock shows."""

    # Hours by a wrong clock let people in outside of theirs; who has none comes in all the same.
    require_set: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivacyConfig:
    """``keep_clips``: every judged clip is kept as a WAV file in the state directory, the newest ``max_megabytes`` of
    at most ``keep_days``."""

    keep_clips: bool = False
    max_megabytes: float = 50.0
    keep_days: float = 7.0

    def __post_init__(self) -> None:
        within("privacy.max_megabytes", self.max_megabytes, 1.0, 10_000.0)
        within("privacy.keep_days", self.keep_days, 0.01, 366.0)
