"""The daemon's configuration: strict TOML, typed, every problem in one report. See ``systemd/voicelatch.toml``."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from device.errors import ConfigError
from device.gateway.settings import MetricsConfig, MqttConfig
from device.service.guard_settings import ButtonConfig, PrivacyConfig, ReplayConfig
from device.service.remote import RemoteConfig
from device.service.schedule import ScheduleConfig
from device.service.signals import SignalsConfig
from device.settings import one_of, read_settings, within
from device.verdict import policy
from device.verdict.bundle import Bundle
from device.verdict.policy import PolicySpec
from device.verdict.signature import parse_key
from device.web.settings import WebConfig

FACTORIES = ("lgpio", "native", "mock")


@dataclass(frozen=True, slots=True, kw_only=True)
class MicrophoneConfig:
    """``device``: part of the name of the microphone; empty for the system's default input."""

    device: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayConfig:
    """``pin``: BCM number; ``active_high`` False for relays that switch on at low level.

    ``guardian``: the socket of the process that owns the pin; empty for a daemon that drives it itself.
    ``max_on_seconds`` and ``min_gap_seconds`` are the guardian's limits, which it enforces whatever the daemon asks.
    """

    pin: int
    active_high: bool = True
    pin_factory: str = "lgpio"
    open_seconds: float = 3.0
    guardian: str = "/run/voicelatch-guardian/relay.sock"
    max_on_seconds: float = 10.0
    min_gap_seconds: float = 1.0

    def __post_init__(self) -> None:
        within("relay.pin", self.pin, 0, 27)
        one_of("relay.pin_factory", self.pin_factory, ("lgpio", "mock") if self.guardian else FACTORIES)
        within("relay.max_on_seconds", self.max_on_seconds, 0.2, 30.0)
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
    """``extra_llr_margin`` is added to the bundle's open threshold: the device can only be stricter."""

    extra_llr_margin: float = 0.0
    evidence_seconds: float = policy.EVIDENCE_SECONDS
    cool_down_seconds: float = policy.COOL_DOWN_SECONDS
    refusals_before_lock_out: int = policy.REFUSALS_BEFORE_LOCK_OUT
    lock_out_seconds: float = policy.LOCK_OUT_SECONDS
    lock_out_growth: float = policy.LOCK_OUT_GROWTH
    lock_out_max_seconds: float = policy.LOCK_OUT_MAX_SECONDS

    def __post_init__(self) -> None:
        within("policy.extra_llr_margin", self.extra_llr_margin, 0.0, 50.0)
        within("policy.evidence_seconds", self.evidence_seconds, 3.0, 30.0)
        within("policy.cool_down_seconds", self.cool_down_seconds, 0.0, 60.0)
        within("policy.refusals_before_lock_out", self.refusals_before_lock_out, 1, 100)
        within("policy.lock_out_max_seconds", self.lock_out_max_seconds, policy.LOCK_OUT_SECONDS, 86_400.0)
        within("policy.lock_out_seconds", self.lock_out_seconds, policy.LOCK_OUT_SECONDS, self.lock_out_max_seconds)
        within("policy.lock_out_growth", self.lock_out_growth, 1.0, 10.0)


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


def read_config(path: Path) -> Config:
    """Read and check. Raises :class:`~device.errors.ConfigError` listing every problem of the file."""
    return read_settings(path, Config)


def policy_for(bundle: Bundle, config: PolicyConfig) -> PolicySpec:
    """The bundle's thresholds, made stricter by the margin, with the device's own waiting times."""
    return PolicySpec(
        open_llr=bundle.thresholds.open_llr + config.extra_llr_margin,
        refuse_llr=bundle.thresholds.refuse_llr,
        max_clips=bundle.thresholds.max_clips,
        evidence_seconds=config.evidence_seconds,
        cool_down_seconds=config.cool_down_seconds,
        refusals_before_lock_out=config.refusals_before_lock_out,
        lock_out_seconds=config.lock_out_seconds,
        lock_out_growth=config.lock_out_growth,
        lock_out_max_seconds=config.lock_out_max_seconds,
    )
