"""HTML from the templates in this room. What is put in is escaped, unless a template says otherwise; none does."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from device.errors import RuntimeMissingError

TEMPLATES = Path(__file__).with_name("templates")
STATIC = Path(__file__).with_name("static")
INSTALL = "sudo systemd/install.sh --with web"


def load(name: str) -> Any:
    """A library that only the page needs. Raises :class:`RuntimeMissingError`."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise RuntimeMissingError(f"{name} is not installed", where="web.enabled = true", received=error,
                                  next_step=INSTALL) from error  # fmt: skip


class Pages:
    """``render`` a template by name. Each may use ``url``, which makes a name fit to stand in an address."""

    def __init__(self) -> None:
        self._template = load("bottle").SimpleTemplate
        self._made: dict[str, Any] = {}

    def render(self, name: str, **values: Any) -> str:
        """The page ``name`` with ``values``."""
        if name not in self._made:
            self._made[name] = self._template(name=f"{name}.html", lookup=[str(TEMPLATES)])
        return str(self._made[name].render(url=quote, **values))
