"""The fields of a question, each checked as it is taken. What the page sends is not trusted more than a stranger."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from device.enrolment.progress import ROLES, Role
from device.errors import DataError
from device.names import normalise
from device.service.recordings import check_person

LONGEST_FILE_NAME_BYTES = 255
LONGEST_TIME = 40
_WORD = re.compile(r"[a-z_]{1,40}")


class Fields:
    """Take each field once, then :meth:`done`. Every method raises :class:`DataError` for what is not as it should."""

    def __init__(self, details: Mapping[str, object], *, where: str) -> None:
        self._details, self._where = dict(details), where

    def number(self, name: str, least: int, most: int) -> int:
        """A whole number, ``least`` to ``most``."""
        value = self._details.pop(name, None)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self._wrong("not such a number", name, value, f"{least} to {most}")
        return value

    def text(self, name: str, *, longest_bytes: int) -> str:
        """Printable characters, no lone surrogates, at most ``longest_bytes`` in UTF-8."""
        value = self._details.pop(name, None)
        if not isinstance(value, str) or not value.isprintable():
            raise self._wrong("not a text", name, value, "printable characters")
        if len(value.encode("utf-8", errors="surrogatepass")) > longest_bytes:
            raise self._wrong("a text that is too long", name, value, f"{longest_bytes} bytes")
        return value

    def file_name(self, name: str) -> str:
        """The name of a file, never a path."""
        value = self.text(name, longest_bytes=LONGEST_FILE_NAME_BYTES)
        if not value or "/" in value or value in (".", ".."):
            raise self._wrong("not a file's name", name, value, "a name without '/'")
        return value

    def person(self, name: str, *, empty: bool = False) -> str:
        """Somebody's name by the rule for recordings, in NFC; ``empty``: it may be."""
        value = normalise(self.text(name, longest_bytes=1000))
        return "" if empty and not value else check_person(value)

    def choice(self, name: str, allowed: Sequence[str]) -> str:
        value = self._details.pop(name, None)
        if not isinstance(value, str) or value not in allowed:
            raise self._wrong("not one of these", name, value, ", ".join(allowed))
        return value

    def whom(self) -> tuple[Role, str]:
        """``role`` and ``person``, whose name is not looked at for the background."""
        asked = self.choice("role", ROLES)
        role = next(each for each in ROLES if each == asked)
        if role == "noise":
            self._details.pop("person", None)
            return role, ""
        return role, self.person("person")

    def words(self, name: str, *, most: int) -> tuple[str, ...]:
        """Lower-case words such as kinds of events."""
        value = self._details.pop(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong("not such a list", name, value, f"at most {most} words")
        wrong = [item for item in value if not isinstance(item, str) or _WORD.fullmatch(item) is None]
        if wrong:
            raise self._wrong("not a word", name, wrong[0], "lower-case letters and '_'")
        return tuple(value)

    def time(self, name: str) -> datetime | None:
        """An ISO time with its zone; None where there is none."""
        value = self._details.pop(name, None)
        if value is None:
            return None
        try:
            time = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= LONGEST_TIME else None
            # A time at the edge of the calendar has no seconds since 1970 in every zone.
            if time is not None and time.tzinfo is not None and time.timestamp() is not None:
                return time
        except (ValueError, OverflowError, OSError) as error:
            raise self._wrong("not a time", name, value, "ISO 8601 with a zone") from error
        raise self._wrong("not a time", name, value, "ISO 8601 with a zone")

    def base64(self, name: str) -> bytes:
        value = self._details.pop(name, None)
        try:
            if isinstance(value, str) and value.isascii():
                return base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError) as error:
            raise self._wrong("not base64", name, type(error).__name__, "base64") from error
        raise self._wrong("not base64", name, type(value).__name__, "base64")

    def done(self) -> None:
        """Nothing else may have been sent."""
        if self._details:
            raise self._wrong("an unknown field", "", sorted(self._details)[0], "the fields that the question has")

    def _wrong(self, what: str, name: str, value: object, allowed: str) -> DataError:
        where = f"{self._where}.{name}" if name else self._where
        return DataError(f"{what} ({where})", received=ascii(value)[:80], allowed=allowed)
