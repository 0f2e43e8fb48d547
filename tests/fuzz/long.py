"""The same targets for minutes: ``python -m tests.fuzz.long --minutes 10``. Not part of the default tests.

Each target has a process of its own, with little memory: under atheris (coverage-guided; `pip install atheris`) where
it can be imported, else under plain mutation of valid inputs. What went wrong is written to ``--findings``, one file
an input, to be replayed with ``--replay TARGET FILE``. Exit code 0 when nothing was found, 1 otherwise.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

MEMORY_MB = 768
# An input that takes longer than this is a finding too.
SLOW_SECONDS = 5.0
OTHERS = ("random", "atheris")


def by_mutation(name: str, *, seconds: float, seed: int, findings: Path) -> int:
    """Mutate valid inputs, and what came of them, until the time is over; returns the number of findings."""
    from tests.fuzz.mutate import mutate
    from tests.fuzz.targets import check, targets

    with tempfile.TemporaryDirectory(prefix="voicelatch-fuzz-") as scratch:
        target, rng = targets(Path(scratch))[name], random.Random(seed)
        now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (now + (MEMORY_MB << 20),) * 2)
        pool, kinds, found, runs = list(target.seeds), set[str](), set[str](), 0
        deadline = time.monotonic() + seconds
        while (started := time.monotonic()) < deadline:
            content = mutate(rng.choice(pool), rng, other=rng.choice(pool))
            runs += 1
            try:
                told = check(target, content)
            except BaseException as error:
                kind = _kind(error)
                if kind not in found:
                    found.add(kind)
                    _keep(findings, name, content, "".join(traceback.format_exception(error)))
                if isinstance(error, KeyboardInterrupt):
                    raise
                continue
            if time.monotonic() - started > SLOW_SECONDS and "slow" not in found:
                found.add("slow")
                _keep(findings, name, content, f"took {time.monotonic() - started:.1f} s")
            # A poor man's coverage: an input with an answer not seen before is worth mutating further.
            answer = f"{type(told).__name__}{re.sub(r'[0-9]+|received.*', '', str(told))[:120]}"
            if answer not in kinds and len(kinds) < 5_000 and len(content) < 100_000:
                kinds.add(answer)
                pool.append(content)
    print(f"runs={runs} answers={len(kinds)} findings={len(found)}", flush=True)
    return len(found)


def by_atheris(name: str, *, seconds: float, seed: int, findings: Path) -> None:
    """libFuzzer on instrumented modules; it ends the process itself."""
    import atheris

    with atheris.instrument_imports(include=["device", "training.recipe", "zipfile", "wave", "chunk", "tomllib"]):
        from tests.fuzz.targets import check, targets

    # libFuzzer leaves by _exit: the folder is left to the caller, who names it.
    scratch = findings / f".scratch-{name}"
    target = targets(scratch)[name]
    corpus = scratch / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(target.seeds):
        (corpus / str(number)).write_bytes(content)
    options = [f"-max_total_time={max(1, round(seconds))}", f"-seed={seed + 1}", f"-rss_limit_mb={MEMORY_MB}",
               f"-timeout={round(SLOW_SECONDS)}", f"-artifact_prefix={findings / name}-", "-max_len=20000",
               "-print_final_stats=1"]  # fmt: skip

    def one(content: bytes) -> None:
        check(target, content)

    atheris.Setup([sys.argv[0], *options, str(corpus)], one)
    atheris.Fuzz()


def every(names: list[str], *, minutes: float, engine: str, seed: int, findings: Path) -> int:
    """A process a target, one after the other, each with its share of the time; returns how many had findings."""
    bad, share = 0, 60.0 * minutes / len(names)
    for name in names:
        before = set(findings.glob(f"{name}-*"))
        command = [sys.executable, "-m", "tests.fuzz.long", "--one", name, "--minutes", str(share / 60),
                   "--engine", engine, "--seed", str(seed), "--findings", str(findings)]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=share + 120, check=False)
        shutil.rmtree(findings / f".scratch-{name}", ignore_errors=True)
        said = done.stdout + done.stderr
        runs = re.search(r"runs=(\d+)|number_of_executed_units:\s*(\d+)", said)
        fresh = sorted(each.name for each in set(findings.glob(f"{name}-*")) - before)
        count = next(filter(None, runs.groups()), "?") if runs else "?"
        print(f"{name:10s} {engine:8s} {count:>10s} runs  {'; '.join(fresh) or 'nothing found'}", flush=True)
        if done.returncode != 0 or fresh:
            bad += 1
            print("\n".join(said.strip().splitlines()[-25:]), flush=True)
    return bad


def replay(name: str, path: Path) -> None:
    """Run one input; what goes wrong is raised."""
    from tests.fuzz.targets import check, targets

    with tempfile.TemporaryDirectory(prefix="voicelatch-fuzz-") as scratch:
        told = check(targets(Path(scratch))[name], path.read_bytes())
    print(f"{type(told).__name__}: {told}")


def _kind(error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} {last.filename}:{last.lineno}"


def _keep(findings: Path, name: str, content: bytes, told: str) -> None:
    stem = findings / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}"
    stem.write_bytes(content)
    stem.with_suffix(".txt").write_text(told, encoding="utf-8", errors="backslashreplace")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="for all targets together (default: 10)")
    parser.add_argument("--engine", choices=("auto", *OTHERS), default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", action="append", default=None, help="only this one; may be repeated")
    parser.add_argument("--findings", type=Path, default=Path(tempfile.gettempdir()) / "voicelatch-findings")
    parser.add_argument("--replay", nargs=2, metavar=("TARGET", "FILE"), default=None)
    parser.add_argument("--one", default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.replay is not None:
        replay(given.replay[0], Path(given.replay[1]))
        return 0
    given.findings.mkdir(parents=True, exist_ok=True)
    engine = given.engine
    if engine == "auto":
        engine = "atheris" if importlib.util.find_spec("atheris") is not None else "random"
    seconds = 60.0 * given.minutes
    if given.one is not None and engine == "atheris":
        by_atheris(given.one, seconds=seconds, seed=given.seed, findings=given.findings)
    if given.one is not None:
        return min(1, by_mutation(given.one, seconds=seconds, seed=given.seed, findings=given.findings))
    from tests.fuzz.targets import targets

    with tempfile.TemporaryDirectory(prefix="voicelatch-fuzz-") as scratch:
        names = given.target or list(targets(Path(scratch)))
    bad = every(names, minutes=given.minutes, engine=engine, seed=given.seed, findings=given.findings)
    print(f"{len(names)} targets, {bad} with findings (in {given.findings})")
    return min(1, bad)


if __name__ == "__main__":
    sys.exit(main())
