"""An hour of anything that is no voice, and voices that were damaged: nothing opens, and every number is one."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from device.errors import MicrophoneError
from device.service.config import Config, ModelConfig, RelayConfig, ReplayConfig
from device.service.daemon import Hardware, Wishes, build_door, serve
from device.service.pipeline import Door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import CLIP_SAMPLES, SAMPLE_RATE_HZ, Clip, Samples
from device.sound.wavfile import read_wav
from device.verdict.policy import PolicySpec, PolicyState, judge
from device.verdict.values import Outcome, ResidentScore, Score
from tests.conftest import ROOT

ANNA = ROOT / "device/simulated/evening/anna.wav"
HOUR_SECONDS = 3600


def configured(models: Path) -> Config:
    """Without the guard against replays: noise is compared with no voice, and that for an hour."""
    return Config(
        relay=RelayConfig(pin=17),
        model=ModelConfig(bundle=str(models), allow_unsigned=True),
        replay=ReplayConfig(enabled=False),
    )


def visit(models: Path, sound: list[Samples]) -> tuple[RecordedEvents, SimulatedRelay, RecordedSupervisor]:
    """What the shipped door makes of it."""
    clock = ManualClock()
    events, relay, supervisor = RecordedEvents(), SimulatedRelay(clock), RecordedSupervisor()
    hardware = Hardware(microphone=SimulatedMicrophone(sound, clock=clock), relay=relay, clock=clock,
                        supervisor=supervisor, events=events)  # fmt: skip
    door: Door = build_door(configured(models), hardware)
    serve(door, hardware, Wishes(), lambda: None)
    return events, relay, supervisor


def finite(events: RecordedEvents) -> bool:
    told = [event.details for event in events.of("decision")]
    scores = [value for each in told for name in ("scores", "cosines") for value in dict(each[name]).values()]  # type: ignore[call-overload]
    return all(map(math.isfinite, scores)) and all(math.isfinite(float(str(each["level_dbfs"]))) for each in told)


def full_scale_noise(seconds: float) -> Samples:
    rng = np.random.default_rng(5)
    return rng.choice(np.array([-32768, 32767], dtype=np.int16), round(seconds * SAMPLE_RATE_HZ))


@pytest.mark.parametrize("kind", ["silence", "full-scale noise"])
def test_an_hour_of_silence_or_of_full_scale_noise_opens_nothing_and_the_daemon_lives(models: Path, kind: str) -> None:
    minute = silence(60.0) if kind == "silence" else full_scale_noise(60.0)
    events, relay, supervisor = visit(models, [minute] * (HOUR_SECONDS // 60))
    assert relay.history == []
    assert finite(events)
    assert supervisor.messages.count("alive") >= 0.95 * HOUR_SECONDS
    assert events.events[-1].kind == "stopped"


def dc(sound: Samples, offset: int) -> Samples:
    return np.clip(sound.astype(np.int32) + offset, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize("offset", [-30_000, -3_000, 3_000, 30_000])
def test_a_constant_offset_alone_is_no_voice_and_under_a_voice_no_other_person(models: Path, offset: int) -> None:
    nobody = np.full(20 * SAMPLE_RATE_HZ, offset, dtype=np.int16)
    events, relay, _ = visit(models, [nobody])
    assert relay.history == []
    stranger = read_wav(ROOT / "device/simulated/evening/courier.wav")
    events, relay, _ = visit(models, [silence(1.0), dc(stranger, offset), silence(8.0)])
    assert relay.history == []
    assert finite(events)


def test_a_small_offset_does_not_keep_a_resident_out(models: Path) -> None:
    events, relay, _ = visit(models, [silence(1.0), dc(read_wav(ANNA), 300), silence(8.0)])
    assert [event.details["resident"] for event in events.of("relay_on")] != []
    assert len(relay.history) == 2


DAMAGED = {
    "digital silence": np.zeros(CLIP_SAMPLES, dtype=np.int16),
    "lowest value": np.full(CLIP_SAMPLES, -32768, dtype=np.int16),
    "highest value": np.full(CLIP_SAMPLES, 32767, dtype=np.int16),
    "one click": np.eye(1, CLIP_SAMPLES, 24_000, dtype=np.int16)[0] * 32767,
    "fastest square": np.tile(np.array([-32768, 32767], dtype=np.int16), CLIP_SAMPLES // 2),
    "full-scale noise": full_scale_noise(3.0),
    "least bit": np.tile(np.array([0, 1], dtype=np.int16), CLIP_SAMPLES // 2),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_every_number_is_finite_whatever_the_clip_holds(models: Path, name: str) -> None:
    clock = ManualClock()
    hardware = Hardware(microphone=SimulatedMicrophone([], clock=clock), relay=SimulatedRelay(clock), clock=clock,
                        supervisor=RecordedSupervisor(), events=RecordedEvents())  # fmt: skip
    door = build_door(configured(models), hardware)
    with np.errstate(all="raise", under="ignore"):
        score = door.scorer.score(Clip(DAMAGED[name], 3.0, False, 0, 0.0, 3.0))
    assert all(math.isfinite(each.llr) and math.isfinite(each.cosine) for each in score.residents)
    door.decide(Clip(DAMAGED[name], 3.0, False, 0, clock.monotonic_seconds() - 3.0, clock.monotonic_seconds()))
    assert not hardware.relay.is_on


@pytest.mark.parametrize("llr", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("other", [9.0, math.nan])
def test_a_score_that_is_no_number_opens_nothing(llr: float, other: float) -> None:
    score = Score((ResidentScore("Anna", llr, 0.5), ResidentScore("Bruno", other, 0.5)), 1.0)
    _, decision = judge(PolicySpec(open_llr=5.0, refuse_llr=-2.0), PolicyState(), score, now_seconds=10.0)
    # Minus infinity is nobody's voice, and says nothing against another's.
    assert decision.outcome != Outcome.OPEN or (llr == -math.inf and decision.resident == "Bruno")


def test_a_microphone_that_is_lost_in_mid_pulse_shuts_the_door_and_says_why(models: Path) -> None:
    clock = ManualClock()
    events, relay = RecordedEvents(), SimulatedRelay(clock)
    microphone = SimulatedMicrophone([read_wav(ANNA), MicrophoneError("gone")], clock=clock)
    hardware = Hardware(microphone=microphone, relay=relay, clock=clock, supervisor=RecordedSupervisor(), events=events)
    door = build_door(configured(models), hardware)
    with pytest.raises(MicrophoneError):
        serve(door, hardware, Wishes(), lambda: None)
    assert not relay.is_on
    assert events.of("fault")[0].details["error"] == "MicrophoneError"
