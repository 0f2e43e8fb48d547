"""``manifest.json``, read strictly: every number, name and limit that the door relies on has its type and its range.

A wrong value is found here, with its place in the file, and not at the first visitor; limits.py has the
ranges. Keys that the door does not use (where the bundle comes from) may hold anything.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, TypeVar, get_type_hints

from device.errors import BundleError, ConfigError
from device.names import ALLOWED, normalise, problem_of, repeated
from device.sound.logmel import FrontendSpec
from device.sound.segmenter import SegmenterSpec
from device.sound.vad import VadSpec
from device.verdict.files import REPUBLISH, as_text
from device.verdict.golden import Tolerance
from device.verdict.head import Calibration
from device.verdict.interpreter import TensorSpec
from device.verdict.limits import BAD, LARGEST, require_within

SCHEMA = 2
MAX_RESIDENTS = 1000
# A front-end within this cannot fill a small board's memory; the shipped one needs 152 064 values.
MAX_SPECTRUM_VALUES = 4_000_000
_Made = TypeVar("_Made")


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Natural-log likelihood ratios, and where they come from: the false accept rate aimed at on validation
    strangers, its 95 % upper bound there, and how many speakers and visits that rests on."""

    open_llr: float
    refuse_llr: float
    max_clips: int
    target_far: float
    far_upper_bound: float
    validation_speakers: int
    validation_visits: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Manifest:
    """What the door takes from the file; ``raw`` is all of it."""

    name: str
    sequence: int
    frontend: FrontendSpec
    vad: VadSpec
    segmenter: SegmenterSpec
    input: TensorSpec
    output: TensorSpec
    residents: tuple[str, ...]
    calibration: Calibration
    thresholds: Thresholds
    tolerances: Mapping[str, Tolerance]
    raw: Mapping[str, Any]


