"""The main job on real recordings: residents on another day, strangers nobody learnt from, a pin that pulses or not.

A household of five is enrolled by the training path on the shipped network, from one session each; other sessions and
strangers' recordings then visit, through the file microphone and through a virtual sound card.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from gpiozero.pins.mock import MockFactory

from device.hardware.relay import GpioRelay
from device.service.config import Config, ModelConfig, RelayConfig
from device.service.daemon import Hardware, build_door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import SAMPLE_RATE_HZ, Samples
from device.sound.wavfile import write_wav
from tests.benches.virtual_microphone import virtual_microphone, why_not
from tests.conftest import ROOT

RESIDENTS = ("3570", "5105", "61", "7176", "908")
STRANGERS = 12
VISIT_SECONDS = 10


@dataclass(frozen=True)
class Visits:
    bundle: Path
    residents: list[Samples]
    strangers: list[Samples]


@pytest.fixture(scope="module")
def visits(speech_pack: Path, tmp_path_factory: pytest.TempPathFactory) -> Visits:
    import soundfile

    from training.learning_settings import Backbone
    from training.recipe import Data, Enrol, Publish, Recipe
    from training.run import run

    with (speech_pack / "manifest.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["use"] == "evaluate" and row["kind"] == "speech"]
    sessions: dict[tuple[str, str, str], list[Path]] = defaultdict(list)
    for row in rows:
        sessions[row["corpus"], row["speaker"], row["session"]].append(speech_pack / row["path"])

    work = tmp_path_factory.mktemp("household")
    first = {name: min(key for key in sessions if key[:2] == ("librispeech", name)) for name in RESIDENTS}
    for name, key in first.items():
        folder = work / "recordings" / "allowed" / name / key[2]
        folder.mkdir(parents=True)
        for path in sessions[key]:
            (folder / path.name).symlink_to(path)
    bundle = run(
        Recipe(
            data=Data(folder=str(work / "recordings")),
            backbone=Backbone(source=str(ROOT / "models/backbone")),
            enrol=Enrol(sessions="all"),
            publish=Publish(name="home", models=str(work / "models")),
        ),
        runs=work / "runs",
        progress=lambda *_: None,
        say=lambda _: None,
    ).bundle

    def visit(key: tuple[str, str, str]) -> Samples:
        sound = np.concatenate([soundfile.read(path, dtype="int16")[0] for path in sorted(sessions[key])])
        return np.asarray(sound[: VISIT_SECONDS * SAMPLE_RATE_HZ], dtype=np.int16)

    own = [
        key for name in RESIDENTS for key in sorted(sessions) if key[:2] == ("librispeech", name) and key != first[name]
    ]
    others = [key for key in sorted(sessions) if key[:2] not in {("librispeech", name) for name in RESIDENTS}]
    spread = others[:: max(1, len(others) // STRANGERS)][:STRANGERS]
    return Visits(bundle.path, [visit(key) for key in own], [visit(key) for key in spread])


def pulses_for(bundle: Path, sound: Samples) -> int:
    """How often gpiozero's pin went up while ``sound`` visited a door that has just been started."""
    clock, factory = ManualClock(), MockFactory()
    relay = GpioRelay(17, factory=factory)
    hardware = Hardware(
        microphone=SimulatedMicrophone([silence(1.0), sound, silence(8.0)], clock=clock),
        relay=relay,
        clock=clock,
        supervisor=RecordedSupervisor(),
        events=RecordedEvents(),
    )
    door = build_door(
        Config(relay=RelayConfig(pin=17), model=ModelConfig(bundle=str(bundle), allow_unsigned=True)), hardware
    )
    while door.step() is not None:
        pass
    levels = [bool(each.state) for each in factory.pin(17).states]
    relay.close()
    assert levels[-1] is False
    return sum(levels)


def test_real_residents_pulse_the_pin_and_real_strangers_do_not(visits: Visits) -> None:
    opened = [pulses_for(visits.bundle, sound) for sound in visits.residents]
    let_in = [pulses_for(visits.bundle, sound) for sound in visits.strangers]
    print(f"residents on another day: {sum(map(bool, opened))} of {len(opened)} visits opened")
    print(f"strangers: {sum(map(bool, let_in))} of {len(let_in)} visits opened")
    assert sum(map(bool, opened)) >= 0.7 * len(opened)
    assert sum(map(bool, let_in)) == 0


def test_the_same_visits_through_a_sound_card(visits: Visits, tmp_path: Path) -> None:
    reason = why_not()
    if reason:
        pytest.skip(reason)
    accepted = next(sound for sound in visits.residents if pulses_for(visits.bundle, sound))
    with virtual_microphone() as bench:
        door = subprocess.Popen(
            [sys.executable, "-m", "tests.benches.live_door", str(visits.bundle)], cwd=ROOT, env=bench.environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert door.stdout is not None
        started = door.stdout.readline()
        assert json.loads(started)["kind"] == "started"
        for count, sound in enumerate([visits.strangers[0], accepted]):
            path = tmp_path / f"{count}.wav"
            write_wav(path, np.concatenate([sound, silence(2.0)]))
            bench.play(path)
        said, _ = door.communicate("", timeout=60)
    *lines, levels = said.splitlines()
    outcomes = [told["outcome"] for told in map(json.loads, lines) if told["kind"] == "decision"]
    print(f"through the sound card: {outcomes}, {levels}")
    assert "open" in outcomes
    assert outcomes.index("open") > 0, "the stranger came first"
    assert levels.startswith("pin 0")
    assert "010" in levels
    assert levels.count("1") == 1
