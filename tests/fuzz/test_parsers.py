"""Any bytes are a valid value or a clean error, in seconds here and in minutes by ``python -m tests.fuzz.long``."""

import io
import json
import math
import random
import tomllib
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from device.errors import BundleError, ConfigError, VoicelatchError
from device.service.config import Config
from device.settings import parse_settings, settings_from
from device.sound.wavfile import read_wav
from device.verdict.manifest import parse_manifest
from tests.conftest import ROOT
from tests.fuzz.mutate import mutate
from tests.fuzz.targets import DEMO, Target, check, targets, wav, without_lists

# Not by chance: what fails here fails for everybody.
FUZZ = settings(max_examples=120, deadline=None, derandomize=True, database=None,
                suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])  # fmt: skip
NAMES = ("sums", "signature", "keys", "manifest", "npz", "npy", "config", "recipe", "status", "memory", "pointer",
         "wav", "bundle", "live", "events")  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Target]:
    return targets(tmp_path_factory.mktemp("fuzz"))


def test_every_target_is_run_and_its_seeds_are_valid(made: dict[str, Target]) -> None:
    assert set(made) == set(NAMES)
    for name, target in made.items():
        for seed in target.seeds:
            found = check(target, seed)
            if name == "bundle" and seed == bytes([4]):
                # Nobody signed it: the signature is looked at there.
                assert isinstance(found, BundleError)
            elif name == "pointer":
                assert isinstance(found, Path)
            else:
                assert not isinstance(found, Exception), f"{name}: {found}"


@pytest.mark.parametrize("name", NAMES)
def test_any_bytes_are_a_value_or_a_clean_error(made: dict[str, Target], name: str) -> None:
    @FUZZ
    @given(st.binary(max_size=400))
    def run(content: bytes) -> None:
        check(made[name], content)

    run()


@pytest.mark.parametrize("name", NAMES)
def test_valid_input_with_small_damage_is_a_value_or_a_clean_error(made: dict[str, Target], name: str) -> None:
    rng, target = random.Random(name), made[name]
    for _ in range(250):
        seed = rng.choice(target.seeds)
        check(target, mutate(seed, rng, other=rng.choice(target.seeds)))


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.just(10**400)
    | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
SHIPPED: dict[str, Any] = json.loads(without_lists((DEMO / "manifest.json").read_bytes()))


def places(table: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = table.items() if isinstance(table, dict) else enumerate(table) if isinstance(table, list) else ()
    return [path] * bool(path) + [found for key, value in inner for found in places(value, (*path, key))]


def replaced(table: Any, path: tuple[Any, ...], value: object) -> Any:
    if not path:
        return value
    copy = table.copy()
    copy[path[0]] = replaced(table[path[0]], path[1:], value)
    return copy


@FUZZ
@given(st.sampled_from(places(SHIPPED)), ANYTHING)
def test_a_manifest_with_anything_anywhere_is_refused_or_has_the_right_types(
    path: tuple[Any, ...], value: object
) -> None:
    content = json.dumps(replaced(SHIPPED, path, value)).encode()
    try:
        manifest = parse_manifest(content, where="m")
    except BundleError as error:
        str(error).encode()
        return
    limits = manifest.thresholds
    assert {type(each) for each in (limits.open_llr, limits.refuse_llr, manifest.calibration.slope)} == {float}
    assert {type(each) for each in (limits.max_clips, manifest.sequence, limits.validation_visits)} == {int}
    assert all(type(each) is str and each for each in (*manifest.residents, manifest.name))
    assert limits.open_llr > limits.refuse_llr
    assert limits.max_clips >= 1


SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "systemd/voicelatch.toml").read_text())


@FUZZ
@given(st.sampled_from(places(SETTINGS)), ANYTHING)
@example(("relay", "open_seconds"), 10**400)
@example(("relay", "pin"), 2 << 20_000)
@example(("policy", "wait_seconds"), math.nan)
@example(("model", "bundle"), "models\0")
@example(("relay",), [[2 << 20_000]])
@example(("relay",), {"\ud800": 1})
@example(("model", "bundle"), "\ud800")
def test_settings_with_anything_anywhere_are_made_or_refused(path: tuple[Any, ...], value: object) -> None:
    try:
        told: Config | ConfigError = settings_from(replaced(SETTINGS, path, value), Config, where="c")
    except ConfigError as error:
        told = error
    # An error shows what it received, but not all of it.
    assert len(str(told).encode("utf-8")) < 5_000
    if isinstance(told, ConfigError):
        return
    assert 0.2 <= told.relay.open_seconds <= 10.0
    assert "\0" not in told.model.bundle


@pytest.mark.parametrize("content", [b"a." * 12_000 + b"a = 1\n", b"#" * (1 << 18) + b"\n"])
def test_settings_that_would_take_the_parser_minutes_are_refused_unparsed(
    content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("device.toml_text.tomllib.loads", lambda _text: pytest.fail("parsed"))
    with pytest.raises(ConfigError, match="too l"):
        parse_settings(content, Config, where="c")


@pytest.mark.parametrize("declared", [2**31 - 2, 2**32 - 2, 10**6])
def test_a_wav_file_that_declares_more_than_it_has_takes_no_memory_for_it(tmp_path: Path, declared: int) -> None:
    content = wav().replace((80).to_bytes(4, "little"), declared.to_bytes(4, "little"))
    # The whole file's declared size would otherwise bound that of the sound.
    (tmp_path / "a.wav").write_bytes(content[:4] + b"\xff\xff\xff\xff" + content[8:])
    tracemalloc.start()
    try:
        if declared > 10**9:
            # A recorder to a pipe names so much: what is there is the sound.
            assert len(read_wav(tmp_path / "a.wav")) == 40
        else:
            with pytest.raises(VoicelatchError):
                read_wav(tmp_path / "a.wav")
        assert tracemalloc.get_traced_memory()[1] < 500_000
    finally:
        tracemalloc.stop()


def test_a_wav_file_too_large_to_hold_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    path.write_bytes(wav())
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    with pytest.raises(VoicelatchError, match="too large"):
        read_wav(path)


def test_a_folder_of_bombs_is_refused_within_little_memory(made: dict[str, Target]) -> None:
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in ("prototypes", "owners", "cohort"):
            archive.writestr(f"{name}.npy", b"\0" * 30_000_000)
    tracemalloc.start()
    try:
        assert isinstance(check(made["bundle"], bytes([1]) + bomb.getvalue()), BundleError)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
