"""The rooms' import rules, read from the source."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ONLY_IN = {
    "webrtcvad": ("device/sound/vad.py",),
    "ai_edge_litert": ("device/verdict/interpreter.py",),
    "tflite_runtime": ("device/verdict/interpreter.py",),
    "sounddevice": ("device/hardware/microphone.py", "device/hardware/loudspeaker.py"),
    "gpiozero": ("device/hardware/relay.py", "device/guardian/pin.py"),
    "paho": ("device/gateway/mqtt.py",),
    "prometheus_client": ("device/gateway/metrics.py",),
    "bottle": (),
    "cheroot": (),
    "soxr": ("device/sound/resample.py",),
}
# room -> the device rooms it may import from
MAY = {
    "device/sound": ("device.sound", "device.errors"),
    "device/enrolment": ("device.enrolment", "device.sound", "device.errors"),
    # What draws knows nothing of what it draws.
    "device/terminal": ("device.terminal",),
    "device/replay": ("device.replay", "device.sound", "device.errors"),
    "device/verdict": ("device.verdict", "device.sound", "device.errors", "device.names"),
    # Numbers from embeddings: no configuration, no daemon, and no TensorFlow on a Pi.
    "device/household": ("device.household", "device.sound", "device.verdict", "device.errors"),
    "device/ownership.py": ("device.errors",),
    "device/hardware": (
        "device.ports",
        "device.sound.pcm",
        "device.sound.resample",
        "device.sound.tones",
        "device.errors",
        "device.guardian.protocol",
        "device.guardian.chips",
        "device.hardware.pin_factory",
        "device.guardian.errors",
    ),
    "device/guardian": ("device.guardian",),
    # A process of its own: it knows the door by its feed alone.
    "device/gateway": (
        "device.gateway",
        "device.live",
        "device.ports",
        "device.sound.pcm",
        "device.settings",
        "device.errors",
    ),
    # A process and a user of its own: it knows the door by its feed and what that answers; it has no file of it.
    "device/web": (
        "device.web",
        "device.enrolment",
        "device.errors",
        "device.ports",
        "device.service.config",
        "device.service.ears",
        "device.live.reader",
        "device.service.explain",
        "device.service.kept_clips",
        "device.service.live_ears",
        "device.service.record",
        "device.service.record_command",
        "device.service.recordings",
        "device.service.status",
        "device.settings",
        "device.sound.pcm",
    ),
    # What the door says of itself: it must not reach into the door, only be handed things.
    "device/live": ("device.live", "device.ports", "device.sound.pcm", "device.errors"),
    "device/simulated": ("device.simulated", "device.ports", "device.sound", "device.errors"),
    "device/service/pipeline.py": ("device.ports", "device.sound", "device.verdict"),
}
SOURCES = sorted([*ROOT.glob("device/**/*.py"), *ROOT.glob("training/**/*.py")])


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def test_there_is_something_to_check() -> None:
    assert len(SOURCES) > 50


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    for module in imports(path):
        for room, allowed in MAY.items():
            if name(path).startswith(room) and module.startswith(("device", "training")):
                assert within(module, allowed), f"{name(path)} imports {module}"
        if name(path).startswith("device/"):
            assert not module.startswith("training")
            assert module.split(".")[0] not in ("tensorflow", "keras", "librosa", "soundfile", "scipy", "rich")
        if name(path).startswith("training/"):
            assert not within(module, ("device.hardware", "device.service.daemon", "device.service.cli"))
        owners = ONLY_IN.get(module.split(".")[0], (name(path),))
        assert name(path) in owners, f"{name(path)} imports {module}, which belongs to {owners}"
        if name(path).startswith("device/") and within(module, ("device.guardian",)):
            shared = {"device.guardian.chips": "device/hardware/pin_factory.py"}
            owner = shared.get(module, "device/hardware/guardian_relay.py")
            assert name(path).startswith("device/guardian/") or name(path) == owner


@pytest.mark.parametrize("path", [each for each in SOURCES if "device/guardian" in name(each)], ids=name)
def test_the_guardian_needs_the_standard_library_alone(path: Path) -> None:
    """And lgpio, which its pin loads when it is claimed."""
    outside = {each.split(".")[0] for each in imports(path)} - set(sys.stdlib_module_names)
    assert outside <= {"device"}


def test_the_guardian_is_loaded_without_any_other_room() -> None:
    code = (
        "import sys, device.guardian.__main__\n"
        "bad = [each for each in sys.modules if each.split('.')[0] in ('numpy', 'gpiozero', 'lgpio')\n"
        "       or each.startswith('device.') and not each.startswith('device.guardian')]\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("file", ["policy.py", "tries.py", "values.py"])
def test_the_policy_needs_the_standard_library_alone(file: str) -> None:
    pure = {"device.errors", "device.verdict.values", "device.verdict.tries"}
    assert imports(ROOT / "device/verdict" / file) - pure <= {"__future__", "dataclasses", "enum", "math"}


def test_the_map_of_the_device_imports_nothing() -> None:
    assert imports(ROOT / "device/__init__.py") == set()


def test_the_door_can_be_loaded_without_any_hardware_library() -> None:
    code = (
        "import sys, device.service.cli, device.service.demo, device.verdict.scorer\n"
        "bad = {'sounddevice', 'gpiozero', 'webrtcvad', 'ai_edge_litert', 'tensorflow'} & set(sys.modules)\n"
        "sys.exit(', '.join(bad) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 350


def test_the_pipeline_fits_on_a_screen() -> None:
    assert len((ROOT / "device/service/pipeline.py").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "systemd/README.md", "training/README.md"])
def test_a_page_names_commands_that_exist(page: str) -> None:
    from device.service.cli import build_parser as door
    from training.cli import build_parser as workshop

    text = (ROOT / page).read_text()
    seen: set[str] = set()
    for pattern, parser in (
        (r"(?:python -m device|(?:^    |`)voicelatch) ([a-z][a-z-]*)", door()),
        (r"python -m training ([a-z][a-z-]*)", workshop()),
    ):
        actions = next(each for each in parser._actions if each.dest == "command")
        assert actions.choices is not None
        used = set(re.findall(pattern, text, re.MULTILINE))
        assert used <= set(actions.choices), used - set(actions.choices)
        seen |= used
    assert seen


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "systemd/README.md", "training/README.md"])
def test_a_page_points_at_files_that_exist(page: str) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert links
    for each in links:
        assert ((ROOT / page).parent / each).exists(), each
