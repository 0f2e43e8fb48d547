"""What tests share: the pack of real speech where there is one, and the shipped bundle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes is the machine's affair, which other jobs keep busy.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def speech_pack() -> Path:
    """A folder of real recordings with manifest.csv; named by VOICELATCH_SPEECH, or beside the checkout."""
    folder = Path(os.environ.get("VOICELATCH_SPEECH", ROOT.parent / "shared" / "speech"))
    if not (folder / "manifest.csv").is_file():
        pytest.skip(f"no real recordings in {folder}: set VOICELATCH_SPEECH to a folder with manifest.csv")
    return folder


@pytest.fixture(scope="session")
def models() -> Path:
    """The shipped models folder."""
    return ROOT / "models"
