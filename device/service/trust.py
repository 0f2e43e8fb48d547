"""Which bundles this door accepts: signed by a key it lists, and not older than the last one it accepted.

Without listed keys every verified bundle is accepted, and nothing is remembered: anybody could write any sequence
number into a bundle that nobody signed. With keys, the highest sequence number accepted so far is kept in the daemon's
state directory. There is one number a door, not one a bundle's name: a workshop counts through all its bundles, and an
older one under another name would be a way back. An older bundle passes only where an operator has said so, for
exactly that bundle (``device use NAME --allow-downgrade``) or in the configuration.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from device.errors import BundleError, ConfigError, StateError
from device.safe_files import read_file, replace_file
from device.service.config import ModelConfig
from device.settings import settings_from, within
from device.verdict.bundle import Bundle
from device.verdict.signature import KEYS_TEXT_BYTES, PublicKey, distinct, parse_key, parse_keys

_LOG = logging.getLogger(__name__)
NAME = "accepted.json"
# Where the unit's StateDirectory= is, for whoever acts from outside the unit.
DEFAULT_STATE = Path("/var/lib/voicelatch")
STATE_BYTES = 1 << 14
ALLOW = "if you mean it: python -m device use NAME --models MODELS --allow-downgrade"


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
    """The listed ``keys`` (none: signatures are not verified), and the ``state`` directory (None: without systemd)."""

    keys: tuple[PublicKey, ...] = ()
    state: Path | None = None
    allow_downgrade: bool = False

    def refuse_older(self, bundle: Bundle, *, digest: str) -> None:
        """Raise :class:`BundleError` for a bundle older than the last accepted one that nobody has allowed, and
        :class:`StateError` when the memory cannot be read."""
        if not self.keys or self.state is None:
            return
        memory = recall(self.state)
        if bundle.sequence >= memory.highest.sequence or self.allow_downgrade or memory.allowed.digest == digest:
            return
        raise BundleError(
            "the bundle is older than one this door has accepted",
            where=str(bundle.path / "manifest.json"),
            received=f"{bundle.name} #{bundle.sequence}",
            allowed=f"#{memory.highest.sequence} or newer ({memory.highest} was accepted)",
            next_step=f"publish a newer one; {ALLOW}",
        )

    def remember(self, bundle: Bundle, *, digest: str) -> None:
        """Note a bundle that is now in service. A newer one ends what an operator allowed.

        A note that cannot be written is logged, and the door goes on: whoever could profit, by bringing the bundle
        before back, could as well have kept this one from arriving.
        """
        if not self.keys:
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
        if not self.keys:
            return "its signature is not verified: no key is listed in [model] trusted_keys"
        comment = next((each.comment for each in self.keys if each.id == bundle.signed_by), "")
        kept = (
            ""
            if self.state is not None
            else "; whether it is older than the last accepted one is not known here (no state directory)"
        )
        return f"signed by {bundle.signed_by} {comment}".rstrip() + kept


def trust_of(config: ModelConfig, environment: Mapping[str, str] = os.environ) -> Trust:
    """The configured keys and systemd's ``$STATE_DIRECTORY``. Raises :class:`ConfigError` for a line that is no key,
    or a file that is named and cannot be read or holds none."""
    keys = tuple(parse_key(line, where="model.trusted_keys") for line in config.trusted_keys)
    if config.trusted_keys_file:
        path = Path(config.trusted_keys_file)
        try:
            with path.open("rb") as file:
                content = file.read(KEYS_TEXT_BYTES + 1)
        except OSError as error:
            raise ConfigError(
                "the trusted keys cannot be read",
                where=str(path),
                received=error,
                next_step="put the public lines there, or unset model.trusted_keys_file",
            ) from error
        keys = (*keys, *parse_keys(content, where=str(path)))
    return Trust(keys=distinct(keys, where="model.trusted_keys"), state=state_folder(None, environment),
                 allow_downgrade=config.allow_downgrade)  # fmt: skip


def state_folder(asked: Path | None, environment: Mapping[str, str] = os.environ) -> Path | None:
    """The folder asked for, or systemd's ``$STATE_DIRECTORY``, or None."""
    # With several StateDirectory= the variable lists them all; ours comes first.
    named = environment.get("STATE_DIRECTORY", "").split(":")[0]
    return asked or (Path(named) if named else None)


def allow_older(state: Path, bundle: Bundle, *, digest: str) -> Memory:
    """Let this one bundle in though it is older than the last accepted one, until a newer one was accepted.

    Also mends a memory that cannot be read. Raises :class:`StateError` when it cannot be written.
    """
    named = Named(name=bundle.name, sequence=bundle.sequence, digest=digest)
    try:
        memory = recall(state)
    except StateError as error:
        _LOG.warning("what was remembered cannot be read and begins anew: %s", error)
        memory = Memory(highest=named)
        _write(state, memory)
    if bundle.sequence < memory.highest.sequence:
        memory = replace(memory, allowed=named)
        _write(state, memory)
    return memory


def recall(state: Path) -> Memory:
    """What is remembered in ``state``; nothing where there is no file yet. Raises :class:`StateError` when there is
    one and it cannot be read: a door that forgot everything would accept anything."""
    path = state / NAME
    try:
        content = read_file(path, max_bytes=STATE_BYTES)
        if len(content) > STATE_BYTES:
            raise ValueError("too large")
        table = json.loads(content.decode("utf-8"))
        if not isinstance(table, dict):
            raise ValueError("not a table")
        return settings_from(table, Memory, where=str(path))
    except FileNotFoundError:
        return Memory()
    except (OSError, ValueError, RecursionError) as error:
        raise StateError("the last accepted bundle cannot be recalled", where=str(path), received=error,
                         next_step=f"look who changed it; to begin anew, {ALLOW}") from error  # fmt: skip


def _write(state: Path, memory: Memory) -> None:
    path = state / NAME
    try:
        # Root may write it in the daemon's stead, in a folder that is the daemon's.
        replace_file(path, (json.dumps(asdict(memory), indent=1) + "\n").encode(), mode=0o600)
    except OSError as error:
        raise StateError(
            "the accepted bundle cannot be remembered",
            where=str(path),
            received=error,
            next_step="run as the daemon's user or as root, and check free space",
        ) from error
