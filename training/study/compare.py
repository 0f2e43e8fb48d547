"""``python -m training study compare --pack PACK``: every network on the same people, and the figure that misleads.

Beside the networks, each taught end to end, stand a support vector machine on MFCC statistics and the project's own
embedding (:mod:`training.study.baselines`). The closed-set F1 that course projects report is told beside the error
rates on unseen strangers and another day. Networks are judged in int8 by the door's interpreter.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.atomic import write_text
from training.benchmark.command import describe
from training.benchmark.systems import Judged, int8_system, kept_embeddings, read_judged, refuse_familiar
from training.classifier import ClassifierRecipe, read_classifier
from training.clips import stack
from training.corpus.index import Progress
from training.corpus.split import speaker_hash
from training.progress import Bars
from training.recipe import digest
from training.study.baselines import EmbeddingSystem, mfcc_statistics, svm_scores
from training.study.cases import Cases, LearningRanAwayError, clip_milliseconds, learn_case, read_cases
from training.study.compare_page import page, table
from training.study.households import Trials, add_households, trials_of
from training.study.trials import Figures, Scores, judge, spread

RECIPES = Path(__file__).parent.parent / "recipes" / "networks"
MFCC, EMBEDDING = "svm on mfcc", "embedding"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One system: its figures in each trial, and what it costs. ``bytes``, ``multiply_adds`` and ``clip_ms`` (of the
    int8 network, one thread of this machine) are None where there is no network."""

    kind: str
    figures: Sequence[Figures]
    learning_seconds: float
    bytes: int | None = None
    multiply_adds: int | None = None
    clip_ms: float | None = None

    def told(self) -> dict[str, Any]:
        """As plain values, figures as their spread over trials."""
        return {**{key: value for key, value in asdict(self).items() if key != "figures"},
                "figures": spread(self.figures)}  # fmt: skip


def end_to_end(recipe: ClassifierRecipe, cases: Cases, *, seed: int) -> Measured:
    """The recipe learnt anew in each trial."""
    outcomes = [learn_case(recipe, cases, draw, seed=seed + draw) for draw in range(len(cases.trials))]
    seconds = sum(each.minutes for each in outcomes) * 60.0 / len(outcomes)
    return Measured(
        kind="end to end", figures=[each.figures for each in outcomes], learning_seconds=seconds,
        bytes=max(each.bytes for each in outcomes), multiply_adds=outcomes[0].multiply_adds,
        clip_ms=min(each.clip_ms for each in outcomes),
    )  # fmt: skip


def classical(cases: Cases) -> Measured:
    """The support vector machine."""
    statistics = mfcc_statistics(cases.pack.clips)
    return _scored("classical", cases, lambda draw: svm_scores(statistics, cases.trials[draw]))


def embedding(backbone: Path, cases: Cases, *, runs: Path) -> Measured:
    """The int8 network in ``backbone`` with the product's head. Raises :class:`~device.errors.DataError` where it has
    met somebody of the pack."""
    judged = read_judged(backbone)
    system = int8_system(judged)
    refuse_familiar(system, cases.pack.speakers, speaker_hash)
    heard = kept_embeddings(system, stack(cases.pack.clips), runs / "benchmark")
    own = EmbeddingSystem(heard, judged.cohort)
    found = _scored("embedding", cases, lambda draw: own.scores(cases.pack, cases.trials[draw]))
    return Measured(
        kind=found.kind, figures=found.figures, learning_seconds=found.learning_seconds, bytes=len(judged.model),
        multiply_adds=_cost(judged),
        clip_ms=clip_milliseconds(judged.model, cases.features(judged.frontend)),
    )  # fmt: skip


