"""Somebody has broken into the page or the gateway: under a real systemd, in that very sandbox, each attack is tried.

The same program in the same sandbox as user ``voicelatch`` gets through: the attacks are real, and what stops them is
that page and gateway are other users.
"""

import json
from pathlib import Path

import pytest

from tests.benches.systemd_machine import Machine
from tests.service.test_units_under_systemd import DAEMON, GATEWAY, GUARDIAN, OPEN, PAGE, PYTHON, House, house
from tests.service.test_units_under_systemd import pytestmark as pytestmark

__all__ = ["house"]

SCRIPT = "/srv/checkout/tests/benches/broken_in.py"
UNIT = "voicelatch-broken-in.service"
DOOR = ("door by the guardian's socket", "door through the daemon's root", "door through the guardian's root")
MEMORY = ("memory by /proc", "memory by ptrace", "memory by process_vm_writev")
FILES = ("head of the log", "head of the log through the daemon's root", "log through the daemon's root",
         "state folder", "state folder through the daemon's root", "open files of the daemon", "voice prints",
         "status file", "live socket replaced", "signal to the daemon")  # fmt: skip
WRONG_QUESTIONS = ("live: open", "live: listen without holding", "live: a recording without holding",
                   "live: a path for a clip", "live: a path for a person")  # fmt: skip


def broken_into(house: House, unit: str, **instead: str) -> dict[str, str]:
    """What each attack came to in the sandbox of ``unit``, ``instead`` of whose settings others may be named."""
    machine = house.machine
    told = Path(machine.shared / "broken_in.out")
    told.unlink(missing_ok=True)
    pids = [machine.show(each, "MainPID")["MainPID"] for each in (DAEMON, GUARDIAN)]
    changes = {"ExecStart": f"{PYTHON} {SCRIPT} {' '.join(pids)}", "Type": "oneshot", "Restart": "no",
               "WatchdogSec": "0", "StandardOutput": f"file:/srv/shared/{told.name}", **instead}  # fmt: skip
    lines = [line for line in machine.run("cat", f"/etc/systemd/system/{unit}").splitlines()
             if line.partition("=")[0] not in changes]  # fmt: skip
    at = lines.index("[Service]") + 1
    lines[at:at] = [f"{key}={value}" for key, value in changes.items()]
    house.write(f"/etc/systemd/system/{UNIT}", "\n".join(lines) + "\n")
    machine.run("systemctl", "daemon-reload")
    try:
        machine.run("systemctl", "start", UNIT)
        found = json.loads(told.read_text())
    finally:
        machine.run("rm", f"/etc/systemd/system/{UNIT}")
        machine.run("systemctl", "daemon-reload")
    assert isinstance(found, dict)
    print(f"{unit} {instead}: {json.dumps(found, indent=1)}")
    return found


def through(found: dict[str, str]) -> set[str]:
    return {name for name, result in found.items() if result == "done"}


def refused_requests(machine: Machine) -> list[dict[str, object]]:
    journal = machine.run("journalctl", "--no-pager", "--output=cat", "-u", DAEMON)
    lines = [line for line in journal.splitlines() if '"request_refused"' in line]
    return [json.loads(line[line.index("{") :]) for line in lines]


def test_whoever_breaks_into_the_page_gets_neither_door_nor_memory_nor_files_of_the_daemon(house: House) -> None:
    pid, before = house.machine.main_pid(DAEMON), len(house.chip.edges)
    found = broken_into(house, PAGE)
    assert through(found) & {*DOOR, *MEMORY, *FILES, *WRONG_QUESTIONS} == set()
    # What the page is for it can do.
    assert {"live: hold", "live: events"} <= through(found)
    assert OPEN not in [edge.level for edge in house.chip.edges[before:]]
    assert house.machine.main_pid(DAEMON) == pid
    assert any(event["role"] == "page" for event in refused_requests(house.machine)), "nobody would learn of it"


def test_whoever_breaks_into_the_gateway_gets_neither_and_no_sound_clips_or_recordings(house: House) -> None:
    pid, before = house.machine.main_pid(DAEMON), len(house.chip.edges)
    found = broken_into(house, GATEWAY)
    assert through(found) == set()
    assert "remote.open" in found["live: open"]
    assert OPEN not in [edge.level for edge in house.chip.edges[before:]]
    assert house.machine.main_pid(DAEMON) == pid
    assert any(event["role"] == "gateway" for event in refused_requests(house.machine))


@pytest.mark.parametrize("unit", [PAGE, GATEWAY])
def test_the_same_attacks_in_the_same_sandbox_get_through_for_the_daemon_s_user(house: House, unit: str) -> None:
    """As it was when the page was that user: a sandbox alone does not keep two processes of one user apart."""
    house.rest()
    before = len(house.chip.edges)
    found = broken_into(house, unit, User="voicelatch", SupplementaryGroups="voicelatch")
    assert {"door through the daemon's root", "memory by /proc", "head of the log through the daemon's root",
            "log through the daemon's root", "state folder through the daemon's root"} <= through(found)  # fmt: skip
    assert OPEN in [edge.level for edge in house.chip.edges[before:]]
    house.rest()


def test_nobody_else_reaches_the_live_socket(house: House) -> None:
    machine = house.machine
    ask = (PYTHON, "-c", "import socket; socket.socket(socket.AF_UNIX).connect('/run/voicelatch-live/live.sock')")
    for who in (("--reuid=nobody", "--clear-groups"), ("--reuid=nobody", "--groups=voicelatch")):
        assert "Permission denied" in machine.run("setpriv", *who, *ask, check=False)
    # In the socket's group, but none of its users: connected, and hung up on.
    listen = (PYTHON, "-c", "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(10); "
              "s.connect('/run/voicelatch-live/live.sock'); print(s.recv(100))")  # fmt: skip
    told = machine.run("setpriv", "--reuid=nobody", "--groups=voicelatch-live", *listen, check=False)
    assert told.strip() == "b''" or "Connection reset" in told
    modes = machine.run("stat", "-c", "%U %G %a", "/run/voicelatch-live", "/run/voicelatch-live/live.sock")
    assert modes.split("\n")[:2] == ["voicelatch voicelatch-live 2750", "voicelatch voicelatch-live 660"]


ASK = """import ctypes, json
library = ctypes.CDLL(None)
asked = (ctypes.c_long * 32)()
may_ask = library.adjtimex(ctypes.byref(asked)) >= 0
bounding = next(line for line in open("/proc/self/status") if line.startswith("CapBnd"))
print(json.dumps({"may ask": may_ask, "capabilities": int(bounding.split()[1], 16)}))
"""


def test_the_daemon_may_ask_the_kernel_whether_the_clock_was_set_and_cannot_set_it(house: House) -> None:
    """Without the answer nobody with hours gets in where another service than systemd's own keeps the time."""
    (house.machine.shared / "ask.py").write_text(ASK)
    answers = broken_into(house, DAEMON, ExecStart=f"{PYTHON} /srv/shared/ask.py", RuntimeDirectoryPreserve="yes",
                          ExecStopPost="", ExecReload="")  # fmt: skip
    # To set it takes CAP_SYS_TIME.
    assert answers == {"may ask": True, "capabilities": 0}
