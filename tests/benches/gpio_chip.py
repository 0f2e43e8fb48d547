"""The recorder behind ``gpio_chip.c``: the chips and pins of an imitated Pi, with the time of every change."""

from __future__ import annotations

import errno
import importlib.util
import selectors
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).with_name("gpio_chip.c")


def why_not() -> str | None:
    """Why the bench cannot run here, or None."""
    if not sys.platform.startswith("linux"):
        return "the imitated GPIO chip needs Linux"
    if shutil.which("gcc") is None:
        return "gcc is not installed (Debian: gcc libc6-dev)"
    if not Path("/usr/include/linux/gpio.h").exists():
        return "the kernel's headers are not installed (Debian: linux-libc-dev)"
    if importlib.util.find_spec("lgpio") is None or importlib.util.find_spec("_lgpio") is None:
        return "lgpio is not installed"
    return None


@dataclass(frozen=True)
class Edge:
    """What was done to a pin: ``what`` is claim, set or closed; ``level`` its level then (None: an input)."""

    at_seconds: float
    pin: int
    what: str
    level: int | None


@dataclass(frozen=True)
class Node:
    """One /dev/gpiochip: ``link`` is the number of the chip of which it is a second name; ``open_errno`` and
    ``info_errno`` are what the kernel answers instead."""

    number: int
    label: str
    lines: int = 54
    header: bool = False
    link: int | None = None
    open_errno: int = 0
    info_errno: int = 0


# As their kernels number them.
PI_3 = (Node(0, "pinctrl-bcm2835", header=True), Node(1, "brcmvirt-gpio", 2), Node(2, "raspberrypi-exp-gpio", 8))
PI_4 = (Node(0, "pinctrl-bcm2711", 58, header=True), Node(1, "raspberrypi-exp-gpio", 8))
PI_5 = (*(Node(10 + each, f"gpio-brcmstb@{place}", 32) for each, place in enumerate(("107d508500", "107d517c00"))),
        Node(12, "gpio-brcmstb@107d508520", 4), Node(15, "pinctrl-rp1", header=True))  # fmt: skip


@dataclass
class Chip:
    """The pins of the header; ``stuck`` holds pins that do not follow, with the level at which they are stuck.
    ``foreign``: what was claimed of other chips, as (chip, line)."""

    socket: Path
    library: Path
    board: Sequence[Node] = PI_4
    edges: list[Edge] = field(default_factory=list)
    stuck: dict[int, int] = field(default_factory=dict)
    foreign: list[tuple[int, int]] = field(default_factory=list)
    _levels: dict[int, int | None] = field(default_factory=dict)
    _holders: dict[socket.socket, int] = field(default_factory=dict)

    def environment(self, working: Path) -> dict[str, str]:
        """For a process that shall find this chip; lgpio writes a pipe into ``working``."""
        return {"LD_PRELOAD": str(self.library), "VOICELATCH_TEST_CHIP": str(self.socket), "LG_WD": str(working)}

    def level(self, pin: int = 17) -> int | None:
        """The level at the pin; it stays when the process that drove it dies, as on a Pi. None: nobody drove it yet."""
        return self.stuck.get(pin, self._levels.get(pin))

    def until(self, level: int, pin: int = 17) -> None:
        """Wait until the pin is at ``level``."""
        end = time.monotonic() + 20.0
        while self.level(pin) != level:
            assert time.monotonic() < end, f"pin {pin} is not at {level}: {self.told()}"
            time.sleep(0.005)

    def told(self) -> str:
        """The trace for people: milliseconds since the first edge, what, level."""
        first = self.edges[0].at_seconds if self.edges else 0.0
        level = {None: "input", 0: "0", 1: "1"}
        return "\n".join(
            f"{1000 * (each.at_seconds - first):9.1f} ms  pin {each.pin}  {each.what:6s} {level[each.level]}"
            for each in self.edges
        )

    def levels(self) -> list[int | None]:
        """The levels in order, repetitions left out."""
        told = [each.level for each in self.edges if each.what != "closed"]
        return [each for index, each in enumerate(told) if index == 0 or each != told[index - 1]]

    def show(self, board: Sequence[Node]) -> None:
        """Have these chips from now on."""
        self.board = board
        folder = self.socket.with_name("dev")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o755)
        for node in board:
            (folder / f"gpiochip{node.number}").touch()
        (folder / "gpiomem").touch()

    def answer(self, connection: socket.socket, message: str) -> str:
        """Do what a process asks; the answer, or a negative errno."""
        verb, number, *words = message.split()
        node = next((each for each in self.board if each.number == int(number)), None)
        if node is None or node.open_errno:
            return str(-(node.open_errno if node else errno.ENOENT))
        if node.link is not None:
            node = next(each for each in self.board if each.number == node.link)
        if verb == "open":
            return "0"
        if verb == "info":
            return str(-node.info_errno) if node.info_errno else f"{node.lines} gpiochip{node.number} {node.label}"
        pin = int(words[0])
        if not node.header:
            self.foreign.append((node.number, pin))
            return "0"
        return str(self._header(connection, verb, pin, words[1:]))

    def _header(self, connection: socket.socket, verb: str, pin: int, words: Sequence[str]) -> int:
        match verb:
            case "claim":
                if pin in self._holders.values():
                    return -errno.EBUSY
                self._holders[connection] = pin
                self._note(pin, "claim", int(words[1]) if words[0] == "out" else None)
            case "set":
                self._note(pin, "set", int(words[0]))
            case "get":
                return self.level(pin) or 0
            case "direction":
                return int(self._levels.get(pin) is not None)
        return 0

    def closed(self, connection: socket.socket) -> None:
        pin = self._holders.pop(connection, None)
        if pin is not None:
            self.edges.append(Edge(time.monotonic(), pin, "closed", self._levels.get(pin)))

    def _note(self, pin: int, what: str, level: int | None) -> None:
        self._levels[pin] = level
        self.edges.append(Edge(time.monotonic(), pin, what, level))


@contextmanager
def imitated_chip(folder: Path, board: Sequence[Node] = PI_4) -> Iterator[Chip]:
    """A chip with its socket and its library in ``folder`` (a short path: a socket's name has at most 107 bytes)."""
    library = folder / "gpio_chip.so"
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], check=True)
    chip, listener = Chip(folder / "chip.sock", library), socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    chip.show(board)
    listener.bind(str(chip.socket))
    # Whoever is to use it may be another user in a namespace of their own.
    chip.socket.chmod(0o666)
    listener.listen(16)
    ending, end = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(chip, listener, ending), name="chip", daemon=True)
    thread.start()
    try:
        yield chip
    finally:
        end.close()
        thread.join(10.0)
        for each in (listener, ending):
            each.close()


def _serve(chip: Chip, listener: socket.socket, ending: socket.socket) -> None:
    with selectors.DefaultSelector() as selector:
        for each in (listener, ending):
            selector.register(each, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                connection = key.fileobj
                assert isinstance(connection, socket.socket)
                if connection is ending:
                    return
                if connection is listener:
                    selector.register(listener.accept()[0], selectors.EVENT_READ)
                elif message := _heard(connection):
                    _answered(connection, chip.answer(connection, message))
                else:
                    chip.closed(connection)
                    selector.unregister(connection)
                    connection.close()


def _answered(connection: socket.socket, answer: str) -> None:
    """Tell the answer. Whoever was killed while it waited is found closed at the next look."""
    with suppress(BrokenPipeError, ConnectionResetError):
        connection.send(answer.encode())


def _heard(connection: socket.socket) -> str:
    try:
        return connection.recv(256).decode()
    except ConnectionResetError:
        return ""
