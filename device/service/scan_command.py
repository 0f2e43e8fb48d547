"""``voicelatch scan FILE...``: whom the door would have let in, over long recordings. It opens nothing."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from device.errors import AudioFormatError
from device.service.config import ModelConfig, PolicyConfig, policy_for, read_config
from device.service.ears import config_path
from device.service.scan import ScanSpec
from device.service.scan_files import WAV, Reader, find_inputs, scan_all, seconds_to_do
from device.service.scan_folder import scan_folder
from device.service.scan_progress import Progress
from device.service.scan_view import summary, text
from device.service.trust import trust_of
from device.service.verified import verify
from device.settings import within
from device.terminal.bars import printable
from device.terminal.screen import Screen, is_terminal
from device.verdict.tries import UNLIMITED

# What shells give for Ctrl-C.
INTERRUPTED = 130
EXIT_CODES = (
    "Exit codes: 0 done, 2 wrong command line, 65 unusable bundle, or a recording that cannot be read (the others are "
    "scanned), 66 no recordings, 73 cannot write, 78 wrong configuration, or another scan's folder, 130 Ctrl-C."
)


def _command(arguments: argparse.Namespace) -> int:
    if not arguments.files:
        arguments.parser.error("no recordings: name files or folders, for example: scan recordings/porch")
    if arguments.gap is not None:
        within("--gap", arguments.gap, 0.0, 3600.0)
    reader: Reader = arguments.reader
    inputs = find_inputs(arguments.files, reader)
    config = read_config(path) if (path := config_path(arguments)) is not None else None
    model = config.model if config is not None else ModelConfig(bundle="models")
    if arguments.bundle is not None:
        model = replace(model, bundle=str(arguments.bundle))
    verified = verify(Path(model.bundle), runtime=model.runtime, trust=trust_of(model).where_nothing_opens())
    policy = policy_for(verified.bundle, config.policy if config is not None else PolicyConfig())
    # Nobody tries anything on a recording: a wait would only hide who was there.
    policy = replace(policy, limits=UNLIMITED)
    gap_seconds = policy.evidence_seconds if arguments.gap is None else arguments.gap
    spec = ScanSpec(scorer=verified.scorer, policy=policy, gap_seconds=gap_seconds)
    made_with = {"bundle": verified.bundle.name, "bundle_digest": verified.digest, "policy": asdict(policy),
                 "gap_seconds": gap_seconds}  # fmt: skip
    screen = Screen(out=sys.stderr, live=is_terminal(sys.stderr))
    for path in inputs.left_out:
        print(f"left out: {printable(str(path))} cannot be read here; convert it: {reader.convert}", file=sys.stderr)
    with scan_folder(arguments.out, made_with) as folder:
        to_do_seconds = seconds_to_do(inputs.files, reader, folder)
        progress = Progress(screen=screen, all_seconds=to_do_seconds, clock=time.monotonic,
                            started_at_seconds=time.monotonic())  # fmt: skip
        try:
            done = scan_all(inputs.files, reader, verified, spec, folder, progress)
        except KeyboardInterrupt:
            progress.clear()
            print("interrupted; the same command goes on at this recording", file=sys.stderr)
            return INTERRUPTED
    told = summary(done, inputs, made_with, arguments.out, speed=progress.speed() if done.scanned else 0.0)
    print(json.dumps(told, indent=1) if arguments.json else text(told))
    return AudioFormatError.exit_code if done.failed else 0


def add_parser(commands: Any, *, reader: Reader = WAV, program: str = "device") -> argparse.ArgumentParser:
    """Add the command ``scan`` of this ``program`` to the sub-parsers ``commands``; its ``action`` takes the parsed
    arguments."""
    about = (
        "Run the door over recordings of any length: whom it would have let in, when, and how often. Opens nothing; "
        f"replay, hours and button are not asked. It reads {reader.forms}; others must be converted, for example with "
        "ffmpeg. A scan that was stopped goes on with the first recording that is not finished."
    )
    parser: argparse.ArgumentParser = commands.add_parser(
        "scan", help="Run the door over long recordings: who, when, how often.", description=about,
        epilog=f"Example: python -m {program} scan porch-monday.wav older/ --out scan. {EXIT_CODES}",
    )  # fmt: skip
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="recordings, or folders of them")
    parser.add_argument("--out", type=Path, default=Path("scan"),
                        help="folder of results.csv (a row a stretch) and files.csv (default: scan)")  # fmt: skip
    parser.add_argument("--gap", type=float, default=None, metavar="SECONDS",
                        help="longer without its resident ends an event (default: a visit's, 8)")  # fmt: skip
    parser.add_argument("--bundle", type=Path, default=None, help="another bundle than the configured one")
    parser.add_argument(
        "--config", type=Path, default=None, help="the daemon's configuration: its bundle and thresholds"
    )
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(action=_command, parser=parser, reader=reader)
    return parser
