"""Which bundles this door accepts: signed by a key it lists, and not older than the last one it accepted.

Without a trusted key no bundle is accepted, unless the configuration allows unsigned ones or nothing real can open. Of
the signed ones, the highest sequence number accepted so far is kept in the daemon's state directory, with its content's
digest: another content under the same number is refused as an older one is. There is one number a door, not one a
bundle's name: a workshop counts through all its bundles, and an older one under another name would be a way back. An
older bundle passes only where an operator has said so, for exactly that bundle (``use NAME --allow-downgrade``) or in
the configuration. Of unsigned bundles nothing is remembered: anybody could write any number into them.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from device.errors import BundleError, StateError
from device.service.config import ModelConfig
from device.settings import settings_from, why_unreadable, within
from device.verdict.bundle import Bundle, load_bundle
from device.verdict.safe_files import exists, open_folder, read_regular, replace_file
from device.verdict.signature import PublicKey, parse_key
from device.verdict.trusted_keys import read_trusted

_LOG = logging.getLogger(__name__)
NAME = "accepted.json"
# Where the unit's StateDirectory= is, for whoever acts from outside the unit.
DEFAULT_STATE = Path("/var/lib/voicelatch")
STATE_BYTES = 1 << 14
HOW_TO_TRUST = (
    "trust the key that signed it: sudo voicelatch key trust LINE; a bundle without a signature is signed where the "
    "key is: voicelatch key sign BUNDLE --key FILE (voicelatch key make FILE makes one). Only to try things out, "
    "[model] allow_unsigned = true"
)
ALLOW = "if you mean it: voicelatch use NAME --models MODELS --allow-downgrade"


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """One bundle: ``digest`` is the SHA-256 (hex) of its SHA256SUMS, empty for none."""

    name: str = ""
    sequence: int = 0
    digest: str = ""

    def __post_init__(self) -> None:
        within("sequence", self.sequence, 0, 10**9)

    def __str__(self) -> str:
        return f"{self.name} #{self.sequence}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """``highest``: the accepted bundle with the highest sequence number; ``allowed``: the older one that an operator
    has let in since."""

    highest: Named = field(default_factory=Named)
    allowed: Named = field(default_factory=Named)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """The listed ``keys``, and ``listed_in``: where one would have to stand; the ``state`` directory (None: without
    systemd). ``allow_unsigned``: bundles without a signature are accepted too."""

    keys: tuple[PublicKey, ...] = ()
    state: Path | None = None
    allow_downgrade: bool = False
    allow_unsigned: bool = False
    listed_in: str = "[model] trusted_keys"

    def where_nothing_opens(self) -> Trust:
        """The same for a door on simulated hardware, a scan or a workshop: without a key, unsigned bundles will do."""
        return replace(self, allow_unsigned=self.allow_unsigned or not self.keys)

    def load(self, folder: Path, *, digest: str) -> Bundle:
        """The bundle in ``folder``, whose SHA256SUMS has ``digest``, if this door accepts it. Raises
        :class:`BundleError` when it is not fit, not signed by a listed key, or older than one that was accepted, and
        :class:`StateError` when the memory cannot be read."""
        if not self.keys and not self.allow_unsigned:
            raise BundleError(
                "this door trusts no key yet, and so accepts no bundle",
                where=str(folder),
                received=f"no key in {self.listed_in}",
                allowed="a bundle that a trusted key has signed",
                next_step=HOW_TO_TRUST,
            )
        bundle = load_bundle(folder, keys=self.keys, allow_unsigned=self.allow_unsigned)
        self._refuse_older(bundle, digest=digest)
        return bundle

    def _refuse_older(self, bundle: Bundle, *, digest: str) -> None:
        if not bundle.signed_by or self.state is None:
            return
        memory = recall(self.state)
        known = digest in (memory.highest.digest, memory.allowed.digest)
        if bundle.sequence > memory.highest.sequence or not memory.highest.digest or known or self.allow_downgrade:
            return
        same = bundle.sequence == memory.highest.sequence
        raise BundleError(
            "another bundle with the number of one this door has accepted" if same
            else "the bundle is older than one this door has accepted",
            where=str(bundle.path / "manifest.json"),
            received=f"{bundle.name} #{bundle.sequence}" + (", of other content" if same else ""),
            allowed=f"newer than #{memory.highest.sequence} ({memory.highest} was accepted)",
            next_step=f"publish a newer one; {ALLOW}",
        )  # fmt: skip

    def remember(self, bundle: Bundle, *, digest: str) -> None:
        """Note a bundle that is now in service. A newer one ends what an operator allowed.

        A note that cannot be written is logged, and the door goes on: whoever could profit, by bringing the bundle
        before back, could as well have kept this one from arriving.
        """
        if not bundle.signed_by:
            return
        if self.state is None:
            _LOG.warning("there is no state directory: older bundles will not be noticed")
            return
        try:
            memory = recall(self.state)
            if bundle.sequence > memory.highest.sequence or not memory.highest.digest:
                named = Named(name=bundle.name, sequence=bundle.sequence, digest=digest)
                _write(self.state, Memory(highest=named))
        except StateError as error:
            _LOG.error("the accepted bundle cannot be remembered, the door goes on: %s", error)

    def told(self, bundle: Bundle) -> str:
        """In words, for ``check``."""
        if not bundle.signed_by:
            return (
                "CAREFUL: its signature is not verified ([model] allow_unsigned): whoever can write the models folder "
                "decides who may open"
            )
        comment = next((each.comment for each in self.keys if each.id == bundle.signed_by), "")
        kept = (
            ""
            if self.state is not None
            else "; whether it is older than the last accepted one is not known here (no state directory)"
        )
        return f"signed by {bundle.signed_by} {comment}".rstrip() + kept


def trust_of(config: ModelConfig, environment: Mapping[str, str] = os.environ) -> Trust:
    """The configured keys, each once, and systemd's ``$STATE_DIRECTORY``. A file of keys that is missing or lists none
    adds none. Raises :class:`ConfigError` for a line that is no key, or a file that cannot be read."""
    listed = [parse_key(line, where="model.trusted_keys") for line in config.trusted_keys]
    places = "[model] trusted_keys"
    if config.trusted_keys_file:
        path = Path(config.trusted_keys_file)
        in_file = read_trusted(path)
        listed += in_file
        places += f", and {path} {'is there without any' if path.exists() else 'does not exist'}" if not in_file else ""
    return Trust(keys=tuple({each.key: each for each in reversed(listed)}.values()),
                 state=state_folder(None, environment), allow_downgrade=config.allow_downgrade,
                 allow_unsigned=config.allow_unsigned, listed_in=places)  # fmt: skip


def state_folder(asked: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder asked for, or systemd's ``$STATE_DIRECTORY``, or None."""
    # With several StateDirectory= the variable lists them all; ours comes first.
    named = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return asked or (Path(named) if named else None)


