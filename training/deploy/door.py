"""What can be asked of one door. Each method is one connection, and raises a ``DoorError`` where it cannot be had."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from training.deploy.inventory import DoorSettings
from training.deploy.parcel import Parcel
from training.deploy.remote import COMMAND_SECONDS, DoorError, Remote

INCOMING = ".incoming-"
OUTDATED = "the program on the door is older than this one: update it there first (systemd/install.sh)"
# What `device check` and `device status` leave with when they have an answer, good or bad.
CHECKED = (0, 65, 69, 70)
LOOKED = (0, 69)
LIST_RECORDINGS, SEND_RECORDINGS = ("recordings", "list", "--json"), ("recordings", "send")
# `device key list`: also of an older program, which has no such command, and where the configuration cannot be read.
LISTED = (0, 2, 78)


@dataclass(frozen=True, slots=True)
class Seen:
    """A door's models folder: what ``current`` names (empty: nothing), its rsync, whether it holds the bundle."""

    current: str
    has_rsync: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class Health:
    """What the daemon says of itself. ``reloads`` counts those since its start; the last was ``accepted`` or not."""

    listening: bool
    problem: str
    pid: int
    digest: str
    reloads: int
    accepted: bool
    reason: str

    def told(self) -> str:
        if not self.listening:
            return self.problem or "it does not listen"
        refused = "" if self.accepted else f"; its last reload was refused: {self.reason}"
        return f"it listens with another bundle ({self.digest[:12]}){refused}"


@dataclass(frozen=True, slots=True)
class Trusted:
    """Whose bundles a door accepts: the ids of its keys, and whether unsigned ones as well."""

    key_ids: frozenset[str]
    allow_unsigned: bool


