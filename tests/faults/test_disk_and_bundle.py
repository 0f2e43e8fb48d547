"""A real disk that is full or read-only, a bundle damaged while it serves, files broken at reload."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from device.ports import Event, EventSink
from device.service.canary import Canary
from device.service.config import read_config
from device.service.daemon import Hardware, Wishes, build_door, reload_door, serve
from device.service.events import FileEvents
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
from tests.event_logs import lines, verdict

ANNA = ROOT / "device/simulated/evening/anna.wav"


class Bench:
    """The shipped door; a resident visits, twice, half a minute apart; ``between`` is done in between."""

    def __init__(self, folder: Path, models: Path, events: EventSink | None = None) -> None:
        self.models, self.config = folder / "models", folder / "voicelatch.toml"
        shutil.copytree(models / "demo", self.models / "demo")
        (self.models / "current").write_text("demo\n")
        self.config.write_text(
            f"[relay]\npin = 17\n[replay]\nenabled = false\n[model]\nallow_unsigned = true\n"
            f'bundle = "{self.models}"\n[policy]\n'
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


def command(*words: object) -> None:
    subprocess.run([str(each) for each in words], capture_output=True, text=True, check=True)


@contextmanager
def small_disk(image: Path, folder: Path) -> Iterator[Path]:
    """A real file system of 2 MB."""
    folder.mkdir()
    image.write_bytes(bytes(2_000_000))
    try:
        command("mkfs.ext4", "-q", "-F", "-O", "^has_journal", image)
        command("mount", "-o", "loop", image, folder)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"a file system cannot be mounted here: {getattr(error, 'stderr', error)}")
    try:
        yield folder
    finally:
        command("umount", "--lazy", folder)


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(512))


class Noted:
    """The shipped log, and what it has taken."""

    def __init__(self, inner: FileEvents) -> None:
        self.inner, self.acknowledged = inner, list[Event]()

    def record(self, event: Event) -> None:
        lost = self.inner.lost
        self.inner.record(event)
        self.acknowledged.extend([event] if self.inner.lost == lost else [])

    def close(self) -> None:
        self.inner.close()


def missing(acknowledged: Sequence[Event], path: Path) -> list[Event]:
    kept = lines(path)
    return [
        event for event in acknowledged
        if not any(f'"kind": "{event.kind}", "at_seconds": {round(event.at_seconds, 3)}' in line for line in kept)
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["full", "read-only"])
def test_a_real_disk_that_is_full_or_read_only_costs_events_and_no_opening(
    tmp_path: Path, models: Path, kind: str
) -> None:
    with small_disk(tmp_path / "image", tmp_path / "state") as disk:
        sink = FileEvents(disk / "events.db", max_bytes=1_000_000)
        noted = Noted(sink)
        bench = Bench(tmp_path, models, noted)

        def spoil() -> None:
            if kind == "full":
                fill(disk / "fill")
            else:
                # Nobody can make a disk read-only on which a file is open for writing.
                sink.close()
                command("mount", "-o", "remount,ro", disk)

        bench.serve(spoil)
        (disk / "fill").unlink(missing_ok=True) if kind == "full" else command("mount", "-o", "remount,rw", disk)
        sink.record(Event(kind="after", at_seconds=1.0, wall_time=bench.clock.wall_time()))
        assert len(bench.opened()) == 2, "the door does not notice"
        assert sink.lost > 0
        told = f'"events_lost", "at_seconds": 1.0, "count": {sink.lost}'
        assert any(told in line for line in lines(disk / "events.db"))
        assert missing(noted.acknowledged, disk / "events.db") == []
        assert verdict(disk / "events.db").problems == []
        sink.close()


def test_a_real_disk_that_breaks_down_under_the_open_log_keeps_every_opening_before_and_hinders_none_after(
    tmp_path: Path, models: Path
) -> None:
    with small_disk(tmp_path / "image", tmp_path / "state") as disk:
        noted = Noted(FileEvents(disk / "events.db", max_bytes=1_000_000))
        bench = Bench(tmp_path, models, noted)
        before: list[Event] = []

        def spoil() -> None:
            before.extend(noted.acknowledged)
            # What the kernel does with a card that fails: every write is an error from now on.
            command("mount", "-o", "remount,abort", disk)

        bench.serve(spoil)
        assert len(bench.opened()) == 2, "the door does not notice"
        assert noted.inner.lost > 0
        command("umount", disk)
        command("mount", "-o", "loop", tmp_path / "image", disk)
        again = FileEvents(disk / "events.db", max_bytes=1_000_000)
        again.record(Event(kind="after", at_seconds=1.0, wall_time=bench.clock.wall_time()))
        assert again.lost == 0
        again.close()
        opening = max(place for place, event in enumerate(before) if event.kind == "relay_on")
        assert missing(before[: opening + 1], disk / "events.db") == []


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
