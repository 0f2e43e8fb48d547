"""``python -m training scan``: the door's scan over recordings in any form, through the workshop's one reader."""

from __future__ import annotations

import argparse
from typing import Any

from device.service.scan_command import add_parser as add_scan
from device.service.scan_files import Reader
from device.sound.content import FFMPEG_KINDS, SNDFILE_KINDS, SOUND_SUFFIXES
from training.corpus import ffmpeg
from training.corpus.audio_file import FORMS, open_audio

open_sound = open_audio


def reader_here() -> Reader:
    """What this machine can read: without ffmpeg, phone recordings are left out by name with the one command."""
    kinds = SNDFILE_KINDS | (FFMPEG_KINDS if ffmpeg.is_installed() else frozenset())
    named = SOUND_SUFFIXES if ffmpeg.is_installed() else SOUND_SUFFIXES - ffmpeg.SUFFIXES
    return Reader(kinds=kinds, suffixes=named, forms=FORMS, open=open_audio, convert=ffmpeg.convert_all("FOLDER"))


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add the command ``scan`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    return add_scan(commands, reader=reader_here(), program="training")
