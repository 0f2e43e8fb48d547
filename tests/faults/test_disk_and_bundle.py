"""A real disk that is full or read-only, a bundle damaged while it serves, files broken at reload."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from device.ports import Event
from device.service.audit import read_head, verify
from device.service.canary import Canary
from device.service.config import read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.events import FileEvents
from device.service.log_files import LogFiles
from device.service.pipeline import Door
from device.service.status import StatusFile
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone, silence
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.sound.pcm import SAMPLE_RATE_HZ, Clip
from device.sound.wavfile import read_wav
from device.verdict.values import Score
from tests.conftest import ROOT

ANNA = ROOT / "device/simulated/evening/anna.wav"


class Bench:
    """The shipped door; a resident visits, twice, half a minute apart; ``between`` is done in between."""

    def __init__(self, folder: Path, models: Path, events: FileEvents | RecordedEvents | None = None) -> None:
        self.models, self.config = folder / "models", folder / "voicelatch.toml"
        shutil.copytree(models / "demo", self.models / "demo")
        (self.models / "current").write_text("demo\n")
        self.config.write_text(
            f'[relay]\npin = 17\n[replay]\nenabled = false\n[model]\nbundle = "{self.models}"\n[policy]\n'
        )
        self.clock, self.wishes = ManualClock(), Wishes()
        self.events = events if events is not None else RecordedEvents()
        self.relay, self.supervisor = SimulatedRelay(self.clock), RecordedSupervisor()
        visit = [read_wav(ANNA)[: round(6.2 * SAMPLE_RATE_HZ)], silence(30.0)]
        self.microphone = SimulatedMicrophone(visit * 2, clock=self.clock)
        self.hardware = Hardware(microphone=self.microphone, relay=self.relay, clock=self.clock, events=self.events,
                                 supervisor=self.supervisor, status=StatusFile(folder))  # fmt: skip
        self.door: Door = build_door(read_config(self.config), self.hardware)

    def serve(self, between: Callable[[], None], *, at_seconds: float = 20.0) -> None:
        read, acts = self.microphone.read, [between]

        def read_and_act() -> object:
            if acts and self.clock.monotonic_seconds() >= at_seconds:
                acts.pop()()
            return read()

        self.microphone.read = read_and_act  # type: ignore[method-assign, assignment]
        serve(self.door, self.hardware, self.wishes, lambda: reload_door(self.door, self.config, self.hardware),
              canary=Canary(self.clock, every_seconds=10.0))  # fmt: skip

    def opened(self) -> list[float]:
        return [at for at, is_on in self.relay.history if is_on]


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A real file system of 64 kB."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
                          capture_output=True, text=True, check=False)  # fmt: skip
    if made.returncode:
        pytest.skip(f"a file system cannot be mounted here: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(descriptor: int) -> None:
    """Write until the disk is full."""
    while os.statvfs(descriptor).f_bavail:
        os.write(descriptor, bytes(512))


def trouble_free(path: Path) -> list[str]:
    files = LogFiles(path)
    verdict = verify(files.read(), read_head(files.head), head_path=files.head)
    assert verdict.problems == []
    return [line for _, lines in files.read() for line in lines]


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_real_disk_that_is_full_or_read_only_costs_events_and_no_opening(
    tmp_path: Path, models: Path, kind: str
) -> None:
    with small_disk(tmp_path / "state") as disk:
        sink = FileEvents(disk / "events.jsonl", max_bytes=1_000_000)
        bench = Bench(tmp_path, models, sink)
        acknowledged: list[Event] = []
        record = sink.record

        def noted(event: Event) -> None:
            lost = sink.lost
            record(event)
            acknowledged.extend([event] if sink.lost == lost else [])

        sink.record = noted  # type: ignore[method-assign]

        def remount(how: str) -> None:
            subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True)

        def spoil() -> None:
            if kind == "read-only":
                remount("ro")
                return
            with (disk / "fill").open("wb", buffering=0) as file:
                fill(file.fileno())

        def mend() -> None:
            (disk / "fill").unlink(missing_ok=True) if kind == "full" else remount("rw")

        bench.serve(spoil)
        mend()
        sink.record(Event(kind="after", at_seconds=1.0, wall_time=bench.clock.wall_time()))
        assert len(bench.opened()) == 2, "the door does not notice"
        assert sink.lost > 0
        lines = trouble_free(disk / "events.jsonl")
        assert any(f'"events_lost", "at_seconds": 1.0, "count": {sink.lost}' in line for line in lines)
        for event in acknowledged:
            assert any(f'"kind": "{event.kind}", "at_seconds": {round(event.at_seconds, 3)}' in line for line in lines)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def rewrite(name: str, content: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def damage(demo: Path) -> None:
        (demo / name).write_bytes(content((demo / name).read_bytes()))

    return damage


DAMAGE: dict[str, Callable[[Path], None]] = {
    "truncated": rewrite("model.tflite", lambda content: content[:1000]),
    "bit flipped": lambda demo: flip(demo / "head.npz"),
    "swapped": rewrite("model.tflite", lambda _: (ROOT / "models/demo/head.npz").read_bytes()),
    "removed": shutil.rmtree,
    "sums rewritten": rewrite("SHA256SUMS", lambda _: b""),
    "pointer astray": rewrite("../current", lambda _: b"../elsewhere\n"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_bundle_that_is_damaged_while_it_serves_changes_nothing_and_is_refused_at_reload(
    tmp_path: Path, models: Path, damage: str
) -> None:
    bench = Bench(tmp_path, models)

    def spoil() -> None:
        DAMAGE[damage](bench.models / "demo")
        bench.wishes.reload = True

    bench.serve(spoil)
    assert isinstance(bench.events, RecordedEvents)
    (event,) = bench.events.of("reload_refused")
    assert str(bench.models) in str(event.details["reason"])
    assert len(bench.opened()) == 2, "the old one stays in service"
    assert bench.events.of("canary_failed") == []
    assert bench.hardware.status.status.last_reload.ok is False


@pytest.mark.parametrize("text", ["", "[relay", "[relay]\npin = 99\n", "[relay]\npin = 17\n[polcy]\n", "\0\0\0", None])
def test_a_configuration_that_is_broken_at_reload_leaves_the_old_one_in_service(
    tmp_path: Path, models: Path, text: str | None
) -> None:
    bench = Bench(tmp_path, models)

    def spoil() -> None:
        bench.config.unlink() if text is None else bench.config.write_text(text)
        bench.wishes.reload = True

    bench.serve(spoil)
    assert isinstance(bench.events, RecordedEvents)
    assert len(bench.events.of("reload_refused")) == 1
    assert len(bench.opened()) == 2


def test_a_good_reload_in_mid_pulse_neither_ends_nor_lengthens_it(tmp_path: Path, models: Path) -> None:
    bench = Bench(tmp_path, models)

    def reload() -> None:
        assert bench.relay.is_on
        bench.wishes.reload = True

    bench.serve(reload, at_seconds=7.0)
    assert isinstance(bench.events, RecordedEvents)
    assert len(bench.events.of("reloaded")) == 1
    assert len(bench.opened()) == 2
    (on, off) = bench.relay.history[:2]
    assert off[0] - on[0] == pytest.approx(3.0, abs=0.021)


class Greedy:
    """A model that wants more memory than there is."""

    def score(self, _clip: Clip) -> Score:
        raise AssertionError(np.ones(1 << 48, dtype=np.uint8))


def test_no_memory_in_mid_pulse_ends_the_daemon_with_the_door_shut(tmp_path: Path, models: Path) -> None:
    bench = Bench(tmp_path, models)

    def starve() -> None:
        assert bench.relay.is_on
        bench.door.scorer = Greedy()
        bench.door.hear_all((Clip(np.zeros(48_000, dtype=np.int16), 3.0, False, 0, 0.0, 3.0),))

    with pytest.raises(MemoryError):
        bench.serve(starve, at_seconds=7.0)
    assert not bench.relay.is_on
    assert bench.relay.closed
    assert isinstance(bench.events, RecordedEvents)
    assert bench.events.of("fault")[0].details["error"].endswith("MemoryError")  # type: ignore[attr-defined]


def test_the_shipped_process_leaves_with_a_code_for_each_cause_and_never_with_a_traceback(
    tmp_path: Path, models: Path
) -> None:
    bench = Bench(tmp_path, models)
    command = [sys.executable, "-m", "device", "run", "--config", str(bench.config), "--simulate"]

    def code() -> int:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60.0, check=False)
        assert "Traceback" not in done.stderr
        return done.returncode

    flip(bench.models / "demo/head.npz")
    assert code() == 65
    bench.config.write_text("[relay")
    assert code() == 78
