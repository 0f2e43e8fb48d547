"""Public corpora that ``fetch`` knows: where they are, how large, under which licence, and how to read them.

Where each checksum comes from is said beside it: stated by the publisher, or recorded for the same file by several
independent projects. They were collected without downloading the archives.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

from device.errors import DataError


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """One file to download. ``urls`` are official places of the same file, tried in order.

    ``checksum`` is ``sha256:...`` or ``md5:...`` in hex, empty where none is known; ``size_bytes`` is about right.
    """

    urls: tuple[str, ...]
    file: str
    size_bytes: int
    checksum: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """One corpus. ``unpacked_bytes`` is about what is kept on disk; ``only`` are the folders kept (all when empty).

    ``sources`` are the parts that a recipe can name in ``data.corpora``, each ``LAYOUT:FOLDER`` with a layout of
    ``training.corpus.layouts`` and a folder below the corpus; empty where there is no reader.
    """

    name: str
    archives: tuple[Archive, ...]
    unpacked_bytes: int
    licence: str
    licence_url: str
    credit: str
    page: str
    only: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        """What is downloaded, in all."""
        return sum(each.size_bytes for each in self.archives)


def _openslr(number: int, file: str) -> tuple[str, ...]:
    """OpenSLR and its mirrors in the United States and in Europe."""
    return tuple(
        f"https://{host}/resources/{number}/{file}"
        for host in ("www.openslr.org", "us.openslr.org", "openslr.elda.org")
    )


def _librispeech(part: str, *, size_bytes: int, sha256: str) -> Corpus:
    # FLAC and tar.gz: unpacking adds next to nothing.
    return Corpus(
        name=f"librispeech-{part}",
        archives=(
            Archive(
                urls=_openslr(12, f"{part}.tar.gz"),
                file=f"{part}.tar.gz",
                size_bytes=size_bytes,
                checksum=f"sha256:{sha256}",
            ),
        ),
        unpacked_bytes=round(1.1 * size_bytes),
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        credit="V. Panayotov, G. Chen, D. Povey, S. Khudanpur: LibriSpeech: an ASR corpus based on public domain "
        "audio books. ICASSP 2015.",
        page="https://www.openslr.org/12/",
        sources=(f"librispeech:LibriSpeech/{part}",),
    )


ESC_50_COMMIT = "33c8ce9eb2cf0b1c2f8bcf322eb349b6be34dbb6"

CORPORA: tuple[Corpus, ...] = (
    # The sha256 of LibriSpeech are those in torchaudio. OpenSLR itself publishes md5 sums, in the order below
    # 42e2234ba48799c1f50f24a7926300a1, 32fa31d27d2e1cad72775fee3f4849a9, 2a93770f6d5c6c964bc36631d331a522;
    # others record both for the same files.
    _librispeech(
        "dev-clean",
        size_bytes=337_926_286,
        sha256="76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    ),
    _librispeech(
        "test-clean",
        size_bytes=346_663_984,
        sha256="39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    ),
    _librispeech(
        "train-clean-100",
        size_bytes=6_387_309_499,
        sha256="d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    ),
    Corpus(
        name="daps",
        archives=(
            # md5 of the Zenodo record, which several projects check against.
            Archive(
                urls=("https://zenodo.org/records/4660670/files/daps.tar.gz?download=1",),
                file="daps.tar.gz",
                size_bytes=16_055_782_487,
                checksum="md5:303c130b7ce2e02b59c7ca5cd595a89c",
            ),
        ),
        unpacked_bytes=22_000_000_000,
        licence="CC BY-NC 4.0 (not for commercial use)",
        licence_url="https://creativecommons.org/licenses/by-nc/4.0/",
        credit="G. J. Mysore: Can We Automatically Transform Speech Recorded on Common Consumer Devices in Real-World "
        "Environments into Professional Production Quality Speech? A Dataset, Insights, and Challenges. "
        "IEEE Signal Processing Letters 22(8), 2015.",
        page="https://zenodo.org/records/4660670",
        sources=("daps:daps",),
    ),
    Corpus(
        name="vctk",
        archives=(
            # md5 of the University's own record of the file, as in torchaudio. Its older address
            # (bitstream/handle/10283/3443) now answers with a page instead of the archive.
            Archive(
                urls=(
                    "https://datashare.ed.ac.uk/server/api/core/bitstreams/535f4286-e54c-4038-838c-a02285e32cb2/content",
                    "https://datashare.ed.ac.uk/bitstreams/535f4286-e54c-4038-838c-a02285e32cb2/download",
                ),
                file="VCTK-Corpus-0.92.zip",
                size_bytes=11_747_302_977,
                checksum="md5:8a6ba2946b36fcbef0212cad601f4bfa",
            ),
        ),
        unpacked_bytes=12_500_000_000,
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        credit="J. Yamagishi, C. Veaux, K. MacDonald: CSTR VCTK Corpus: English Multi-speaker Corpus for CSTR Voice "
        "Cloning Toolkit (version 0.92). University of Edinburgh, CSTR, 2019. doi:10.7488/ds/2645",
        page="https://datashare.ed.ac.uk/handle/10283/3443",
    ),
    Corpus(
        name="musan-noise",
        archives=(
            # OpenSLR publishes the md5 0c472d4fc0c5141eca47ad1ffeb2a7df; this sha256 is what several independent
            # projects record for a file of that md5.
            Archive(
                urls=_openslr(17, "musan.tar.gz"),
                file="musan.tar.gz",
                size_bytes=11_086_114_085,
                checksum="sha256:86d1061c7e15b5c9e906777685c519701df51bfde3001e1070dcc9ffac955ee1",
            ),
        ),
        unpacked_bytes=800_000_000,
        licence="CC BY 4.0 (parts in the public domain)",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        credit="D. Snyder, G. Chen, D. Povey: MUSAN: A Music, Speech, and Noise Corpus. arXiv:1510.08484, 2015.",
        page="https://www.openslr.org/17/",
        only=("musan/noise/",),
        sources=("noise:musan/noise",),
    ),
    Corpus(
        name="rirs-noises",
        archives=(
            # OpenSLR publishes the md5 e6f48e257286e05de56413b4779d8ffb; the sha256 as with MUSAN.
            Archive(
                urls=_openslr(28, "rirs_noises.zip"),
                file="rirs_noises.zip",
                size_bytes=1_311_166_223,
                checksum="sha256:3b50cfde915b3984738169b4beb341e9f6b8062ae4c2076146c5db71c2c05dc7",
            ),
        ),
        unpacked_bytes=4_500_000_000,
        licence="Apache 2.0",
        licence_url="https://www.apache.org/licenses/LICENSE-2.0",
        credit="T. Ko, V. Peddinti, D. Povey, M. L. Seltzer, S. Khudanpur: A study on data augmentation of reverberant "
        "speech for robust speech recognition. ICASSP 2017.",
        page="https://www.openslr.org/28/",
        # The third folder, real_rirs_isotropic_noises, mixes rooms with noises: pick from it by hand.
        sources=("rir:RIRS_NOISES/simulated_rirs", "noise:RIRS_NOISES/pointsource_noises"),
    ),
    Corpus(
        name="esc-50",
        archives=(
            # The author publishes no checksum, and the md5 that circulate (7771e4b9d86d0945acce719c7a59305a and later
            # ones) are of a branch that has moved since. Hence one commit, and the sha256 that several independent
            # projects record for it. GitHub packs this file on request and does not promise the same bytes for ever.
            Archive(
                urls=(f"https://github.com/karolpiczak/ESC-50/archive/{ESC_50_COMMIT}.zip",),
                file="ESC-50.zip",
                size_bytes=645_832_161,
                checksum="sha256:661183a6f53ef04f12c9bd618fed0ddc1713280d6c94a5a5431e844ba6f6a21f",
            ),
        ),
        unpacked_bytes=950_000_000,
        licence="CC BY-NC 3.0 (not for commercial use)",
        licence_url="https://creativecommons.org/licenses/by-nc/3.0/",
        credit="K. J. Piczak: ESC: Dataset for Environmental Sound Classification. ACM Multimedia 2015. "
        "doi:10.1145/2733373.2806390",
        page="https://github.com/karolpiczak/ESC-50",
        sources=(f"noise:ESC-50-{ESC_50_COMMIT}/audio",),
    ),
)


def find_corpus(name: str, corpora: Iterable[Corpus] = CORPORA) -> Corpus:
    """The corpus called ``name``. Raises :class:`DataError` with all names, and the one that was probably meant."""
    known = {each.name: each for each in corpora}
    if name in known:
        return known[name]
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    raise DataError(
        "no such corpus",
        where="fetch",
        received=name,
        allowed=", ".join(known),
        next_step=f"did you mean {close[0]}?" if close else "see python -m training fetch --list",
    )
