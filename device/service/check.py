"""``voicelatch check``: every part on its own, with what to do about each that fails."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from device.errors import ConfigError, MicrophoneError, RuntimeMissingError, VoicelatchError
from device.hardware.clock import SystemClock
from device.hardware.microphone import SounddeviceMicrophone
from device.service.check_around import describe_light, describe_metrics, describe_mqtt, describe_page, describe_tones
from device.service.clock_state import SystemClockState
from device.service.config import Config, load_config
from device.service.relays import describe
from device.service.schedule import check_people
from device.service.trust import trust_of
from device.service.unit_rights import pins_within_reach
from device.service.verified import bundle_digest
from device.service.where import PAGE_STATE
from device.sound.novelty import why_lifeless
from device.sound.pcm import Frame, level_dbfs
from device.sound.segmenter import frames_of
from device.sound.vad import VadSpec, WebRtcDetector
from device.verdict.bundle import Bundle, load_bundle, resolve_current
from device.verdict.scorer import Scorer

_LOG = logging.getLogger(__name__)
MICROPHONE_READS = 50
DEMO = "demo"


@dataclass(frozen=True, slots=True)
class Finding:
    """One part: whether it is fit, what was found, and the exit code its failure stands for."""

    part: str
    ok: bool
    text: str
    exit_code: int = 0


def check_all(config_path: Path, *, simulate: bool) -> list[Finding]:
    """All findings, in the order of the data path; what needs an unfit part is left out.

    ``simulate`` leaves the hardware out.
    """
    config: list[Config] = []
    problems: dict[str, str] = {}
    bundle: list[Bundle] = []

    def configuration() -> str:
        loaded = load_config(config_path)
        config.append(loaded.config)
        problems.update(loaded.problems)
        return str(config_path)

    def model() -> str:
        trust, folder = trust_of(config[0].model), resolve_current(Path(config[0].model.bundle))
        loaded = trust.load(folder, digest=bundle_digest(folder))
        bundle.append(loaded)
        note = "; CAREFUL: these are the demo's voices, which anybody can play" if loaded.name == DEMO else ""
        return f"{_told(loaded)}; {trust.told(loaded)}{note}"

    findings = [_try("configuration", configuration)]
    # The door opens without these tables, and without the part that each is for.
    findings += [Finding(name, False, problem, ConfigError.exit_code) for name, problem in problems.items()]
    findings.append(_try("speech detector", _detector))
    if config:
        findings.append(_try("bundle", model))
    if bundle:
        findings.append(_try("golden vectors", lambda: _golden(bundle[0], config[0].model.runtime)))
    if bundle and config[0].schedule:
        findings.append(_try("schedule", lambda: _schedule(config[0], bundle[0])))
    if config and config[0].button.enabled and not simulate:
        findings.append(_try("button", lambda: _button(config[0])))
    if config and config[0].signals.led and not simulate:
        findings.append(_try("light", lambda: describe_light(config[0].signals, chip_label=config[0].relay.chip_label)))
    if config and config[0].signals.sound and not simulate:
        findings.append(_try("tones", lambda: describe_tones(config[0].signals)))
    if config and (config[0].button.enabled or config[0].signals.led) and not simulate:
        findings.append(_try("unit", pins_within_reach))
    if config and not simulate:
        findings.append(_try("microphone", lambda: _microphone(config[0])))
        findings.append(_try("relay", lambda: describe(config[0].relay)))
    return findings + (_around(config[0]) if config else [])


def _around(config: Config) -> list[Finding]:
    """Gateway and page, as far as they are switched on."""
    found: list[Finding] = []
    if config.mqtt.enabled:
        found.append(_try("mqtt", lambda: describe_mqtt(config.mqtt, opens=config.remote.open)))
    if config.metrics.enabled:
        found.append(_try("metrics", lambda: describe_metrics(config.metrics)))
    if config.web.enabled:
        found.append(_try("page", lambda: describe_page(config.web, state=PAGE_STATE)))
    return found


def check_bundle(path: Path) -> list[Finding]:
    """One bundle alone, without a configuration: its digest (``text`` is the hex), its contents, its golden vectors
    on the runtime that is found here."""
    bundle: list[Bundle] = []

    def model() -> str:
        bundle.append(load_bundle(path))
        return _told(bundle[0])

    findings = [_try("digest", lambda: bundle_digest(resolve_current(path))), _try("bundle", model)]
    if bundle:
        findings.append(_try("golden vectors", lambda: _golden(bundle[0], "auto")))
    return findings


def _told(bundle: Bundle) -> str:
    limits = bundle.thresholds
    return (
        f"{bundle.name} #{bundle.sequence}: residents {', '.join(bundle.residents)}; opens at "
        f"{limits.open_llr:+.2f}, false accept rate at most {limits.target_far:.2%} on "
        f"{limits.validation_visits} visits of {limits.validation_speakers} strangers"
    )


def _schedule(config: Config, bundle: Bundle) -> str:
    check_people(config.schedule, bundle.residents)
    named = sorted({each.person for each in config.schedule})
    free = sorted(set(bundle.residents) - set(named))
    problem = SystemClockState().problem(SystemClock().wall_time())
    closed = "; until then nobody with hours can come in" if config.clock.require_set else ""
    note = f"; CAREFUL: {problem}{closed}" if problem else ""
    return f"hours for {', '.join(named)}; at any hour: {', '.join(free) or 'nobody'}{note}"


def _button(config: Config) -> str:
    from device.hardware.button import GpioButton

    asked = config.button
    button = GpioButton(asked.pin, clock=SystemClock(), pull_up=asked.pull_up, pin_factory=asked.pin_factory,
                        chip_label=config.relay.chip_label)  # fmt: skip
    button.close()
    return f"pin {asked.pin} of {button.chip} claimed; a press counts for {asked.within_seconds:g} s"


def _golden(bundle: Bundle, runtime: str) -> str:
    return f"reproduced on {Scorer(bundle, runtime=runtime).runtime_name}"


def _try(part: str, action: Callable[[], str]) -> Finding:
    try:
        return Finding(part, True, action())
    except VoicelatchError as error:
        return Finding(part, False, str(error), error.exit_code)
    except Exception as error:
        # One part's defect must not hide what the other parts have to say.
        _LOG.exception("a defect while checking the %s; please report it", part)
        return Finding(part, False, f"a defect: {type(error).__name__}: {error}", VoicelatchError.exit_code)


def _detector() -> str:
    import numpy as np

    detector = WebRtcDetector(VadSpec())
    if any(detector.is_speech(frame) for frame in frames_of(np.zeros(3200, dtype=np.int16))):
        raise RuntimeMissingError("the speech detector hears speech in silence", next_step="reinstall webrtcvad-wheels")
    return "hears nothing in silence"


def _microphone(config: Config) -> str:
    microphone = SounddeviceMicrophone(config.microphone.device or None, clock=SystemClock())
    try:
        items = [microphone.read() for _ in range(MICROPHONE_READS)]
    finally:
        microphone.close()
    frames = [item for item in items if isinstance(item, Frame)]
    if not frames:
        raise MicrophoneError(
            "the microphone opens but delivers no sound",
            received=items[-1],
            next_step="try another device: `voicelatch microphones`",
        )
    problem = why_lifeless(frames)
    if problem:
        raise MicrophoneError(
            "the microphone opens but delivers nothing that a room sounds like", received=problem,
            where=f"microphone.device = {config.microphone.device or 'default'}",
            next_step="switch it on, raise its volume and unmute it (`alsamixer`, F4), or take another: "
            "`voicelatch microphones`",
        )  # fmt: skip
    levels = sorted(level_dbfs(frame.samples) for frame in frames)
    return f"{len(frames)} frames at {microphone.rate_hz} Hz, {levels[len(levels) // 2]:.0f} dBFS"
