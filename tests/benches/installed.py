"""The program as ``install.sh`` leaves it, in a private root, with somebody who deploys to it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import CompletedProcess

from tests.benches.private_root import PrivateRoot, private_root

TARGET, CONFIG = "/opt/voicelatch", "/etc/voicelatch/voicelatch.toml"
PYTHON = f"{TARGET}/.venv/bin/python"
INTERPRETER = f"/srv/python/bin/python{sys.version_info.major}.{sys.version_info.minor}"
# In place of downloads: an environment that this makes sees the libraries of the tests.
MAKER = f"""#!/bin/sh
if [ "$1" = -m ] && [ "$2" = venv ]; then
  shift 2
  {INTERPRETER} -m venv --without-pip "$@" || exit
  for last; do :; done
  {"{libraries}"}
  exit
fi
exec {INTERPRETER} "$@"
"""
LIBRARIES = 'echo /srv/site > "$(echo "$last"/lib/python*/site-packages)/libraries.pth"'
# A module of every name that a start of Python looks for.
HOSTILE = "import os; open('/srv/shared/stolen', 'a').write(f'{os.geteuid()}\\n')\n"
HOSTILE_NAMES = (
    "device/__init__",
    "device/__main__",
    "json",
    "argparse",
    "sitecustomize",
    "usercustomize",
    "pip",
    "venv",
)


@contextmanager
def installed() -> Iterator[PrivateRoot]:
    """A door, installed by the shipped script; eve has an account, and may do nothing yet."""
    with private_root() as root:
        write_maker(root)
        done = install(root)
        assert done.returncode == 0, done.stdout
        root.must("useradd", "--create-home", "--shell", "/bin/sh", "eve")
        for name in HOSTILE_NAMES:
            root.write(f"/home/eve/evil/{name}.py", HOSTILE)
        root.must("install", "-m", "666", "/dev/null", "/srv/shared/stolen")
        yield root


def write_maker(root: PrivateRoot, *, libraries: bool = True) -> None:
    root.write("/srv/maker", MAKER.format(libraries=LIBRARIES if libraries else ":"), mode="755")


def install(root: PrivateRoot, *arguments: str, checkout: str = "/srv/checkout", folder: str = "/",
            settings: tuple[str, ...] = ()) -> CompletedProcess[str]:  # fmt: skip
    """Run the shipped script: without downloads, and with the tests' libraries."""
    how = () if any(each.endswith("deployer") for each in arguments) else ("--offline", "--listen", "0")
    return root.run("env", "PYTHON=/srv/maker", *settings, "bash", f"{checkout}/systemd/install.sh", *how, *arguments,
                    folder=folder)  # fmt: skip


def stolen(root: PrivateRoot) -> str:
    """The users as which a hostile module ran."""
    return (root.shared / "stolen").read_text()
