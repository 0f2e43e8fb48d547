"""What somebody does who has broken into the page or the gateway: run in that unit's sandbox, as its user.

``broken_in.py DAEMON_PID GUARDIAN_PID``, in the namespace of processes that it runs in. Prints one JSON object: each
attack's name, and ``done`` or why it failed. It harms nothing where it succeeds: what it writes is what was there.
"""

import base64
import contextlib
import ctypes
import json
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

GUARDIAN_SOCKET, LIVE_SOCKET = "/run/voicelatch-guardian/relay.sock", "/run/voicelatch-live/live.sock"
STATE = "/var/lib/voicelatch"
OPEN_SECONDS = 1.0
PTRACE_ATTACH, PTRACE_DETACH = 16, 17
libc = ctypes.CDLL(None, use_errno=True)


class AttackError(Exception):
    pass


def open_the_door(path: str) -> None:
    sys.path.insert(0, "/opt/voicelatch")
    from device.hardware.guardian_relay import GuardianRelay

    relay = GuardianRelay(Path(path))
    relay.pulse(open_seconds=OPEN_SECONDS)
    time.sleep(OPEN_SECONDS)
    relay.close()


def writable_region(pid: int) -> int:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        found = re.match(r"([0-9a-f]+)-[0-9a-f]+ rw-p .*\[heap\]", line)
        if found:
            return int(found[1], 16)
    raise AttackError("no region")


def write_memory(pid: int) -> None:
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as file:
        file.seek(writable_region(pid))
        content = file.read(8)
        file.seek(writable_region(pid))
        file.write(content)


def trace(pid: int) -> None:
    called(libc.ptrace(PTRACE_ATTACH, pid, None, None))
    os.waitpid(pid, 0)
    called(libc.ptrace(PTRACE_DETACH, pid, None, None))


class Vector(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def write_memory_by_call(pid: int) -> None:
    content = ctypes.create_string_buffer(8)
    ours = Vector(ctypes.cast(content, ctypes.c_void_p), 8)
    # Without the map there is an address that every program has at some place: what counts is whether it is refused.
    address = 0x400000
    with contextlib.suppress(OSError, AttackError):
        address = writable_region(pid)
    theirs = Vector(ctypes.c_void_p(address), 8)
    called(libc.process_vm_readv(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))
    called(libc.process_vm_writev(pid, ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0))


def called(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def write_again(path: str) -> None:
    """Write a file's first bytes over themselves."""
    with open(path, "r+b", buffering=0) as file:
        content = file.read(4)
        file.seek(0)
        file.write(content)


def list_folder(path: str) -> None:
    os.listdir(path)


def read_any_file(pid: int) -> None:
    for each in os.listdir(f"/proc/{pid}/fd"):
        with open(f"/proc/{pid}/fd/{each}", "rb", buffering=0) as file:
            file.read(1)
            return


def replace_socket() -> None:
    os.rename(LIVE_SOCKET, LIVE_SOCKET + ".old")
    os.rename(LIVE_SOCKET + ".old", LIVE_SOCKET)


def ask_live(*requests: object) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(10.0)
        line.connect(LIVE_SOCKET)
        file = line.makefile("r", encoding="utf-8")
        for request in requests:
            line.sendall(json.dumps(request).encode() + b"\n")
            for message in file:
                told = json.loads(message)
                if told["kind"] == "refused" or (told["kind"] == "answer" and "error" in told):
                    raise AttackError(str(told.get("reason") or told["error"]["what"]))
                if told["kind"] == "open" and told["opened"] is not True:
                    raise AttackError(str(told["reason"]))
                if told["kind"] in ("subscribed", "answer", "open"):
                    break
            else:
                raise AttackError("hung up")


def main(daemon: int, guardian: int) -> None:
    samples = base64.b64encode(bytes(64_000)).decode()
    take = {"role": "allowed", "person": "Mallory", "samples": 32_000, "sample_type": "int16", "rate_hz": 16_000}
    attacks: dict[str, Callable[[], None]] = {
        "door by the guardian's socket": lambda: open_the_door(GUARDIAN_SOCKET),
        "door through the daemon's root": lambda: open_the_door(f"/proc/{daemon}/root{GUARDIAN_SOCKET}"),
        "door through the guardian's root": lambda: open_the_door(f"/proc/{guardian}/root{GUARDIAN_SOCKET}"),
        "memory by /proc": lambda: write_memory(daemon),
        "memory by ptrace": lambda: trace(daemon),
        "memory by process_vm_writev": lambda: write_memory_by_call(daemon),
        "head of the log": lambda: write_again(f"{STATE}/events.db.head"),
        "head of the log through the daemon's root": lambda: write_again(f"/proc/{daemon}/root{STATE}/events.db.head"),
        "log through the daemon's root": lambda: write_again(f"/proc/{daemon}/root{STATE}/events.db"),
        "state folder": lambda: list_folder(STATE),
        "state folder through the daemon's root": lambda: list_folder(f"/proc/{daemon}/root{STATE}"),
        "open files of the daemon": lambda: read_any_file(daemon),
        "signal to the daemon": lambda: os.kill(daemon, signal.SIGCONT),
        "voice prints": lambda: list_folder("/opt/voicelatch/models"),
        "status file": lambda: write_again("/run/voicelatch/status.json"),
        "live socket replaced": replace_socket,
        "live: open": lambda: ask_live({"open": {"by": "somebody who broke in", "asked_at_seconds": time.monotonic()}}),
        "live: listen without holding": lambda: ask_live({"subscribe": ["audio"]}),
        "live: hold": lambda: ask_live({"subscribe": ["audio"], "hold": True}),
        "live: a recording without holding": lambda: ask_live(
            {"ask": "take_part", "with": {"samples": samples}}, {"ask": "save_take", "with": take}
        ),
        "live: a path for a clip": lambda: ask_live(
            {"ask": "clip_audio", "with": {"name": "../events.db.head", "offset": 0}}
        ),
        "live: a path for a person": lambda: ask_live(
            {"ask": "recording_of", "with": {"role": "allowed", "person": "../../clips"}}
        ),
        "live: events": lambda: ask_live({"ask": "event", "with": {"n": 1}}),
    }
    results = {}
    for name, attack in attacks.items():
        try:
            attack()
            results[name] = "done"
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    print(json.dumps(results, indent=1), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
