"""What is not installed, or out of reach, is a sentence before the work; no follower ever ends a run."""

import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import StateError
from tests.conftest import ROOT
from training import tracking
from training.missing import missing_library
from training.recipe import Tracking
from training.tracking import Followers, followers, why_wandb_is_out_of_reach


def without(library: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The workshop on a machine that lacks a library."""
    code = (f"import sys; sys.modules[{library!r}] = None; sys.argv = ['training', *sys.argv[1:]]\n"
            "from training.__main__ import main; sys.exit(main())")  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("library", "line"), [
    ("soundfile", "pip install soundfile"), ("rich", "pip install rich"), ("scipy", "pip install scipy"),
    ("soxr", "pip install soxr"),
])  # fmt: skip
def test_a_missing_library_is_a_sentence_with_the_line_that_installs_it(
    library: str, line: str, tmp_path: Path
) -> None:
    done = without(library, "index", str(tmp_path), "--out", str(tmp_path / "t"))
    assert done.returncode == 69
    assert line in done.stderr
    assert "Traceback" not in done.stderr


def test_a_defect_of_ours_is_no_missing_library() -> None:
    assert missing_library(ModuleNotFoundError("x", name="training.nonsense")) is None
    assert missing_library(OSError("disk full")) is None
    assert missing_library(OSError("sndfile library not found")) is not None


class Broken:
    """A follower whose disk is full, or whose network is gone."""

    calls = 0

    def tell(self, *_: object, **__: object) -> None:
        self.calls += 1
        raise OSError("no space left\nand more")

    def close(self) -> None:
        raise OSError("gone")


class Follower(Broken):
    """One that works."""

    def tell(self, *_: object, **__: object) -> None:
        self.calls += 1

    def close(self) -> None:
        pass


def test_a_follower_that_fails_is_said_once_and_the_others_go_on() -> None:
    said: list[str] = []
    broken, well = Broken(), Follower()
    both = Followers([broken, well], say=said.append)
    for _ in range(3):
        both.tell("epoch", {"eer": 0.1})
    both.close()
    assert (broken.calls, well.calls) == (1, 3)
    assert said == ["Broken follows no longer, the run goes on: no space left"]


def test_online_without_a_key_or_a_network_is_told_before_the_work_and_written_to_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modes: list[str] = []

    class Wandb(Follower):
        def __init__(self, _folder: Path, *, mode: str, **_: object) -> None:
            modes.append(mode)

    monkeypatch.setattr(tracking, "WeightsAndBiases", Wandb)
    said: list[str] = []
    settings = Tracking(wandb="online")
    followers(settings, tmp_path, name="run", say=said.append, why_not_online=lambda: "there is no key").close()
    assert modes == ["offline"]
    assert "there is no key" in said[0]
    assert "wandb sync" in said[0]
    followers(settings, tmp_path, name="run", say=said.append, why_not_online=lambda: "").close()
    assert modes == ["offline", "online"]
    assert len(said) == 1


def test_one_that_cannot_begin_at_all_does_not_follow_and_the_run_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object, **__: object) -> None:
        raise StateError("cannot begin", received="its service does not start")

    monkeypatch.setattr(tracking, "WeightsAndBiases", never)
    said: list[str] = []
    found = followers(Tracking(wandb="online"), tmp_path, name="run", say=said.append, why_not_online=lambda: "")
    found.tell("run", {})
    assert (tmp_path / "log.jsonl").exists()
    assert said[-1] == "Weights & Biases does not follow this run: its service does not start"


def test_why_it_is_out_of_reach_is_one_reason(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    nowhere = {"NETRC": str(tmp_path / "none"), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    assert "there is no key for 127.0.0.1" in why_wandb_is_out_of_reach(nowhere)
    assert "cannot be reached" in why_wandb_is_out_of_reach({**nowhere, "WANDB_API_KEY": "k"})
    assert "cannot be reached" in why_wandb_is_out_of_reach({**nowhere, "NETRC": str(tmp_path / "netrc")})
