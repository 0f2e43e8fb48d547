"""A library that is absent or broken, as a sentence with the command that mends it. Needs nothing but Python."""

from __future__ import annotations

from collections.abc import Mapping

# Import names that pip does not know by that name.
PIP_NAMES: Mapping[str, str] = {
    "webrtcvad": "webrtcvad-wheels",
    "ai_edge_litert": "ai-edge-litert",
    "nacl": "pynacl",
    "paho": "paho-mqtt",
    "prometheus_client": "prometheus-client",
}
EXIT_CODE = 69
# What brings everything that a door needs.
INSTALL = "sudo systemd/install.sh"


def describe_import_error(error: ImportError, *, install: str) -> str | None:
    """What is missing and the next step, in two lines; None where one of our own modules is: that is a defect.

    ``install``: the command that brings everything.
    """
    name = (error.name or "").split(".")[0]
    if not name or name in ("device", "training"):
        return None
    package = PIP_NAMES.get(name, name)
    what = "is not installed" if isinstance(error, ModuleNotFoundError) else f"does not work here: {error}"
    return f"error: the library {package} {what}\n  next:     {install}, or: python -m pip install {package}"
