"""Every failure Voicelatch reports: one root, and children that are also the builtin a caller would expect.

An error carries what a person needs to mend it: what was wrong, where, what was received, what is allowed, and the
next step. The command line prints exactly that and leaves with the class's ``exit_code`` (the values of sysexits.h,
so that a script, or whoever reads the journal, can tell a broken file from a missing microphone).
"""

from __future__ import annotations

from typing import ClassVar


class VoicelatchError(Exception):
    """Root of everything the product raises on purpose.

    ``str(error)`` is one message of a few lines; the parts stay available as attributes.
    """

    exit_code: ClassVar[int] = 70

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        received: object = None,
        allowed: str = "",
        next_step: str = "",
    ) -> None:
        self.what = what
        self.where = where
        self.received = received
        self.allowed = allowed
        self.next_step = next_step
        parts = [f"{where}: {what}" if where else what]
        if received is not None:
            parts.append(f"  received: {received}")
        if allowed:
            parts.append(f"  allowed:  {allowed}")
        if next_step:
            parts.append(f"  next:     {next_step}")
        super().__init__("\n".join(parts))


class ConfigError(VoicelatchError, ValueError):
    """The configuration file or a recipe is not acceptable."""

    exit_code = 78


class AudioFormatError(VoicelatchError, ValueError):
    """Samples or a sound file are not of a form that can be used."""

    exit_code = 65


class BundleError(VoicelatchError, ValueError):
    """A model bundle is missing, incomplete, altered, or made for another front-end."""

    exit_code = 65


class RuntimeMissingError(VoicelatchError, RuntimeError):
    """A library that the door cannot do without is absent or does not work here."""

    exit_code = 69


class MicrophoneError(VoicelatchError, OSError):
    """The microphone is absent, refused to open, or was lost."""

    exit_code = 69


class RelayError(VoicelatchError, OSError):
    """The relay's pin could not be claimed or driven."""

    exit_code = 69


class ButtonError(VoicelatchError, OSError):
    """The button's pin could not be claimed."""

    exit_code = 69


class IndicatorError(VoicelatchError, OSError):
    """The light's pin or the loudspeaker could not be claimed or used."""

    exit_code = 69


class LiveError(VoicelatchError, OSError):
    """The live feed is absent or hung up, or was asked for something that it does not give."""

    exit_code = 69


class DataError(VoicelatchError, ValueError):
    """Recordings are missing, unusable, too short, or would leak across a split."""

    exit_code = 66


class StateError(VoicelatchError, OSError):
    """A file that the program writes (events, bundle, cache) could not be written."""

    exit_code = 73
