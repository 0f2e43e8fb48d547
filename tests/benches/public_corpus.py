"""A small corpus on the misbehaving web server, and archives of every sort."""

from __future__ import annotations

import hashlib
import io
import stat
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import soundfile

from tests.benches.http_server import HttpServer
from training.corpus.catalogue import Archive, Corpus
from training.corpus.download import Patience
from training.corpus.fetch import Fetched, fetch

PATIENCE = Patience(tries=3, sleep=lambda _seconds: None, silence_seconds=10)


def sound(*, seed: int = 1, kind: str = "WAV") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.random.default_rng(seed).uniform(-0.3, 0.3, 8000), 16000, format=kind)
    return file.getvalue()


def tar_gz(files: dict[str, bytes], *more: tarfile.TarInfo) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o6777
            tar.addfile(info, io.BytesIO(content))
        for info in more:
            tar.addfile(info)
    return out.getvalue()


def zipped(files: dict[str, bytes], *, link: tuple[str, str] | None = None) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in files.items():
            file.writestr(name, content)
        if link:
            info = zipfile.ZipInfo(link[0])
            info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
            file.writestr(info, link[1])
    return out.getvalue()


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


GOOD = {f"corpus/s{n}/{n}.wav": sound(seed=n) for n in range(6)} | {"corpus/about.txt": b"hello"}


def corpus(server: HttpServer, path: str = "/good.tar.gz", **changes: object) -> Corpus:
    """A corpus of what the server has there, with its true sum unless changed."""
    content = server.files[path].content if path in server.files else b""
    archive = Archive(
        urls=(server.url + path,),
        file=Path(path).name,
        size_bytes=len(content),
        checksum="sha256:" + hashlib.sha256(content).hexdigest(),
    )
    archive = replace(
        archive, **{key: changes.pop(key) for key in ("checksum", "urls", "size_bytes") if key in changes}
    )
    made = Corpus(
        name="mine",
        archives=(archive,),
        unpacked_bytes=300_000,
        licence="CC BY 4.0",
        licence_url="https://example.org/licence",
        credit="A. Author: A Corpus. 2020.",
        page="https://example.org/corpus",
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def get(wanted: Corpus, to: Path, *, said: list[str] | None = None) -> Fetched:
    return fetch(wanted, to, say=[].append if said is None else said.append, patience=PATIENCE)


def left_behind(to: Path) -> set[str]:
    """Whatever stands in the folder, less the downloads and the lock."""
    return {each.name for each in to.iterdir()} - {".downloads"}