def allow_older(state: Path, bundle: Bundle, *, digest: str) -> Memory:
    """Let this one bundle in though it is not newer than the last accepted one, until a newer one was accepted.

    Also mends a memory that cannot be read. Raises :class:`StateError` when it cannot be written.
    """
    named = Named(name=bundle.name, sequence=bundle.sequence, digest=digest)
    try:
        memory = recall(state)
    except StateError as error:
        _LOG.warning("what was remembered cannot be read and begins anew: %s", error)
        memory = Memory(highest=named)
        _write(state, memory)
    if bundle.sequence <= memory.highest.sequence and digest != memory.highest.digest:
        memory = replace(memory, allowed=named)
        _write(state, memory)
    return memory


def recall(state: Path) -> Memory:
    """What is remembered in ``state``; nothing where there is no file yet. Raises :class:`StateError` when there is
    one and it cannot be read: a door that forgot everything would accept anything."""
    path = state / NAME
    try:
        with open_folder(state, follow=True) as folder:
            if not exists(folder, NAME):
                return Memory()
            content = read_regular(folder, NAME, max_bytes=STATE_BYTES)
        table = json.loads(content.decode("utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not a table")
        return settings_from(table, Memory, where=str(path))
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, RecursionError) as error:
        raise StateError("the last accepted bundle cannot be recalled", where=str(path), received=why_unreadable(error),
                         next_step=f"look who changed it; to begin anew, {ALLOW}") from error  # fmt: skip


def _write(state: Path, memory: Memory) -> None:
    try:
        with open_folder(state, follow=True) as folder:
            owner = os.fstat(folder)
            # Written by root in the daemon's stead: the daemon must be able to read it.
            as_owner = (owner.st_uid, owner.st_gid) if os.geteuid() == 0 else None
            content = (json.dumps(asdict(memory), indent=1) + "\n").encode()
            replace_file(folder, NAME, content, mode=0o600, owner=as_owner)
    except OSError as error:
        raise StateError(
            "the accepted bundle cannot be remembered",
            where=str(state / NAME),
            received=error,
            next_step="run as the daemon's user or as root, and check free space",
        ) from error
