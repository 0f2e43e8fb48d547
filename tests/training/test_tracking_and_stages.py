"""Who follows a run hears everything; a stage is done once for what it depends on."""

import json
import time
from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
from training.recipe import Data, DecisionSettings, Publish, Recipe, Tracking
from training.stages import Stages
from training.tracking import Followers, JsonLines, TensorBoard, WeightsAndBiases, followers


class Listener:
    """Remembers what it was told; may fail at the end."""

    def __init__(self, *, fails: bool = False) -> None:
        self.heard: list[tuple[str, object]] = []
        self.fails, self.closed = fails, False

    def tell(self, kind: str, figures: object, *, step: int | None = None) -> None:
        self.heard.append((kind, figures))

    def close(self) -> None:
        self.closed = True
        if self.fails:
            raise OSError("gone")


def test_every_note_is_one_line_with_its_time_and_step(tmp_path: Path) -> None:
    log = JsonLines(tmp_path / "deep" / "log.jsonl", now_seconds=lambda: 12.5)
    log.tell("epoch", {"eer": 0.1}, step=3)
    log.tell("result", {"name": "home"})
    rows = [json.loads(line) for line in (tmp_path / "deep" / "log.jsonl").read_text().splitlines()]
    assert rows == [{"at": 12.5, "kind": "epoch", "step": 3, "eer": 0.1},
                    {"at": 12.5, "kind": "result", "name": "home"}]  # fmt: skip


def test_a_log_that_cannot_be_written_is_an_error_and_not_silence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="log cannot be written"):
        JsonLines(tmp_path / "file" / "log.jsonl").tell("run", {})


def test_tensorboard_gets_a_curve_of_every_number(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="pip install tensorboard")
    board = TensorBoard(tmp_path)
    board.tell("epoch", {"eer": 0.25, "name": "home"}, step=4)
    board.tell("epoch", {"eer": 0.125}, step=5)
    board.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    read = EventAccumulator(str(tmp_path))
    read.Reload()
    tags = read.Tags()
    assert tags["tensors"] == ["epoch/eer"]
    points = [(each.step, each.tensor_proto.float_val[0]) for each in read.Tensors("epoch/eer")]
    assert points == [(4, 0.25), (5, 0.125)]


def test_weights_and_biases_offline_writes_a_run_to_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="pip install wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = WeightsAndBiases(tmp_path, mode="offline", project="voicelatch", name="run-1")
    run.tell("epoch", {"eer": 0.25}, step=4)
    run.close()
    written = list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))
    assert len(written) == 1
    # Its own process writes the file, and may be a little behind on a busy machine.
    patience = time.monotonic() + 30
    while b"epoch/eer" not in written[0].read_bytes() and time.monotonic() < patience:
        time.sleep(0.1)
    assert b"epoch/eer" in written[0].read_bytes()


def test_all_followers_hear_everything_and_are_closed_whatever_happens_to_one() -> None:
    said: list[str] = []
    first, second = Listener(fails=True), Listener()
    both = Followers([first, second], say=said.append)
    both.tell("epoch", {"eer": 0.1}, step=1)
    both.close()
    assert said == ["Listener follows no longer, the run goes on: gone"]
    assert first.heard == second.heard == [("epoch", {"eer": 0.1})]
    assert second.closed


def test_json_lines_are_always_kept_and_the_others_when_the_recipe_asks(tmp_path: Path) -> None:
    found = followers(Tracking(), tmp_path, name="run")
    found.tell("run", {})
    found.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.jsonl"]
    with pytest.raises(ConfigError, match="offline"):
        Tracking(wandb="ofline")


def stages(runs: Path, listener: Listener | None = None) -> Stages:
    ticks = iter(range(1000))
    return Stages(runs, listener or Listener(), seconds=lambda: float(next(ticks)))


def test_a_stage_that_was_finished_is_kept_and_one_that_was_not_goes_on_in_its_folder(tmp_path: Path) -> None:
    def interrupted() -> None:
        with stages(tmp_path).kept("clips", "a") as stage:
            (stage.folder / "half").touch()
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        interrupted()
    with stages(tmp_path).kept("clips", "a") as stage:
        assert not stage.complete
        assert (stage.folder / "half").exists()
    with stages(tmp_path).kept("clips", "a") as stage:
        assert stage.complete


def test_a_stage_that_depends_on_something_else_is_another_stage(tmp_path: Path) -> None:
    with stages(tmp_path).kept("clips", "a") as first:
        pass
    with stages(tmp_path).kept("clips", "b") as other, stages(tmp_path).kept("clips", "b", 1) as third:
        assert len({first.folder, other.folder, third.folder}) == 3
        assert not other.complete


def test_the_table_says_how_long_each_stage_took_and_what_was_kept(tmp_path: Path) -> None:
    listener = Listener()
    run = stages(tmp_path, listener)
    with run.timed("index"):
        pass
    for _ in range(2):
        with run.kept("clips", "a"):
            pass
    lines = run.table()
    assert [line.split()[0] for line in lines] == ["index", "clips", "clips", "in"]
    assert [line.endswith("(kept)") for line in lines] == [False, False, True, False]
    assert listener.heard[0] == ("stage", {"name": "index", "seconds": 1.0, "kept": False})


def recipe(**changes: object) -> Recipe:
    return Recipe(**{"data": Data(folder="r"), "publish": Publish(name="home"), **changes})  # type: ignore[arg-type]


def test_a_recipe_is_another_with_any_change_but_who_follows_it() -> None:
    assert recipe().sha256() == recipe().sha256()
    assert recipe(tracking=Tracking(tensorboard=True)).sha256() == recipe().sha256()
    assert recipe(decision=DecisionSettings(target_far=0.02)).sha256() != recipe().sha256()
