"""What a visitor sees and hears of the door: signals from events, each indicator on a thread of its own.

A light that fails or a sound system that hangs keeps its own thread busy, and nothing else.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from device.errors import IndicatorError, RuntimeMissingError
from device.ports import Clock, Event, EventSink, Indicator, Signal
from device.settings import one_of, within

_LOG = logging.getLogger(__name__)
# What is shown late confuses; a visitor at a door that is behind sees the newest that fits.
MOST_WAITING = 2
CLOSE_SECONDS = 1.0
OF_OUTCOME = {
    "open": Signal.GRANTED,
    "refuse": Signal.REFUSED,
    "replay": Signal.REFUSED,
    "locked_out": Signal.REFUSED,
    "second_factor_missing": Signal.REFUSED,
    "outside_schedule": Signal.REFUSED,
    "relay_refused": Signal.REFUSED,
    "say_more": Signal.SAY_MORE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalsConfig:
    """``led``: a light on BCM ``led_pin``. ``sound``: tones at the output whose name contains ``sound_device`` (empty:
    the default one), ``volume`` 0..1."""

    led: bool = False
    led_pin: int = 22
    led_active_high: bool = True
    pin_factory: str = "lgpio"
    sound: bool = False
    sound_device: str = ""
    volume: float = 0.3

    def __post_init__(self) -> None:
        within("signals.led_pin", self.led_pin, 0, 27)
        within("signals.volume", self.volume, 0.0, 1.0)
        one_of("signals.pin_factory", self.pin_factory, ("lgpio", "native", "mock"))


def signal_of(event: Event) -> Signal | None:
    """What a visitor is shown of an event; None for most."""
    match event.kind:
        case "started" | "speech":
            return Signal.LISTENING
        case "remote_open":
            return Signal.GRANTED
        case "decision":
            return OF_OUTCOME.get(str(event.details.get("outcome")))
        case _:
            return None


class Signalling:
    """:class:`~device.ports.EventSink` that shows what the inner one recorded. It closes the indicators."""

    def __init__(self, inner: EventSink, indicators: Sequence[Indicator]) -> None:
        self._inner = inner
        self._shown = [Shown(each) for each in indicators]

    def record(self, event: Event) -> None:
        self._inner.record(event)
        signal = signal_of(event)
        if signal is None:
            return
        for each in self._shown:
            # A tone while somebody speaks would be in the very clip that is judged.
            if not (each.audible and event.kind == "speech"):
                each.put(signal)

    def close(self) -> None:
        try:
            self._inner.close()
        finally:
            for each in self._shown:
                each.close()


class Shown:
    """One indicator and its thread. ``missed`` counts signals that found it busy or failing."""

    def __init__(self, indicator: Indicator) -> None:
        self._indicator, self.audible = indicator, indicator.audible
        self._waiting: queue.Queue[Signal | None] = queue.Queue(MOST_WAITING)
        self._thread: threading.Thread | None = None
        self.missed = 0

    def put(self, signal: Signal) -> None:
        """Have it shown soon; at once, and raises nothing."""
        try:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="indicator", daemon=True)
                self._thread.start()
            self._waiting.put_nowait(signal)
        except queue.Full:
            self.missed += 1
        except RuntimeError as error:
            self._failed(error)

    def close(self) -> None:
        """End after what is being shown, but do not wait for an indicator that hangs."""
        if self._thread is not None:
            try:
                self._waiting.put(None, timeout=CLOSE_SECONDS)
                self._thread.join(CLOSE_SECONDS)
            except queue.Full:
                _LOG.warning("an indicator hangs and is left")
                return
            if self._thread.is_alive():
                return
        self._indicator.close()

    def _run(self) -> None:
        while (signal := self._waiting.get()) is not None:
            try:
                self._indicator.show(signal)
            except Exception as error:  # whatever it was, the next signal is tried
                self._failed(error)

    def _failed(self, error: Exception) -> None:
        self.missed += 1
        if self.missed == 1:
            _LOG.error("a signal could not be given, the door goes on: %s", error)


def signalled(
    inner: EventSink, config: SignalsConfig, clock: Clock, *, simulate: bool, chip_label: str = ""
) -> EventSink:
    """``inner`` with the indicators that are asked for and can be had: no door stays shut for want of a light, but the
    log says so. ``chip_label``: of the light's GPIO chip, empty for a Raspberry Pi's header."""
    indicators: list[Indicator] = []
    for kind in [name for name, wanted in (("led", config.led), ("sound", config.sound)) if wanted]:
        try:
            indicators.append(_make(kind, config, clock, simulate=simulate, chip_label=chip_label))
        except (IndicatorError, RuntimeMissingError) as error:
            _LOG.error("the door goes on without signals.%s: %s", kind, error)
    return Signalling(inner, indicators) if indicators else inner


def _make(kind: str, config: SignalsConfig, clock: Clock, *, simulate: bool, chip_label: str) -> Indicator:
    if simulate:
        from device.simulated.indicator import SimulatedIndicator

        return SimulatedIndicator(clock, audible=kind == "sound")
    if kind == "sound":
        from device.hardware.speaker import Speaker

        return Speaker(config.sound_device, volume=config.volume)
    from device.hardware.led import Led

    return Led(config.led_pin, clock=clock, active_high=config.led_active_high, pin_factory=config.pin_factory,
               chip_label=chip_label)  # fmt: skip
