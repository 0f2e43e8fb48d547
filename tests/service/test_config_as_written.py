"""The configuration as editors and people leave it: byte-order marks, UTF-16, and mistakes in what the door does not
need."""

import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import ConfigError
from device.guardian.errors import SettingsError
from device.guardian.settings import read_settings as read_guardian_settings
from device.missing_library import describe_import_error
from device.service.check import check_all
from device.service.config import Config, load_config, read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from tests.conftest import ROOT

DOOR = '[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{models}"\nallow_unsigned = true\n'
MISTAKES = {
    "an unknown key": "[web]\nprot = 8737\n",
    "a value of another kind": '[mqtt]\nport = "1883"\n',
    "a value out of range": "[metrics]\nport = 0\n",
    "no TOML in it": "[web]\nport = 87x37\nenabled = true\n",
    "a text without an end": '[mqtt]\nhost = "hub\n',
    "a table that stands there twice": "[metrics]\nport = 9464\n[metrics]\nport = 9465\n",
    "an address that takes a certificate": '[web]\nenabled = true\nhost = "0.0.0.0"\n',
}


def written(tmp_path: Path, models: Path, further: str = "") -> Path:
    path = tmp_path / "voicelatch.toml"
    path.write_text(DOOR.format(models=models) + further + "[policy]\ncool_down_seconds = 7.0\n")
    return path


def hardware(events: RecordedEvents) -> Hardware:
    clock = ManualClock()
    return Hardware(
        microphone=SimulatedMicrophone([silence(1.0)], clock=clock), relay=SimulatedRelay(clock), clock=clock,
        supervisor=RecordedSupervisor(), events=events,
    )  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_what_stands_around_the_door_does_not_stop_it(tmp_path: Path, models: Path, mistake: str) -> None:
    path, events = written(tmp_path, models, mistake), RecordedEvents()
    loaded = load_config(path)
    name = mistake[1 : mistake.index("]")]
    assert set(loaded.problems) == {name}
    assert loaded.config.policy.cool_down_seconds == 7.0, "what stands after the mistake counts"
    assert getattr(loaded.config, name).enabled is False
    things = hardware(events)
    serve(build_door(loaded.config, things), things, Wishes(), lambda: None, problems=loaded.problems)
    assert [event.details["table"] for event in events.of("config_problem")] == [name]


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_the_part_itself_does_not_start_and_check_says_so(tmp_path: Path, models: Path, mistake: str) -> None:
    path = written(tmp_path, models, mistake)
    name = mistake[1 : mistake.index("]")]
    with pytest.raises(ConfigError):
        read_config(path, needs=(name,))
    findings = {finding.part: finding for finding in check_all(path, simulate=True)}
    assert (findings[name].ok, findings[name].exit_code) == (False, 78)
    assert findings["configuration"].ok
    assert findings["bundle"].ok, "the door's own parts are looked at all the same"


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_the_guardian_reads_its_table_beside_a_broken_one(tmp_path: Path, models: Path, mistake: str) -> None:
    assert read_guardian_settings(written(tmp_path, models, mistake)).pin.pin == 17


def test_a_mistake_in_the_door_s_own_tables_stops_it(tmp_path: Path, models: Path) -> None:
    for mistake in ("[replay]\nthreshhold = 3\n", "[replay]\nthreshold = 3x\n", "[sched\n", "wbe = 1\n"):
        with pytest.raises(ConfigError):
            load_config(written(tmp_path, models, mistake))
    path = tmp_path / "relay.toml"
    path.write_text('[relay]\npin = 1x7\n[web]\nport = 8737\n[model]\nbundle = "models"\n')
    with pytest.raises(ConfigError):
        load_config(path)
    with pytest.raises(SettingsError):
        read_guardian_settings(path)


def test_a_reload_with_such_a_mistake_takes_up_the_rest_and_says_it(tmp_path: Path, models: Path) -> None:
    path, events = written(tmp_path, models), RecordedEvents()
    things = hardware(events)
    door = build_door(read_config(path), things)
    path.write_text(path.read_text().replace("7.0", "9.0") + "[web]\nprot = 1\n")
    reload_door(door, path, things)
    assert door.policy.cool_down_seconds == 9.0
    assert [event.kind for event in events.events][-2:] == ["reloaded", "config_problem"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_file_from_a_windows_editor_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes('[relay]\r\npin = 17\r\n[model]\r\nbundle = "models"\r\n'.encode(encoding))
    assert isinstance(read_config(path), Config)
    assert read_guardian_settings(path).pin.pin == 17


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_that_is_utf_16_is_said_to_be(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "notepad.toml"
    path.write_bytes("[relay]\npin = 17\n".encode(encoding))
    with pytest.raises(ConfigError, match="UTF-16"):
        read_config(path)


def test_a_character_that_is_not_utf_8_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b'[relay]\npin = 17\n[microphone]\ndevice = "K\xfcche"\n')
    with pytest.raises(ConfigError, match="line 4"):
        read_config(path)


@pytest.mark.parametrize("library", ["numpy", "soxr", "webrtcvad"])
def test_a_library_that_is_missing_is_a_sentence_and_no_traceback(library: str, tmp_path: Path) -> None:
    (tmp_path / "block.py").write_text(
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {library!r}:\n"
        f"            raise ModuleNotFoundError('absent', name={library!r})\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from device.__main__ import main\n"
        f"sys.exit(main(['check', '--bundle', {str(ROOT / 'models/demo')!r}]))\n"
    )
    ended = subprocess.run([sys.executable, tmp_path / "block.py"], cwd=ROOT, capture_output=True, text=True,
                           env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})  # fmt: skip
    assert "Traceback" not in ended.stderr
    if library == "numpy":
        assert ended.returncode == 69
        assert "error: the library numpy is not installed" in ended.stderr
    if ended.returncode == 69:
        assert "pip install" in ended.stderr + ended.stdout


def test_our_own_module_that_cannot_be_imported_is_a_defect() -> None:
    assert describe_import_error(ModuleNotFoundError("x", name="device.sound"), install="i") is None
    assert describe_import_error(ImportError("x"), install="i") is None
    sentence = describe_import_error(ImportError("libfoo.so is missing", name="nacl"), install="i")
    assert sentence is not None
    assert "pynacl does not work here: libfoo.so is missing" in sentence