def _cost(judged: Judged) -> int | None:
    """Multiply-adds of the network that the manifest names; None where it names none, as for an imported one."""
    from training.networks.backbone import NETWORKS, build
    from training.networks.cost import multiply_adds

    settings = judged.manifest.get("network") or {}
    if settings.get("network") not in NETWORKS:
        return None
    sizes = {"embedding_size": settings["embedding_size"], "width": settings["width"]}
    return multiply_adds(build(settings["network"], judged.frontend.shape, **sizes))


def _scored(kind: str, cases: Cases, scores_in: Callable[[int], Scores]) -> Measured:
    started = time.monotonic()
    scores = [scores_in(draw) for draw in range(len(cases.trials))]
    seconds = (time.monotonic() - started) / len(scores)
    figures = [judge(cases.pack, made, each) for made, each in zip(cases.trials, scores, strict=True)]
    return Measured(kind=kind, figures=figures, learning_seconds=seconds)


def compare(
    recipes: Mapping[str, ClassifierRecipe], trials: Trials, *, backbone: Path, runs: Path, out: Path,
    progress: Progress, say: Callable[[str], None],
) -> dict[str, Any]:  # fmt: skip
    """All systems in turn, each written to ``out`` as it ends; those that stand there under the same settings stay."""
    cases = read_cases(trials, progress=progress)
    settings = {**asdict(trials), "pack": str(trials.pack)}
    told: dict[str, Any] = {"pack": describe(cases.pack), "settings": settings, "systems": {}, "failed": {}}
    before = json.loads(out.read_text())["systems"] if out.exists() else {}
    systems: dict[str, tuple[str, Callable[[], Measured]]] = {
        name: (digest(asdict(recipe)), lambda recipe=recipe: end_to_end(recipe, cases, seed=trials.seed))  # type: ignore[misc]
        for name, recipe in recipes.items()
    }
    systems[MFCC] = (MFCC, lambda: classical(cases))
    systems[EMBEDDING] = (digest(read_judged(backbone).manifest), lambda: embedding(backbone, cases, runs=runs))
    for count, (name, (what, measure)) in enumerate(systems.items(), start=1):
        key = digest([what, settings])
        if before.get(name, {}).get("key") == key:
            told["systems"][name] = before[name]
            say(f"{name}: kept")
        else:
            try:
                told["systems"][name] = {"key": key, **measure().told()}
                say(f"{name}: EER {told['systems'][name]['figures']['eer']['mean']:.1%}")
            except LearningRanAwayError as error:
                # One network that cannot be learnt so is a finding; the others are compared all the same.
                told["failed"][name] = str(error)
                say(f"{name}: {error}")
        write_text(out, json.dumps(told, indent=1, allow_nan=False))
        progress("systems", count, len(systems))
    return told


def add_parser(studies: Any) -> None:
    """Add ``compare`` to the sub-parsers of ``study``."""
    text = "Learn and judge every network on the same people: closed-set F1 beside the error rates that count."
    example = "python -m training study compare --pack PACK --draws 5 --page reports/compare.html"
    parser = studies.add_parser("compare", help=text, description=text, epilog=f"Example: {example}")
    parser.add_argument("recipes", nargs="*", type=Path, default=sorted(RECIPES.glob("*.toml")),
                        help="recipes of classifiers (default: all in training/recipes/networks)")  # fmt: skip
    parser.add_argument("--backbone", type=Path, default=Path("models/backbone"), help="the embedding to stand beside")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where embeddings are kept (default: runs)")
    add_households(parser, study="compare", draws=5)
    parser.set_defaults(action=_command)


def _command(arguments: argparse.Namespace) -> int:
    recipes = {path.stem: read_classifier(path) for path in arguments.recipes}
    trials = trials_of(arguments)
    with Bars() as bars:
        told = compare(recipes, trials, backbone=arguments.backbone, runs=arguments.runs, out=arguments.json,
                       progress=bars, say=print)  # fmt: skip
    print(table(told))
    command = f"python -m training study compare {trials.options()}"
    write_text(arguments.page, page(told, command))
    print(f"the page: {arguments.page}")
    return 0