def parse_manifest(content: bytes, *, where: str) -> Manifest:
    """The manifest of a bundle. Raises :class:`BundleError` naming the first field that is not acceptable."""
    try:
        raw = json.loads(as_text(content, where), object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        # A decoding error names a place, and no content.
        raise _bad(where, Shown(f"{type(error).__name__}: {error}"), "JSON") from error
    raw = _table(raw, where, "the manifest")
    if _get(raw, "schema", where) != SCHEMA or isinstance(raw["schema"], bool):
        raise BundleError("another format", where=f"{where}: schema", received=_shown(raw["schema"]),
                          allowed=str(SCHEMA), next_step="update the program or publish again")  # fmt: skip
    frontend = _spec(FrontendSpec, raw, "frontend", where)
    values = frontend.frames * frontend.fft_samples
    if values > MAX_SPECTRUM_VALUES:
        raise _bad(f"{where}: frontend.spec", Shown(f"{values} values of a spectrum"), f"at most {MAX_SPECTRUM_VALUES}")
    tensors = _table(_get(raw, "tensors", where), where, "tensors")
    made = Manifest(
        name=_name(_get(raw, "name", where), f"{where}: name"),
        sequence=_whole(_get(raw, "sequence", where), "sequence", f"{where}: sequence"),
        frontend=frontend,
        vad=_spec(VadSpec, raw, "vad", where),
        segmenter=_spec(SegmenterSpec, raw, "segmenter", where),
        input=_tensor(_get(tensors, "input", f"{where}: tensors"), f"{where}: tensors.input"),
        output=_tensor(_get(tensors, "output", f"{where}: tensors"), f"{where}: tensors.output"),
        residents=_residents(_get(raw, "residents", where), f"{where}: residents"),
        calibration=_fields(Calibration, _get(raw, "calibration", where), "calibration", where),
        thresholds=_thresholds(_get(raw, "thresholds", where), where),
        tolerances=_tolerances(_get(raw, "golden", where), f"{where}: golden"),
        raw=raw,
    )
    if made.input.shape != frontend.shape:
        raise BundleError(
            "the model is of another front-end",
            where=f"{where}: tensors.input.shape",
            received=list(made.input.shape),
            allowed=str(list(frontend.shape)),
            next_step=REPUBLISH,
        )
    return made


def _spec(kind: type[_Made], raw: Mapping[str, Any], key: str, where: str) -> _Made:
    place = f"{where}: {key}"
    table = _table(_get(raw, key, where), where, key)
    try:
        made: Any = _fields(kind, _get(table, "spec", place), f"{key}.spec", where)
    except ConfigError as error:
        raise _bad(f"{place}.spec", Shown(f"{error.where}: {error.what}"), "what this program can compute") from error
    here, bundled = made.fingerprint(), _get(table, "fingerprint", place)
    if bundled != here:
        raise BundleError(
            f"the model was made with another {key} than this program has",
            where=f"{place}.fingerprint",
            received=bundled if _is_fingerprint(bundled) else _shown(bundled),
            allowed=here,
            next_step="publish the bundle with the same version of the program as on the device",
        )
    return made  # type: ignore[no-any-return]


def _fields(kind: type[_Made], table: Any, section: str, file: str) -> _Made:
    """A dataclass of numbers from a table of its fields, each of its type and within its range. A field with a default
    may be absent."""
    where = f"{file}: {section}"
    table, types = _table(table, where, ""), get_type_hints(kind)
    known = {each.name: each.default is MISSING for each in fields(kind)}  # type: ignore[arg-type]
    needed = {name for name, required in known.items() if required}
    if not needed <= set(table) <= set(known):
        wrong = sorted({*needed - set(table), *set(table) - set(known)})[0]
        raise _bad(where, Shown(f"{'no' if wrong in known else 'a field'} {wrong[:40]!a}"),
                   f"the fields {', '.join(known)}")  # fmt: skip
    values = {name: _value(table[name], types[name], f"{where}.{name}") for name in table}
    for name, value in values.items():
        if types[name] in (int, float):
            require_within(f"{section}.{name}", value, where=f"{where}.{name}")
    return kind(**values)


def _thresholds(table: Any, file: str) -> Thresholds:
    made = _fields(Thresholds, table, "thresholds", file)
    if not made.refuse_llr < made.open_llr:
        raise _bad(f"{file}: thresholds", Shown(f"open_llr {made.open_llr}, refuse_llr {made.refuse_llr}"),
                   "open_llr above refuse_llr")  # fmt: skip
    return made


def _tensor(table: Any, where: str) -> TensorSpec:
    table = _table(table, where, "")
    shape = _get(table, "shape", where)
    if not isinstance(shape, list) or not 1 <= len(shape) <= 4:
        raise _bad(f"{where}.shape", shape, "1 to 4 lengths")
    lengths = tuple(_whole(each, "tensors.shape", f"{where}.shape") for each in shape)
    scale = _value(_get(table, "scale", where), float, f"{where}.scale")
    require_within("tensors.scale", scale, where=f"{where}.scale")
    dtype = table.get("dtype", "int8")
    if dtype not in ("int8", "float32"):
        raise _bad(f"{where}.dtype", dtype, "int8 or float32")
    zero_point = _whole(_get(table, "zero_point", where), "tensors.zero_point", f"{where}.zero_point")
    return TensorSpec(lengths, scale, zero_point, dtype)


def _residents(names: Any, where: str) -> tuple[str, ...]:
    if not isinstance(names, list) or not 1 <= len(names) <= MAX_RESIDENTS:
        raise _bad(where, names, f"a list of 1 to {MAX_RESIDENTS} names")
    for each in names:
        if not isinstance(each, str) or problem_of(normalise(each)):
            raise _bad(where, ascii(each)[:200], f"a name: {ALLOWED}")
    twins = repeated(names)
    if twins:
        raise _bad(where, ", ".join(twins), "each person once, however the letters are composed")
    return tuple(map(normalise, names))


def _name(value: Any, where: str) -> str:
    # The two joiners are part of names in some scripts; other invisible characters could disguise one in a log.
    if (
        not isinstance(value, str)
        or not 0 < len(value.strip()) <= len(value) <= 100
        or not all(each.isprintable() or each in "\u200c\u200d" for each in value)
    ):
        raise _bad(where, value, "a name of 1 to 100 printable characters")
    return value


def _tolerances(table: Any, where: str) -> dict[str, Tolerance]:
    """``tolerance_steps`` by runtime for an int8 network, ``tolerance`` by runtime for one that answers in float."""
    table = _table(table, where, "")
    if "tolerance" in table:
        by_runtime = _table(table["tolerance"], where, "tolerance")
        return {name: _direction(each, f"{where}.tolerance.{name[:40]!a}") for name, each in by_runtime.items()}
    steps = _table(_get(table, "tolerance_steps", where), where, "tolerance_steps")
    place = f"{where}.tolerance_steps"
    return {name: Tolerance(steps=_whole(each, "golden.tolerance_steps", place)) for name, each in steps.items()}


def _direction(table: Any, where: str) -> Tolerance:
    table = _table(table, where, "")
    values = {}
    for key in ("least_cosine", "largest_difference"):
        values[key] = _value(_get(table, key, where), float, f"{where}.{key}")
        require_within(f"golden.{key}", values[key], where=f"{where}.{key}")
    return Tolerance(**values)


def _value(value: Any, kind: type, where: str) -> Any:
    # A bool is an int to Python, not to a manifest; an int is a float where it is one exactly.
    if kind is bool and isinstance(value, bool):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST and kind in (int, float):
        return kind(value)
    # Not finite alone: a slope of 1e300 would make the evidence infinite.
    if kind is float and isinstance(value, float) and abs(value) <= LARGEST:
        return value
    if kind is str and isinstance(value, str) and len(value) <= 100:
        return value
    allowed = {int: "a whole number", float: f"a number of at most {LARGEST:g} either way", bool: "true or false",
               str: "a word"}  # fmt: skip
    raise _bad(where, value, allowed[kind])


def _whole(value: Any, key: str, where: str) -> int:
    number = _value(value, int, where)
    require_within(key, number, where=where)
    return int(number)


def _table(value: Any, where: str, key: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _bad(f"{where}: {key}" if key else where, value, "a table")
    return value


def _get(table: Mapping[str, Any], key: str, where: str) -> Any:
    if key not in table:
        raise _bad(where, Shown(f"no {key}"), f"a field {key}")
    return table[key]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands twice in one table")
    return table


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _bad(where: str, received: object, allowed: str) -> BundleError:
    told = received if isinstance(received, Shown) else _shown(received)
    return BundleError(BAD, where=where, received=told, allowed=allowed, next_step=REPUBLISH)


class Shown(str):
    """A sentence of ours, which goes into a message as it is."""

    __slots__ = ()


def _shown(value: object) -> str:
    """A number as it is, of everything else its kind and size: a message goes to the journal and over the network."""
    if isinstance(value, int | float) and abs(value) < 2**64:
        return str(value)
    size = f" of length {len(value)}" if isinstance(value, str | list | dict) else ""
    return f"a value of type {type(value).__name__}{size}"


def _is_fingerprint(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z]{1,20}-\d{1,3}:[0-9a-f]{16}", value) is not None
