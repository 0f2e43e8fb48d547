"""What a file holds by its first bytes, whatever its name ends with: which audio container, or what else."""

from __future__ import annotations

from pathlib import Path

HEAD_BYTES = 4096

# What libsndfile decodes, and what needs ffmpeg.
WAV, FFMPEG_KINDS = "wav", frozenset({"mp4", "aac", "amr", "asf", "matroska", "flv", "avi", "mpeg"})
SNDFILE_KINDS = frozenset({"wav", "rf64", "w64", "rifx", "flac", "ogg", "mp3", "aiff", "caf", "au"})
AUDIO_KINDS = SNDFILE_KINDS | FFMPEG_KINDS
WORDS = {
    "wav": "WAV", "rf64": "a WAV file above 4 GB (RF64)", "w64": "a WAV file above 4 GB (W64)",
    "rifx": "big-endian WAV", "flac": "FLAC", "ogg": "Ogg (Vorbis or Opus)", "mp3": "MP3", "aiff": "AIFF",
    "caf": "Apple CAF", "au": "Sun AU", "mp4": "MPEG-4 (m4a, mp4, mov, 3gp)", "aac": "raw AAC", "amr": "AMR",
    "asf": "Windows Media (wma, wmv)", "matroska": "Matroska or WebM", "flv": "Flash video", "avi": "AVI video",
    "mpeg": "an MPEG stream", "page": "a web page", "resource": "a macOS resource file", "zip": "an archive",
    "pdf": "a PDF document", "empty": "an empty file",
}  # fmt: skip
# Names that promise sound: such a file is named even where its content is something else.
SOUND_SUFFIXES = frozenset({".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".aiff",
                            ".aif", ".caf", ".wma", ".amr", ".3gp", ".mp4", ".mov", ".webm", ".mkv", ".w64",
                            ".rf64"})  # fmt: skip
# Kinds without a magic number of their own, or mostly something else: only with a name that promises sound.
_BY_NAME_TOO = frozenset({"mp3", "aac", "mp4", "matroska", "avi", "flv", "mpeg", "asf"})
# kbit/s of MPEG 1 layers I, II, III, and of the later versions' layer I, and II and III.
_KBITS = (
    (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_MAGIC = (
    (b"RF64", "rf64"), (b"BW64", "rf64"), (b"riff\x2e\x91\xcf\x11", "w64"), (b"fLaC", "flac"), (b"OggS", "ogg"),
    (b"caff", "caf"), (b".snd", "au"), (b"#!AMR", "amr"), (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "asf"),
    (b"\x1a\x45\xdf\xa3", "matroska"), (b"FLV\x01", "flv"), (b"\x00\x00\x01\xba", "mpeg"), (b"ID3", "mp3"),
    (b"\x00\x05\x16\x07", "resource"), (b"PK\x03\x04", "zip"), (b"%PDF", "pdf"),
)  # fmt: skip


def kind_of(head: bytes) -> str:
    """One of the keys of :data:`WORDS`, from a file's first :data:`HEAD_BYTES`; empty for what is not known."""
    if not head:
        return "empty"
    form = head[8:12]
    if head[:4] in (b"RIFF", b"RIFX"):
        return {b"WAVE": "wav" if head[:4] == b"RIFF" else "rifx", b"AVI ": "avi"}.get(form, "")
    if head[:4] == b"FORM" and form in (b"AIFF", b"AIFC"):
        return "aiff"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"skip"):
        return "mp4"
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if head.lstrip()[:5].lower() in (b"<!doc", b"<html"):
        return "page"
    return _mpeg_frame(head)


def kind_of_file(path: Path) -> str:
    """:func:`kind_of` a file's beginning. Raises :class:`OSError` when it cannot be read."""
    with path.open("rb") as file:
        return kind_of(file.read(HEAD_BYTES))


def in_words(head: bytes) -> str:
    """The same for people."""
    return WORDS.get(kind_of(head), "no audio format that is known")


def promised_kind(path: Path) -> str:
    """The kind of a file that is sound by its content; ``unknown`` for one that is so by its name alone, so that
    somebody hears of it; empty for any other."""
    named = path.suffix.lower() in SOUND_SUFFIXES
    try:
        kind = kind_of_file(path)
    except OSError:
        kind = ""
    if kind in AUDIO_KINDS and (named or kind not in _BY_NAME_TOO):
        return kind
    return "unknown" if named else ""


def _mpeg_frame(head: bytes) -> str:
    """MP3 and raw AAC have no magic number: a frame, and the next one where it has to be."""
    length = _frame_bytes(head)
    if not length or (len(head) >= length + 4 and not _frame_bytes(head[length:])):
        return ""
    return "aac" if head[1] & 0x06 == 0 else "mp3"


def _frame_bytes(head: bytes) -> int:
    """The length of the MP3 or AAC frame that begins here; 0 for none."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    layer, version = head[1] >> 1 & 3, head[1] >> 3 & 3
    if layer == 0:
        length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
        return length if head[1] & 0xF0 == 0xF0 and (head[2] >> 2 & 15) < 13 and length > 7 else 0
    bitrate, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or bitrate in (0, 15) or rate == 3:
        return 0
    # Layers III, II, I are written 1, 2, 3; version 3 is MPEG 1, the others halve the rate, or quarter it.
    column = {1: 2, 2: 1, 3: 0}[layer] if version == 3 else (3 if layer == 3 else 4)
    bits = _KBITS[column][bitrate - 1] * 1000
    rate_hz = (44_100, 48_000, 32_000)[rate] >> {3: 0, 2: 1, 0: 2}[version]
    padding = head[2] >> 1 & 1
    if layer == 3:
        return (12 * bits // rate_hz + padding) * 4
    return (72 if layer == 1 and version != 3 else 144) * bits // rate_hz + padding
