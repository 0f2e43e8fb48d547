"""The workshop's commands. ``train RECIPE`` is short for ``python -m training run RECIPE``."""

from __future__ import annotations

import argparse
import io
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from device.errors import VoicelatchError
from device.terminal.output import run_quietly
from training.benchmark.command import add_parser as add_benchmark
from training.corpus.fetch import add_parser as add_fetch
from training.corpus.household import add_parser as add_household
from training.corpus.survey_page import add_parser as add_survey
from training.corpus.table import add_parser as add_index
from training.deploy.command import add_parser as add_deploy
from training.deploy.pull_command import add_parser as add_pull
from training.explain.command import add_parser as add_explain
from training.keys import add_parser as add_keys
from training.listen import add_parser as add_augment
from training.missing import missing_library
from training.networks.weights_command import add_parser as add_weights
from training.progress import Bars
from training.replay_study import add_parser as add_replay_study
from training.scan import add_parser as add_scan
from training.study.command import add_parser as add_study

# What shells give for Ctrl-C.
INTERRUPTED = 130
EXIT_CODES = (
    "Exit codes: 0 done, 2 wrong command line, 65 unusable bundle or sound, 66 unusable recordings, "
    "69 something is not installed, 73 cannot write, 78 wrong recipe, 130 Ctrl-C."
)


def _run(arguments: argparse.Namespace) -> int:
    from training.outlook_advice import terminal_lines
    from training.recipe import read_recipe
    from training.run import run

    recipe = read_recipe(arguments.recipe)
    with Bars() as bars:
        outcome = run(
            recipe, runs=arguments.runs, progress=bars, say=print, force=arguments.force, without=arguments.without
        )
    limits = outcome.bundle.thresholds
    print(f"bundle {outcome.bundle.path}: residents {', '.join(outcome.bundle.residents)}")
    print(
        f"opens at {limits.open_llr:+.2f}, refuses at {limits.refuse_llr:+.2f}; false accepts on validation strangers "
        f"at most {limits.target_far:.2%} of visits (95 % bound {limits.far_upper_bound:.2%})"
    )
    print("\n".join(outcome.stages))
    if outcome.figures:
        door = outcome.figures["door"]
        for who, told in door.items():
            print(f"test {who:9s}: opened on {told['opened']} of {told['visits']} visits ({told['share']:.2%})")
        for kind in ("int8", "float"):
            if kind in outcome.figures:
                for unit in ("clip", "visit"):
                    name = outcome.figures["runs_in"] if kind == "int8" else kind
                    print(f"{name:7s} {unit:5s} " + _line(outcome.figures[kind][unit]))
        for name, told in outcome.figures["conditions"].items():
            print(f"{name:18s} clip " + _line(told["clip"]))
    print("\n".join(terminal_lines(outcome.outlook)))
    several = any(each["sessions"] > 1 for each in outcome.outlook["residents"])
    if recipe.enrol.sessions == "all" and several and outcome.figures:
        print("the test is of this household without each resident's last day; what is published knows every day")
    if recipe.enrol.sessions == "first" and several:
        print('each resident\'s first day is enrolled, the others are the test; [enrol] sessions = "all" enrols all')
    print(f"the whole report: {outcome.bundle.path / 'report.html'}")
    return 0


def _line(told: dict[str, dict[str, float]]) -> str:
    def one(name: str, key: str) -> str:
        value = told[key]
        if value.get("strangers_behind_it", 1) < 1:
            return f"{name} too few strangers"
        interval = f" ({value['low']:.2%}..{value['high']:.2%})" if "low" in value else ""
        return f"{name} {value['value']:.2%}{interval}"

    names = {"EER": "eer", "FRR@FAR1%": "frr_at_far_1pct", "FRR@FAR0.1%": "frr_at_far_01pct"}
    return "  ".join(one(name, key) for name, key in names.items())


def _roll_back(arguments: argparse.Namespace) -> int:
    from training.residents import changes_in_words, residents_in_service
    from training.versions import roll_back

    before = residents_in_service(arguments.models)
    left, reached = roll_back(arguments.models)
    print(f"{arguments.models}/current: {left} -> {reached}")
    for change in changes_in_words(before, residents_in_service(arguments.models)):
        print(change)
    return 0


def _demo_recordings(arguments: argparse.Namespace) -> int:
    from training.corpus.espeak import make_demo

    make_demo(arguments.out, evening=arguments.evening, say_so=print)
    return 0


def build_parser() -> argparse.ArgumentParser:
    """All commands of the workshop."""
    parser = argparse.ArgumentParser(
        prog="python -m training", description="Recordings in, one verified bundle out.", epilog=EXIT_CODES
    )
    commands = parser.add_subparsers(dest="command", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], int], text: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}")
        made.set_defaults(action=action)
        return made

    runner = add(
        "run",
        _run,
        "Train, evaluate and publish what a recipe describes; a killed run resumes.",
        "python -m training run training/recipes/household.toml",
    )
    runner.add_argument("recipe", type=Path, help="a TOML recipe")
    runner.add_argument("--runs", type=Path, default=Path("runs"), help="where stages are kept (default: runs)")
    runner.add_argument("--force", action="store_true", help="publish even if it is worse than the bundle in service")
    runner.add_argument("--without", action="append", default=[], metavar="NAME", help="a resident who is to leave "
                        "though the folder is there; may be repeated")  # fmt: skip
    back = add(
        "rollback",
        _roll_back,
        "Let models/current name the version before.",
        "python -m training rollback",
    )
    back.add_argument("--models", type=Path, default=Path("models"), help="the models folder (default: models)")
    add_household(commands)
    add_index(commands)
    add_augment(commands)
    add_fetch(commands)
    add_weights(commands)
    add_survey(commands)
    add_pull(commands)
    add_deploy(commands)
    add_keys(commands)
    add_benchmark(commands)
    add_study(commands)
    add_explain(commands)
    add_replay_study(commands)
    add_scan(commands)
    demo = add(
        "demo-recordings",
        _demo_recordings,
        "Synthesise the demo's household with espeak-ng.",
        "python -m training demo-recordings recordings/demo --evening device/simulated/evening",
    )
    demo.add_argument("out", type=Path)
    demo.add_argument("--evening", type=Path, default=None, help="also write the evening's visits here")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that this terminal cannot show is no reason to end.
            stream.reconfigure(errors="backslashreplace")
    return run_quietly(lambda: _main(argv))


def _main(argv: Sequence[str] | None) -> int:
    arguments = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        return int(arguments.action(arguments))
    except VoicelatchError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except (ImportError, OSError) as error:
        missing = missing_library(error)
        if missing is None:
            raise
        print(f"error: {missing}", file=sys.stderr)
        return missing.exit_code
    except KeyboardInterrupt:
        print("interrupted; the same command goes on where it was, as far as stages were finished", file=sys.stderr)
        return INTERRUPTED
