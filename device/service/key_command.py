"""``voicelatch key``: the keys that may sign bundles for a door. Make, sign with, trust and list them."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

from device.errors import ConfigError
from device.service.config import read_config
from device.service.trust import Trust, trust_of
from device.service.where import DEFAULT_CONFIG
from device.terminal.bars import printable
from device.verdict.signing import make_key, read_signer, sign_bundle
from device.verdict.trusted_keys import DEFAULT_TRUSTED_KEYS, read_public, read_trusted, trust_key

EXIT_CODES = "Exit codes: 0 done, 2 wrong command line, 65 unusable bundle, 73 cannot write, 78 wrong key."


def add_parser(commands: Any) -> None:
    """Add the command ``key`` to the sub-parsers ``commands``; its ``action`` takes the parsed arguments."""
    text = "Keys that may sign bundles: make one, sign with it, trust one, list those this door trusts."
    parser = commands.add_parser(
        "key", help=text, description=text,
        epilog=f"Example: sudo python -m device key trust workshop.pub. {EXIT_CODES}",
    )  # fmt: skip
    what = parser.add_subparsers(dest="what", required=True)

    text = "Make a key pair: FILE for its owner alone, and FILE.pub, the line that doors trust."
    make = what.add_parser("make", help=text, description=text,
                           epilog=f"Example: python -m device key make door.key. {EXIT_CODES}")  # fmt: skip
    make.add_argument("file", type=Path, metavar="FILE", help="the private key; it must not exist yet")
    make.add_argument("--name", default="", help="whose key it is; part of the public line (default: FILE's name)")
    make.set_defaults(action=_make)

    text = "Sign a bundle as it is, once it has been found whole."
    example = "python -m device key sign models --key door.key"
    sign = what.add_parser("sign", help=text, description=text, epilog=f"Example: {example}. {EXIT_CODES}")
    sign.add_argument(
        "bundle", type=Path, metavar="BUNDLE", help="a bundle, or a models folder whose current one it is"
    )
    sign.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key")
    sign.set_defaults(action=_sign)

    text = "Let a key sign bundles for this door; reload the daemon afterwards."
    trust = what.add_parser("trust", help=text, description=text,
                            epilog=f"Example: sudo python -m device key trust workshop.pub. {EXIT_CODES}")  # fmt: skip
    trust.add_argument("key", nargs="+", metavar="LINE_OR_FILE", help="the public line, or a file that holds it")
    trust.add_argument("--name", default="", help="whose key it is (default: what the line says)")
    _add_trusted_keys(trust, default=DEFAULT_TRUSTED_KEYS)
    trust.set_defaults(action=_trust)

    text = "List the keys that this door trusts."
    listed = what.add_parser("list", help=text, description=text,
                             epilog=f"Example: python -m device key list --json. {EXIT_CODES}")  # fmt: skip
    where = listed.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, default=None,
                       help=f"the daemon's configuration (default: {DEFAULT_CONFIG}, where it is)")  # fmt: skip
    _add_trusted_keys(where, default=None)
    listed.add_argument("--json", action="store_true", help="print JSON")
    listed.set_defaults(action=_list)


def _add_trusted_keys(parser: Any, *, default: Path | None) -> None:
    parser.add_argument("--trusted-keys", type=Path, default=default, metavar="PATH",
                        help=f"the file of trusted keys (default: {DEFAULT_TRUSTED_KEYS})")  # fmt: skip


def _make(arguments: argparse.Namespace) -> int:
    public = make_key(arguments.file, name=arguments.name or arguments.file.stem)
    print(f"{arguments.file}: the private key; whoever has it can open the doors that trust it")
    print(f"{arguments.file}.pub: the line for: sudo voicelatch key trust LINE")
    print(public.line())
    return 0


def _sign(arguments: argparse.Namespace) -> int:
    signer = read_signer(arguments.key)
    folder = sign_bundle(arguments.bundle, signer)
    print(f"{folder}: signed by {signer.public.id}")
    return 0


def _trust(arguments: argparse.Namespace) -> int:
    # A line that was given without quotation marks arrives word by word.
    key = read_public(" ".join(arguments.key))
    added = trust_key(arguments.trusted_keys, key, name=arguments.name)
    note = "trusted; reload the daemon: systemctl reload voicelatch" if added else "trusted already"
    print(f"{arguments.trusted_keys}: {key.id} {printable(arguments.name or key.comment)}: {note}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    trust = _asked(arguments)
    if arguments.json:
        keys = [{"id": each.id, "name": each.comment} for each in trust.keys]
        print(json.dumps({"allow_unsigned": trust.allow_unsigned, "keys": keys}, indent=1))
        return 0
    for each in trust.keys:
        print(f"{each.id}  {printable(each.comment)}")
    if not trust.keys:
        print(f"no key is trusted ({trust.listed_in}); next: sudo voicelatch key trust LINE")
    if trust.allow_unsigned:
        print("CAREFUL: bundles without a signature are accepted too ([model] allow_unsigned)")
    return 0


def _asked(arguments: argparse.Namespace) -> Trust:
    if arguments.trusted_keys is not None:
        return Trust(keys=read_trusted(arguments.trusted_keys), listed_in=str(arguments.trusted_keys))
    config: Path = arguments.config or DEFAULT_CONFIG
    if not os.access(config, os.R_OK):
        raise ConfigError("the configuration cannot be read", where=str(config),
                          next_step="name it: --config FILE; or name the keys: --trusted-keys PATH")  # fmt: skip
    return trust_of(read_config(config).model)
