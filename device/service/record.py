"""One recording session: prompt by prompt, take by take, until there is enough for today. Draws nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from device.enrolment.progress import Day, Progress
from device.enrolment.prompts import Prompt
from device.enrolment.takes import Judged, Lost, Take
from device.ports import Clock, Microphone, SpeechDetector
from device.sound.meter import Levels, Meter
from device.sound.pcm import SAMPLE_RATE_HZ, Frame, Gap, Samples

# After that many refusals of one sentence the next one is asked for: some manners do not carry at some doors.
MOST_TRIES = 3


class Cutter(Protocol):
    """:class:`~device.enrolment.takes.TakeCutter` or :class:`~device.enrolment.takes.NoiseCutter`."""

    @property
    def speaking(self) -> bool: ...

    def push(self, item: Frame | Gap, is_speech: bool) -> Take | Lost | None: ...

    def flush(self) -> Take | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What there is to be seen: what to say and how (``prompt`` None for background), the levels, the last word on a
    take, how far it is. ``progress`` includes what this session has kept."""

    person: str
    prompt: Prompt | None
    number: int
    levels: Levels
    speaking: bool
    said: str
    today_seconds: float
    target_seconds: float
    progress: Progress
    kept: int
    refused: int


class Display(Protocol):
    """Whoever looks on. ``show`` is called for every frame; ``took`` for every take, with its file if it was kept."""

    def show(self, view: View, *, now_seconds: float) -> None: ...

    def took(self, judged: Judged, prompt: Prompt | None, path: Path | None) -> None: ...

    def lost(self, reason: str) -> None: ...


@dataclass(slots=True, kw_only=True)
class Session:
    """:meth:`hold` it. ``target_seconds`` of net speech (of background: of sound) end it, and so does the end of the
    input. ``judge`` says whether a take is good, ``keep`` writes it and names the file; ``number`` (from 0) is the
    prompt to begin with. What was kept stays, however it ends."""

    person: str
    microphone: Microphone
    detector: SpeechDetector
    clock: Clock
    cutter: Cutter
    prompts: Sequence[Prompt]
    judge: Callable[[Take, Prompt | None], Judged]
    keep: Callable[[Samples], Path]
    display: Display
    before: Progress
    today: str
    target_seconds: float
    number: int = 0
    kept: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)
    session_seconds: float = field(default=0.0, init=False)
    _tries: int = field(default=0, init=False)
    _said: str = field(default="", init=False)
    _meter: Meter = field(default_factory=Meter, init=False)

    @property
    def today_seconds(self) -> float:
        return self.before.seconds_on(self.today) + self.session_seconds

    @property
    def enough(self) -> bool:
        return self.today_seconds >= self.target_seconds

    @property
    def progress(self) -> Progress:
        """What there was before, and what this session has kept."""
        if not self.kept:
            return self.before
        days = {each.name: each for each in self.before.days}
        had = days.get(self.today, Day(self.today, 0, 0.0))
        days[self.today] = Day(self.today, had.takes + self.kept, had.seconds + self.session_seconds)
        return Progress(self.before.role, self.before.name, tuple(days[name] for name in sorted(days)))

    def hold(self) -> None:
        """Record until there is enough for today or nothing more is heard. May be interrupted at any time."""
        while not self.enough:
            item = self.microphone.read()
            if item is None:
                self._settle(self.cutter.flush())
                return
            if isinstance(item, Gap):
                self.detector.reset()
                self._meter.reset()
                self._settle(self.cutter.push(item, False))
                continue
            speech = self.detector.is_speech(item)
            levels = self._meter.push(item, speech)
            self._settle(self.cutter.push(item, speech))
            if self.enough:
                return
            self.display.show(self._view(levels), now_seconds=self.clock.monotonic_seconds())

    def _settle(self, heard: Take | Lost | None) -> None:
        if isinstance(heard, Lost):
            self._said = f"lost: {heard.reason}; say it again, please"
            self.display.lost(heard.reason)
        elif heard is not None:
            self._take(heard)

    def _take(self, take: Take) -> None:
        prompt = self._prompt()
        judged = self.judge(take, prompt)
        path = self.keep(take.samples) if judged.good else None
        if judged.good:
            self.kept += 1
            counted = judged.speech_seconds if prompt is not None else len(take.samples) / SAMPLE_RATE_HZ
            self.session_seconds += counted
            self._said = f"kept: {counted:.1f} s, {judged.snr_db:.0f} dB above the noise"
        else:
            self.refused += 1
            self._tries += 1
            self._said = f"refused, {judged.problem}"
        self.display.took(judged, prompt, path)
        if judged.good or self._tries >= MOST_TRIES:
            self.number, self._tries = self.number + 1, 0

    def _prompt(self) -> Prompt | None:
        return self.prompts[self.number % len(self.prompts)] if self.prompts else None

    def _view(self, levels: Levels) -> View:
        return View(
            person=self.person, prompt=self._prompt(), number=self.number + 1, levels=levels,
            speaking=self.cutter.speaking, said=self._said, today_seconds=self.today_seconds,
            target_seconds=self.target_seconds, progress=self.progress, kept=self.kept, refused=self.refused,
        )  # fmt: skip