@dataclass(frozen=True, slots=True)
class Door:
    """A door by its name in the report, and the way to it."""

    name: str
    settings: DoorSettings

    @property
    def remote(self) -> Remote:
        return Remote(self.settings)

    def look(self, bundle: str) -> Seen:
        """What is there, and whether the folder ``bundle`` is."""
        models, pointer = shlex.quote(self.settings.models), shlex.quote(self.path("current"))
        said = self.remote.run(
            f"test -d {models} || {{ echo 'there is no models folder' >&2; exit 1; }}\n"
            f"test -w {models} || {{ echo 'the models folder is not writable for this user' >&2; exit 1; }}\n"
            f"printf 'current=%s\\n' \"$(test ! -f {pointer} || head -n 1 {pointer})\"\n"
            f"test ! -d {shlex.quote(self.path(bundle))} || echo holds\n"
            "! command -v rsync >/dev/null || echo rsync\n"
        ).splitlines()
        current = next((line.partition("=")[2] for line in said if line.startswith("current=")), "")
        return Seen(current=current.strip(), has_rsync="rsync" in said, holds="holds" in said)

    def trusted(self) -> Trusted | None:
        """Whose bundles it accepts; None where that cannot be asked: the user may not read its configuration, or the
        program there is older."""
        config = ["--config", self.settings.config] if self.settings.config else []
        said = self.remote.run(self._device("key", "list", "--json", *config), allowed=LISTED)
        try:
            told = json.loads(said)
            return Trusted(frozenset(str(each["id"]) for each in told["keys"]), told["allow_unsigned"] is True)
        except (KeyError, TypeError, ValueError):
            return None

    def health(self, *, timeout_seconds: float = COMMAND_SECONDS) -> Health:
        """The daemon's status."""
        command = self.settings.status_command or self._device("status", "--json")
        said = self.remote.run(command, allowed=LOOKED, timeout_seconds=timeout_seconds)
        told = self._json(said)
        try:
            last = told.get("last_reload", {})
            return Health(
                listening=told["listening"] is True,
                problem=str(told.get("problem", "")),
                pid=int(told.get("pid", 0)),
                digest=str(told.get("digest", "")),
                reloads=int(last.get("count", 0)),
                accepted=last.get("ok") is not False,
                reason=str(last.get("reason", "")),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise self._unclear(said) from error

    def send(self, parcel: Parcel, incoming: str, *, by_rsync: bool, like: str) -> None:
        """The parcel's files into the new folder ``incoming``; ``like``: the bundle there that is most like it."""
        self.remote.send(parcel, incoming, by_rsync=by_rsync, like=self.path(like) if like else "")

    def check(self, path: str, *, digest: str) -> None:
        """Have the door verify the bundle ``path`` on its own runtime, and that it is the one of ``digest``."""
        said = self.remote.run(self._device("check", "--bundle", path, "--json"), allowed=CHECKED)
        try:
            found = {str(each["part"]): (each["ok"] is True, str(each["text"])) for each in json.loads(said)}
        except (KeyError, TypeError, ValueError) as error:
            raise self._unclear(said) from error
        bad = [f"{part}: {' '.join(text.split())}" for part, (ok, text) in found.items() if not ok]
        if bad or found.get("digest") != (True, digest) or "golden vectors" not in found:
            raise DoorError(
                "the bundle is not fit on the door",
                where=self.name,
                received="; ".join(bad) or "another bundle than was sent",
                next_step="try again; if it happens again, look at the door's disk and its installed libraries",
            )

    def place(self, incoming: str, bundle: str) -> None:
        """Give the verified folder ``incoming`` its name; a damaged one of that name goes."""
        old, new, final = (shlex.quote(each) for each in (f"{incoming}.old", incoming, self.path(bundle)))
        self.remote.run(f"test ! -e {final} || mv -T {final} {old}\nmv -T {new} {final} && rm -rf -- {old}")

    def use(self, bundle: str) -> str:
        """Move the pointer to ``bundle``, verified once more; return its digest."""
        said = self.remote.run(self._device("use", "--models", self.settings.models, "--json", "--", bundle))
        told = self._json(said)
        if not isinstance(told.get("digest"), str):
            raise self._unclear(said)
        return str(told["digest"])

    def allow_older(self, bundle: str) -> None:
        """Have it noted on the door that ``bundle``, current already, may be older than the last accepted one."""
        direct = ("use", "--models", self.settings.models, "--allow-downgrade", "--json", "--", bundle)
        # The name goes by standard input: sudoers(5) on the door allows the operation as one exact command.
        self._json(self.remote.run(self._privileged("allow-older", *direct), stdin=bundle.encode()))

    def reload(self) -> None:
        """Ask the daemon to read its bundle again; the answer is in :meth:`health`."""
        self.remote.run(self.settings.reload_command or self._privileged("reload"))

    def list_recordings(self, state: str) -> str:
        """What the door has of recordings, as JSON; ``state`` is for a door without a privileged command."""
        return self.remote.run(self._privileged("list-recordings", *LIST_RECORDINGS, "--state-dir", state))

    def send_recordings(self, state: str, names: bytes) -> bytes:
        """A tar archive of the recordings ``names``, each ended by a NUL."""
        return self.remote.fetch(
            self._privileged("send-recordings", *SEND_RECORDINGS, "--state-dir", state), stdin=names
        )

    def tidy(self, used: str) -> list[str]:
        """Bundles below models by age, ``used`` first as the one used last. What deployments that were cut off left
        there more than a day ago is removed."""
        models = shlex.quote(self.settings.models)
        said = self.remote.run(
            f"touch -- {shlex.quote(self.path(used))} || exit 1\n"
            f"find {models}/ -mindepth 1 -maxdepth 1 -type d -name '{INCOMING}*' -mmin +1440 -exec rm -rf -- {{}} + && "
            f"find {models}/ -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%T@ %f\\n'"
        )
        dated = [line.split(" ", maxsplit=1) for line in said.splitlines()]
        return [name for _, name in sorted(dated, key=lambda each: float(each[0]), reverse=True)]

    def remove(self, paths: Sequence[str]) -> None:
        """Remove these folders."""
        self.remote.run(f"rm -rf -- {shlex.join(paths)}")

    def path(self, name: str) -> str:
        """Of a folder below models."""
        return str(PurePosixPath(self.settings.models) / name)

    def _privileged(self, operation: str, *direct: str) -> str:
        """The line for an operation that takes the daemon's rights; ``direct`` asks the program itself for it."""
        command = self.settings.privileged_command.strip()
        return f"{command} {operation}" if command else self._device(*direct)

    def _device(self, *arguments: str) -> str:
        return shlex.join([self.settings.python, "-m", "device", *arguments])

    def _json(self, said: str) -> dict[str, Any]:
        try:
            told = json.loads(said)
        except ValueError as error:
            raise self._unclear(said) from error
        if not isinstance(told, dict):
            raise self._unclear(said)
        return told

    def _unclear(self, said: str) -> DoorError:
        return DoorError("the answer makes no sense", where=self.name, received=repr(said[:200]), next_step=OUTDATED)
