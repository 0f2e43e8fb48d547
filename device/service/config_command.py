"""``voicelatch config explain | show | check``: what a key means, what is in force, whether everything is right."""

from __future__ import annotations

import argparse
import json
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from device.service.config import AROUND, Config, read_config
from device.service.config_guide import KeyGuide, as_toml, find, guide, tables
from device.service.where import DEFAULT_CONFIG

EXIT_CODES = "Exit codes: 0 done, 2 wrong command line, 78 wrong configuration or no such key."
# A path to a secret is none.
_SECRET = re.compile(r"(password|passphrase|secret|token|hash|private)(?!.*_file$)")
MASK = "********"


def explained(keys: Sequence[KeyGuide]) -> str:
    """Keys for a person; a text that several share is told once, below the last of them that is asked for."""
    parts = []
    for place, each in enumerate(keys):
        allowed = f", {each.allowed}" if each.allowed else ""
        default = f"default {each.default}" if each.default else "must be set"
        parts.append(f"{each.key}: {each.kind}{allowed}; {default}")
        if place + 1 < len(keys) and keys[place + 1].key in each.shared_with:
            continue
        parts += textwrap.wrap(each.text, 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
        unasked = [other for other in each.shared_with if all(other != one.key for one in keys)]
        parts += [f"  (of {', '.join(unasked)} as well)"] if unasked else []
        parts.append("")
    return "\n".join(parts[:-1])


def shown(config: Config, *, everything: bool) -> str:
    """The configuration as TOML, secrets masked: every value in force, or only those that are not the defaults."""
    defaults = {key: each.default for key, each in guide().items()}
    blocks = []
    for table, values in asdict(config).items():
        rows = values if isinstance(values, list | tuple) else [values]
        for row in rows:
            lines = [f"{key} = {text}" for key, text in _written(row)
                     if everything or text != defaults[f"{table}.{key}"]]  # fmt: skip
            if lines or (everything and row is values):
                header = f"[{table}]" if row is values else f"[[{table}]]"
                blocks.append("\n".join([header, *lines]))
    return "\n\n".join(blocks) + "\n"


def _written(row: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for key, value in row.items():
        yield key, as_toml(MASK if value and _SECRET.search(key) else value)


def _explain(arguments: argparse.Namespace) -> int:
    found = find(arguments.key) if arguments.key else list(guide().values())
    if arguments.json:
        print(json.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False))
        return 0
    if arguments.key:
        print(explained(found))
        return 0
    for table in tables():
        keys = ", ".join(each.key.split(".")[1] for each in found if each.key.startswith(f"{table}."))
        print("\n".join(textwrap.wrap(f"{table}: {keys}", 100, subsequent_indent="  ")))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    config = read_config(arguments.config, needs=AROUND)
    if arguments.json:
        masked = {name: [dict(_masked(each)) for each in table] if isinstance(table, list | tuple)
                  else dict(_masked(table)) for name, table in asdict(config).items()}  # fmt: skip
        print(json.dumps(masked, indent=1, ensure_ascii=False))
        return 0
    print(shown(config, everything=arguments.effective), end="")
    return 0


def _masked(row: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    for key, value in row.items():
        yield key, MASK if value and _SECRET.search(key) else value


def add_parser(commands: Any, check: Callable[[argparse.Namespace], int]) -> argparse.ArgumentParser:
    """Add the command ``config`` to the sub-parsers ``commands``; ``check`` is the action of the command of this name,
    which takes ``config``, ``bundle``, ``simulate``, ``as_service`` and ``json``."""
    text = "Explain keys of the configuration, show what is in force, check that it is right."
    parser: argparse.ArgumentParser = commands.add_parser(
        "config",
        help=text,
        description=text,
        epilog=f"Example: python -m device config explain policy.lock_out_seconds. {EXIT_CODES}",
    )
    what = parser.add_subparsers(dest="what", required=True)

    def add(name: str, action: Callable[[argparse.Namespace], int], told: str, example: str) -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = what.add_parser(
            name, help=told, description=told, epilog=f"Example: python -m device config {example}"
        )
        made.add_argument("--json", action="store_true", help="print JSON")
        made.set_defaults(action=action)
        return made

    explain = add("explain", _explain, "What a key means, what it may hold, and its default.", "explain relay.pin")
    explain.add_argument("key", nargs="?", default="", help="such as relay.pin, or a table; without: all names")
    show = add("show", _show, "The configuration as it is read, as TOML.", "show --effective")
    show.add_argument("--effective", action="store_true", help="every value in force, not only what differs")
    checker = add("check", check, "The same as `check --config FILE`.", "check")
    checker.add_argument("--simulate", action="store_true", help="leave microphone and relay out")
    checker.add_argument("--as-service", action="store_true", help="in the daemon's own sandbox, as its own user")
    checker.set_defaults(bundle=None)
    for made in (show, checker):
        made.add_argument("--config", type=Path, default=DEFAULT_CONFIG, help=f"a TOML file ({DEFAULT_CONFIG})")
    return parser
