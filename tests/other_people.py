"""The shipped bundle with other names: who was Anna is somebody else, as after a refresh that lost her."""

from __future__ import annotations

import json
from pathlib import Path

from device.verdict.bundle import read_folder, write_folder


def renamed_bundle(models: Path, target: Path, names: dict[str, str], **manifest: object) -> Path:
    """A copy of ``models/demo`` as ``target`` in which residents are called otherwise; also further fields."""
    files = read_folder(models / "demo", ())
    table = json.loads(files["manifest.json"])
    table["residents"] = [names.get(each, each) for each in table["residents"]]
    write_folder(target, files | {"manifest.json": json.dumps(table | manifest).encode()})
    return target
