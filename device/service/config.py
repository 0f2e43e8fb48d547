"""The daemon's configuration: strict TOML, typed, every problem in one report. See ``systemd/voicelatch.toml``."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.gateway.settings import MetricsConfig, MqttConfig
from device.service.guard_settings import ButtonConfig, ClockConfig, PrivacyConfig, ReplayConfig
from device.service.remote import RemoteConfig
from device.service.schedule import ScheduleConfig
from device.service.signals import SignalsConfig
from device.settings import one_of, read_bytes, settings_from, within
from device.toml_text import parse_toml
from device.verdict import policy
from device.verdict.bundle import Bundle
from device.verdict.policy import PolicySpec
from device.verdict.signature import parse_key
from device.verdict.tries import TryLimits
from device.web.settings import WebConfig

_LOG = logging.getLogger(__name__)
# The tables of what stands around the door. The door opens without these parts, and so without their tables.
AROUND: Mapping[str, type[Any]] = {"web": WebConfig, "mqtt": MqttConfig, "metrics": MetricsConfig}
FACTORIES = ("lgpio", "native", "mock")
SHIPPED_LIMITS = TryLimits()
_CHIP_LABEL = re.compile(r"[!-~]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneConfig:
    """``device``: part of the name of the microphone; empty for the system's default input."""

    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayConfig:
    """``pin``: BCM number; ``active_high`` False for relays that switch on at low level.

    ``chip_label``: the label of the GPIO chip of all pins, for other boards than a Raspberry Pi; empty: its header's.
    ``guardian``: the socket of the process that owns the pin; empty for a daemon that drives it itself.
    ``max_on_seconds``, ``max_on_seconds_an_hour`` and ``min_gap_seconds`` are the guardian's limits, which it enforces
    whatever the daemon asks.
    """

    pin: int
    active_high: bool = True
    pin_factory: str = "lgpio"
    chip_label: str = ""
    open_seconds: float = 3.0
    guardian: str = "/run/voicelatch-guardian/relay.sock"
    max_on_seconds: float = 10.0
    max_on_seconds_an_hour: float = 60.0
    min_gap_seconds: float = 1.0

    def __post_init__(self) -> None:
        within("relay.pin", self.pin, 0, 27)
        one_of("relay.pin_factory", self.pin_factory, ("lgpio", "mock") if self.guardian else FACTORIES)
        if self.chip_label and not _CHIP_LABEL.fullmatch(self.chip_label):
            raise ConfigError("not the label of a GPIO chip", where="relay.chip_label", received=self.chip_label,
                              allowed="at most 31 characters without spaces, as `gpiodetect` lists it, or empty",
                              next_step='empty on every Raspberry Pi')  # fmt: skip
        within("relay.max_on_seconds", self.max_on_seconds, 0.2, 30.0)
        within("relay.max_on_seconds_an_hour", self.max_on_seconds_an_hour, max(10.0, self.max_on_seconds), 900.0)
        within("relay.min_gap_seconds", self.min_gap_seconds, 0.0, 60.0)
        within("relay.open_seconds", self.open_seconds, 0.2, min(10.0, self.max_on_seconds))
        if self.guardian and not self.guardian.startswith("/"):
            raise ConfigError(
                "not a path", where="relay.guardian", received=self.guardian, allowed="absolute, or empty"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConfig:
    """``bundle``: a bundle's folder, or a models folder whose ``current`` names one. It must be signed by one of
    ``trusted_keys`` (public lines) or of the file ``trusted_keys_file``, unless ``allow_unsigned``; a signed one
    that is older than the last accepted is refused unless ``allow_downgrade``."""

    bundle: str
    runtime: str = "auto"
    trusted_keys: tuple[str, ...] = ()
    trusted_keys_file: str = "/etc/voicelatch/trusted_keys"
    allow_unsigned: bool = False
    allow_downgrade: bool = False

    def __post_init__(self) -> None:
        for index, line in enumerate(self.trusted_keys):
            parse_key(line, where=f"model.trusted_keys[{index}]")
        one_of("model.runtime", self.runtime, ("auto", "ai-edge-litert", "tflite-runtime"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyConfig:
    """``extra_llr_margin`` is added to the bundle's open threshold: the device can only be stricter. The others are
    what visits cost, as :mod:`device.verdict.tries` says."""

    extra_llr_margin: float = 0.0
    evidence_seconds: float = policy.EVIDENCE_SECONDS
    cool_down_seconds: float = policy.COOL_DOWN_SECONDS
    visits_at_once: int = SHIPPED_LIMITS.visits_at_once
    wait_seconds: float = SHIPPED_LIMITS.wait_seconds
    failures_before_strict: int = SHIPPED_LIMITS.failures_before_strict
    strict_llr_margin: float = SHIPPED_LIMITS.strict_llr_margin
    minutes_a_failure: float = SHIPPED_LIMITS.minutes_a_failure

    def __post_init__(self) -> None:
        within("policy.extra_llr_margin", self.extra_llr_margin, 0.0, 50.0)
        within("policy.evidence_seconds", self.evidence_seconds, 3.0, 30.0)
        within("policy.cool_down_seconds", self.cool_down_seconds, 0.0, 60.0)
        within("policy.visits_at_once", self.visits_at_once, 1, 20)
        within("policy.wait_seconds", self.wait_seconds, 20.0, 600.0)
        within("policy.failures_before_strict", self.failures_before_strict, 1, 20)
        within("policy.strict_llr_margin", self.strict_llr_margin, 1.0, 50.0)
        within("policy.minutes_a_failure", self.minutes_a_failure, 5.0, 1440.0)

    @property
    def limits(self) -> TryLimits:
        """What visits cost."""
        return TryLimits(
            visits_at_once=self.visits_at_once,
            wait_seconds=self.wait_seconds,
            failures_before_strict=self.failures_before_strict,
            strict_llr_margin=self.strict_llr_margin,
            minutes_a_failure=self.minutes_a_failure,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsConfig:
    """``path``: the database of events; empty for standard output, and ``events.db`` in the state directory where
    systemd made one. The oldest go when there are more than ``max_megabytes`` or ``keep_days`` of them."""

    path: str = ""
    max_megabytes: float = 10.0
    keep_days: float = 365.0

    def __post_init__(self) -> None:
        within("events.max_megabytes", self.max_megabytes, 0.1, 1000.0)
        within("events.keep_days", self.keep_days, 1.0, 36_600.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything the daemon can be told."""

    relay: RelayConfig
    model: ModelConfig
    microphone: MicrophoneConfig = field(default_factory=MicrophoneConfig)
    policy: PolicyConfig = field(default_factory=PolicyConfig)
    events: EventsConfig = field(default_factory=EventsConfig)
    replay: ReplayConfig = field(default_factory=ReplayConfig)
    button: ButtonConfig = field(default_factory=ButtonConfig)
    privacy: PrivacyConfig = field(default_factory=PrivacyConfig)
    signals: SignalsConfig = field(default_factory=SignalsConfig)
    remote: RemoteConfig = field(default_factory=RemoteConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    web: WebConfig = field(default_factory=WebConfig)
    clock: ClockConfig = field(default_factory=ClockConfig)
    schedule: tuple[ScheduleConfig, ...] = ()

    def __post_init__(self) -> None:
        # An accepted voice that the guardian must refuse would be a defect to the visitor: keep the two apart.
        relay = self.relay
        if self.button.enabled and self.button.pin == relay.pin:
            raise ConfigError("the relay's pin", where="button.pin", received=relay.pin, allowed="another pin")
        taken = {relay.pin} | ({self.button.pin} if self.button.enabled else set())
        if self.signals.led and self.signals.led_pin in taken:
            raise ConfigError("the relay's or the button's pin", where="signals.led_pin",
                              received=self.signals.led_pin, allowed="another pin")  # fmt: skip
        if relay.guardian:
            within("policy.cool_down_seconds", self.policy.cool_down_seconds,
                   relay.open_seconds + relay.min_gap_seconds, 60.0)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """``problems``: the tables that were left out, by name, each with what is wrong; they hold their defaults."""

    config: Config
    problems: dict[str, str] = field(default_factory=dict)


def load_config(path: Path, *, needs: Collection[str] = ()) -> LoadedConfig:
    """Read and check. A mistake in one of the tables :data:`AROUND` that is not among ``needs`` is a problem that is
    reported; any other raises :class:`~device.errors.ConfigError`, listing everything that is wrong."""
    optional = [name for name in AROUND if name not in needs]
    text = parse_toml(read_bytes(path), where=str(path), optional=optional)
    table, problems = text.table, dict(text.broken)
    for name in [name for name in optional if isinstance(table.get(name), Mapping)]:
        try:
            settings_from(table[name], AROUND[name], where=f"{path} [{name}]")
        except ConfigError as error:
            problems[name] = str(error)
            del table[name]
    return LoadedConfig(settings_from(table, Config, where=str(path)), problems)


def read_config(path: Path, *, needs: Collection[str] = ()) -> Config:
    """The configuration of :func:`load_config`; what is wrong in a table that is not needed is logged."""
    loaded = load_config(path, needs=needs)
    for name, problem in loaded.problems.items():
        _LOG.warning("[%s] is left out: %s", name, problem)
    return loaded.config


def policy_for(bundle: Bundle, config: PolicyConfig) -> PolicySpec:
    """The bundle's thresholds, made stricter by the margin, with the device's own waiting times."""
    return PolicySpec(
        open_llr=bundle.thresholds.open_llr + config.extra_llr_margin,
        refuse_llr=bundle.thresholds.refuse_llr,
        max_clips=bundle.thresholds.max_clips,
        evidence_seconds=config.evidence_seconds,
        cool_down_seconds=config.cool_down_seconds,
        limits=config.limits,
    )
