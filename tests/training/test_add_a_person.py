"""The README's three commands, end to end: recorded at the door, pulled, trained, deployed, and then let in."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.service import cli as door_cli
from device.service import ears
from device.service.config import read_config
from device.service.daemon import Hardware, build_door
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.wavfile import read_wav, write_wav
from tests.benches.place import Place
from tests.benches.ssh_server import ssh_server, why_not
from tests.conftest import ROOT
from training import cli as workshop_cli

pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
EVENING = ROOT / "device" / "simulated" / "evening"


@pytest.fixture
def place(tmp_path: Path, models: Path) -> Iterator[Place]:
    (tmp_path / "sshd").mkdir()
    with ssh_server(tmp_path / "sshd") as server:
        made = Place(tmp_path / "door", models, server)
        yield made
        made.stop()


def opens_for(place: Place, *wavs: Path) -> list[object]:
    """For whom this door, with its current bundle, opens when these are heard."""
    clock, events = ManualClock(), RecordedEvents()
    heard = [each for wav in wavs for each in (wav, silence(10.0))]
    hardware = Hardware(microphone=SimulatedMicrophone(heard, clock=clock), relay=SimulatedRelay(clock), clock=clock,
                        supervisor=RecordedSupervisor(), events=events)  # fmt: skip
    door = build_door(read_config(place.config), hardware)
    while door.step() is not None:
        pass
    return [each.details["resident"] for each in events.of("relay_on")]


def inventory(place: Place, path: Path) -> Path:
    settings = place.door(privileged_command="").settings
    keys = (
        "host",
        "port",
        "identity",
        "options",
        "folder",
        "python",
        "reload_command",
        "status_command",
        "privileged_command",
    )
    lines = [f"{key} = {json.dumps(getattr(settings, key))}" for key in keys]
    path.write_text("[doors.porch]\n" + "\n".join(lines) + "\n")
    return path


def test_somebody_recorded_at_the_door_is_let_in_after_pull_train_and_deploy(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The courier, whom the demo's bundle refuses, moves in. Two thirds are recorded, all of it is the visit. How well
    # made-up voices are told apart is no matter here.
    courier, state = read_wav(EVENING / "courier.wav"), tmp_path / "state"
    enrolled = tmp_path / "enrolled.wav"
    write_wav(enrolled, courier[: len(courier) * 2 // 3])
    place.start()
    assert opens_for(place, EVENING / "courier.wav") == []

    monkeypatch.setattr(ears, "open_ears", lambda each, hold: ears.simulated(each.wav, ManualClock()))
    for name, wav in (("Coralie", enrolled), ("Anna", EVENING / "anna.wav")):
        record = ["record", name, "--simulate", "--wav", str(wav), "--seconds", "3", "--state-dir", str(state)]
        assert door_cli.main(record) == 0

    doors, household, models = inventory(place, tmp_path / "doors.toml"), tmp_path / "household", tmp_path / "models"
    recipe = tmp_path / "household.toml"
    recipe.write_text(
        f"[data]\nfolder = {json.dumps(str(household))}\n"
        f"[backbone]\nsource = {json.dumps(str(ROOT / 'models' / 'backbone'))}\n"
        "[enrol]\nmin_speech_seconds = 3.0\n"
        f'[publish]\nname = "household"\nmodels = {json.dumps(str(models))}\n'
    )
    at = ["--inventory", str(doors)]
    assert workshop_cli.main(["pull", *at, "--into", str(household), "--state-dir", str(state)]) == 0
    assert "allowed/Coralie: 1 new" in capsys.readouterr().out
    assert workshop_cli.main(["run", str(recipe), "--runs", str(tmp_path / "runs")]) == 0
    said = capsys.readouterr().out
    assert "-> record Coralie on another day (60 s)" in said
    assert (
        json.loads((models / "household-1/report.json").read_text())["outlook"]["residents"][1]["person"] == "Coralie"
    )
    assert workshop_cli.main(["deploy", *at, "--bundle", str(models)]) == 0

    assert place.current.startswith("household-1-")
    assert place.serves(), "the daemon listens with it"
    assert set(opens_for(place, EVENING / "courier.wav")) == {"Coralie"}
    assert opens_for(place, EVENING / "slam.wav") == []
