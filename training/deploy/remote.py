"""One machine over ssh: run a script there, copy a folder to it. Nothing here knows what a door is."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from device.errors import VoicelatchError
from training.deploy.inventory import DoorSettings
from training.deploy.parcel import Parcel

# Whatever a login shell prints of its own comes before this line.
MARK = "voicelatch-answer"
SSH_FAILED = 255
COMMAND_SECONDS = 120.0
COPY_SECONDS = 900.0


class DoorError(VoicelatchError, OSError):
    """A door did not do what it was asked for."""

    exit_code = 69


class UnreachableError(DoorError):
    """There is no connection to the door, or it was lost: what was asked for may or may not have happened."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A machine that ssh reaches without asking for anything. Its host key must be known already."""

    settings: DoorSettings

    def ssh(self) -> list[str]:
        """The ssh command without the host. ssh keeps the first value of an option it meets."""
        settings = self.settings
        options = [
            "BatchMode=yes",
            *settings.options,
            "ConnectTimeout=10",
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
        ]
        command = ["ssh", "-T", *(part for option in options for part in ("-o", option))]
        if settings.port:
            command += ["-p", str(settings.port)]
        if settings.identity:
            command += ["-i", os.path.expanduser(settings.identity), "-o", "IdentitiesOnly=yes"]
        return command

    def run(
        self,
        script: str,
        *,
        allowed: Sequence[int] = (0,),
        stdin: bytes = b"",
        timeout_seconds: float = COMMAND_SECONDS,
    ) -> str:
        """Run a shell script in the door's folder and return what it printed.

        Raises :class:`UnreachableError` without a connection or an answer in time, :class:`DoorError` when the
        script's exit code is not ``allowed``.
        """
        return self._run(script, allowed=allowed, stdin=stdin, timeout_seconds=timeout_seconds).decode(errors="replace")

    def fetch(self, script: str, *, stdin: bytes = b"") -> bytes:
        """The same for a script that prints what is no text. Raises as :meth:`run`."""
        return self._run(script, allowed=(0,), stdin=stdin, timeout_seconds=COPY_SECONDS)

    def _run(self, script: str, *, allowed: Sequence[int], stdin: bytes, timeout_seconds: float) -> bytes:
        # Files made there must be readable for the user the daemon runs as.
        whole = f"umask 022\ncd -- {shlex.quote(self.settings.folder)} || exit 1\necho {MARK}\n{script}"
        command = [*self.ssh(), "--", self.settings.host, f"sh -c {shlex.quote(whole)}"]
        code, out, err = self._call(command, stdin=stdin, timeout_seconds=timeout_seconds)
        if code == SSH_FAILED:
            raise self._unreachable(err)
        said = out.split(f"{MARK}\n".encode(), maxsplit=1)
        if code not in allowed or len(said) < 2:
            last = _end_of(err) or _end_of(said[-1].decode(errors="replace"))
            raise DoorError(
                "the door did not do what it was asked for",
                where=self.settings.host,
                received=f"exit code {code}: {last or 'nothing said'}",
            )
        return said[1]

    def send(self, parcel: Parcel, into: str, *, by_rsync: bool, like: str) -> None:
        """Copy the parcel's files into the new folder ``into`` (below the door's folder, or absolute).

        ``by_rsync`` files equal to those in the folder ``like`` there are copied on the door itself, without it
        everything goes as a tar archive over ssh. Raises as :meth:`run`.
        """
        if not by_rsync:
            script = f"mkdir -- {shlex.quote(into)} && tar -x -f - --no-same-owner -C {shlex.quote(into)}"
            self.run(script, stdin=parcel.as_tar(), timeout_seconds=COPY_SECONDS)
            return
        folder = PurePosixPath(self.settings.folder)
        user, at, machine = self.settings.host.rpartition("@")
        host = f"{user}{at}[{machine}]" if ":" in machine else self.settings.host
        # --checksum: sizes and times say nothing here. --protect-args: no shell there looks at the paths.
        command = ["rsync", "--recursive", "--checksum", "--protect-args", "--perms", "--chmod=D755,F644",
                   *([f"--copy-dest={folder / like}"] if like else []), "-e", shlex.join(self.ssh()),
                   f"{parcel.path}/", f"{host}:{folder / into}/"]  # fmt: skip
        code, _, err = self._call(command, stdin=b"", timeout_seconds=COPY_SECONDS)
        if code == SSH_FAILED:
            raise self._unreachable(err)
        if code:
            raise DoorError("rsync failed", where=self.settings.host, received=f"exit code {code}: {_end_of(err)}")

    def _call(self, command: Sequence[str], *, stdin: bytes, timeout_seconds: float) -> tuple[int, bytes, str]:
        try:
            # A session of its own: Ctrl-C here must not cut a door off between two steps.
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=timeout_seconds, check=False, start_new_session=True
            )
        except subprocess.TimeoutExpired as error:
            raise UnreachableError(
                "no answer in time", where=self.settings.host, received=f"nothing for {timeout_seconds:.0f} s"
            ) from error
        except OSError as error:
            raise DoorError(
                f"{command[0]} cannot be run here", where=self.settings.host, received=error,
                next_step="install openssh-client",
            ) from error  # fmt: skip
        return done.returncode, done.stdout, done.stderr.decode(errors="replace")

    def _unreachable(self, err: str) -> UnreachableError:
        return UnreachableError(
            "there is no connection",
            where=self.settings.host,
            received=_end_of(err),
            next_step=f"`ssh {self.settings.host}` must work without a password and with a known host key",
        )


def has_rsync() -> bool:
    """Whether this machine has rsync."""
    return shutil.which("rsync") is not None


def _end_of(text: str) -> str:
    """The last lines of what a program said, in one."""
    return " / ".join(line.strip() for line in text.strip().splitlines()[-4:])
