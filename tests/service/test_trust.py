"""Only bundles of listed keys, and never an older one that nobody allowed: at start, at reload, in the commands."""

import json
import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from device.errors import BundleError, ConfigError, StateError
from device.ports import Relay
from device.service import cli
from device.service.check import check_all
from device.service.config import ModelConfig, read_config
from device.service.daemon import Hardware, build_door, reload_door
from device.service.trust import NAME, Trust, recall, state_folder, trust_of
from device.simulated.clock import ManualClock
from device.simulated.events import RecordedEvents
from device.simulated.microphone import SimulatedMicrophone
from device.simulated.relay import SimulatedRelay
from device.simulated.supervisor import RecordedSupervisor
from device.verdict.bundle import SUMS, point_current, write_bundle
from device.verdict.files import SIGNATURE
from training.keys import PRIVATE_FILE, PUBLIC_FILE, Signer, make_keys, read_signer

Publish = Callable[..., str]


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_keys(tmp_path / "keys", comment="the workshop")
    return read_signer(tmp_path / "keys" / PRIVATE_FILE)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("STATE_DIRECTORY", str(folder))
    return folder


@pytest.fixture
def publish(tmp_path: Path, models: Path, signer: Signer) -> Publish:
    """Write ``models/NAME-SEQUENCE`` and make it the current one; signed by ``by`` (None: not at all)."""
    shipped = {
        each.name: each.read_bytes() for each in (models / "demo").iterdir() if each.name not in (SUMS, SIGNATURE)
    }

    def make(sequence: int, *, name: str = "household", by: Signer | None = signer) -> str:
        manifest = json.loads(shipped["manifest.json"]) | {"name": name, "sequence": sequence}
        files = {**shipped, "manifest.json": json.dumps(manifest).encode()}
        folder = f"{name}-{sequence}"
        write_bundle(tmp_path / "models" / folder, files, sign=by.sign if by is not None else None)
        point_current(tmp_path / "models", folder)
        return folder

    return make


@pytest.fixture
def config(tmp_path: Path, signer: Signer) -> Path:
    path = tmp_path / "voicelatch.toml"
    path.write_text(
        f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{tmp_path / "models"}"\n'
        f'trusted_keys = ["{signer.public.line()} the workshop"]\n'
    )
    return path


def hardware() -> Hardware:
    clock = ManualClock()
    return Hardware(microphone=SimulatedMicrophone([], clock=clock), relay=SimulatedRelay(clock), clock=clock,
                    supervisor=RecordedSupervisor(), events=RecordedEvents())  # fmt: skip


def real() -> Hardware:
    """The same with a relay that is none of the simulated ones."""
    things = hardware()
    return replace(things, relay=cast("Relay", Wired(things.relay)))


class Wired:
    """A relay that could open a door, as far as anybody can tell."""

    def __init__(self, inner: Relay) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def fail_to_write(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def start(config: Path) -> None:
    build_door(read_config(config), hardware())


def test_a_signed_bundle_starts_and_is_remembered_for_the_daemon_alone(
    config: Path, publish: Publish, state: Path
) -> None:
    publish(7)
    start(config)
    assert recall(state).highest.sequence == 7
    assert stat.S_IMODE((state / NAME).stat().st_mode) == 0o600
    assert [each.name for each in state.iterdir()] == [NAME]


@pytest.mark.parametrize("known", [True, False])
def test_unsigned_and_foreign_bundles_do_not_start(
    config: Path, publish: Publish, state: Path, tmp_path: Path, known: bool
) -> None:
    if known:
        publish(7)
        start(config)
    make_keys(tmp_path / "other")
    publish(8, by=None)
    with pytest.raises(BundleError, match="is not signed"):
        start(config)
    publish(9, by=read_signer(tmp_path / "other" / PRIVATE_FILE))
    with pytest.raises(BundleError, match="does not trust"):
        start(config)
    assert recall(state).highest.sequence == (7 if known else 0)


def test_a_bad_signature_at_reload_leaves_the_old_bundle_in_service(
    config: Path, publish: Publish, state: Path, tmp_path: Path
) -> None:
    publish(7)
    things = hardware()
    door = build_door(read_config(config), things)
    scorer = door.scorer
    publish(8, by=None)
    reload_door(door, config, things)
    publish(6)
    reload_door(door, config, things)
    folder = publish(9)
    shutil.copy(tmp_path / "models/household-7" / SIGNATURE, tmp_path / "models" / folder / SIGNATURE)
    reload_door(door, config, things)
    reasons = [event.details["reason"] for event in things.events.of("reload_refused")]  # type: ignore[attr-defined]
    for expected, reason in zip(("is not signed", "is older than", "altered after"), reasons, strict=True):
        assert expected in str(reason)
        assert "next:" in str(reason)
    assert door.scorer is scorer
    publish(10)
    reload_door(door, config, things)
    assert door.scorer is not scorer
    assert recall(state).highest.sequence == 10


def test_an_older_bundle_is_refused_under_any_name_and_the_same_one_is_not(
    config: Path, publish: Publish, state: Path
) -> None:
    publish(7)
    start(config)
    start(config)
    publish(6, name="another")
    with pytest.raises(BundleError, match=r"another #6[\s\S]*household #7 was accepted"):
        start(config)
    publish(7, name="another")
    with pytest.raises(BundleError, match=r"another bundle with the number[\s\S]*another #7, of other content"):
        start(config)


def test_another_content_under_the_accepted_number_passes_only_where_an_operator_says_so(
    config: Path, publish: Publish, state: Path, tmp_path: Path
) -> None:
    publish(7)
    start(config)
    other = publish(7, name="another")
    assert cli.main(["use", other, "--models", str(tmp_path / "models"), "--config", str(config)]) == 65
    use = ["use", other, "--models", str(tmp_path / "models"), "--config", str(config), "--allow-downgrade"]
    assert cli.main(use) == 0
    start(config)
    # What was accepted first goes on being accepted.
    point_current(tmp_path / "models", "household-7")
    start(config)


def test_the_configuration_can_let_any_older_bundle_in(config: Path, publish: Publish, state: Path) -> None:
    publish(7)
    start(config)
    publish(6)
    config.write_text(config.read_text() + "allow_downgrade = true\n")
    start(config)
    assert recall(state).highest.sequence == 7


def test_an_operator_lets_one_older_bundle_in_until_a_newer_one_was_accepted(
    config: Path, publish: Publish, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older, oldest = publish(6), publish(5)
    publish(7)
    start(config)
    use = ["use", "--models", str(tmp_path / "models")]
    assert cli.main([*use, older, "--allow-downgrade"]) == 0
    assert "may be older" in capsys.readouterr().out
    start(config)
    assert cli.main([*use, oldest]) == 0
    with pytest.raises(BundleError, match="is older than"):
        start(config)
    publish(8)
    start(config)
    assert cli.main([*use, older, "--json"]) == 0
    with pytest.raises(BundleError, match="is older than"):
        start(config)


def test_use_with_a_configuration_refuses_what_the_daemon_would(
    config: Path, publish: Publish, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = publish(6)
    publish(8, by=None)
    current = publish(7)
    start(config)
    use = ["use", "--models", str(tmp_path / "models"), "--config", str(config), "--state-dir", str(state)]
    assert cli.main([*use, "household-8"]) == 65
    assert "not signed" in capsys.readouterr().err
    assert cli.main([*use, older]) == 65
    assert "is older than" in capsys.readouterr().err
    assert (tmp_path / "models/current").read_text().strip() == current
    assert cli.main([*use, older, "--allow-downgrade"]) == 0
    start(config)


def test_the_note_is_made_before_the_pointer_moves_and_without_it_the_pointer_stays(
    config: Path, publish: Publish, state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    older, current = publish(6), publish(7)
    start(config)
    monkeypatch.setattr("device.service.trust.replace_file", fail_to_write)
    assert cli.main(["use", older, "--models", str(tmp_path / "models"), "--allow-downgrade"]) == 73
    assert "run as the daemon's user" in capsys.readouterr().err
    assert (tmp_path / "models/current").read_text().strip() == current


def test_where_unsigned_bundles_are_allowed_the_door_remembers_nothing_and_check_says_so(
    config: Path, publish: Publish, state: Path
) -> None:
    lines = [line for line in config.read_text().splitlines() if "trusted_keys" not in line]
    config.write_text("\n".join([*lines, "allow_unsigned = true"]))
    publish(7, by=None)
    start(config)
    publish(6, by=None)
    start(config)
    assert list(state.iterdir()) == []
    found = {each.part: each for each in check_all(config, simulate=True)}
    assert "CAREFUL: its signature is not verified" in found["bundle"].text


def test_check_says_who_signed_and_remembers_nothing(
    config: Path, publish: Publish, state: Path, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(7)
    found = {each.part: each for each in check_all(config, simulate=True)}
    assert f"signed by {signer.public.id} the workshop" in found["bundle"].text
    assert list(state.iterdir()) == []
    start(config)
    publish(6)
    found = {each.part: each for each in check_all(config, simulate=True)}
    assert (found["bundle"].ok, found["bundle"].exit_code) == (False, 65)
    monkeypatch.delenv("STATE_DIRECTORY")
    assert "not known here" in {each.part: each for each in check_all(config, simulate=True)}["bundle"].text


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"highest": 7}', b'{"highest": {"sequence": "7"}}',
                                     b"[" * 10_000, b" " * 20_000, b'{"highest": {"sequence": -1}}'])  # fmt: skip
def test_a_memory_that_makes_no_sense_is_not_taken_for_none(
    config: Path, publish: Publish, state: Path, tmp_path: Path, content: bytes
) -> None:
    folder = publish(7)
    (state / NAME).write_bytes(content)
    with pytest.raises(StateError, match="cannot be recalled"):
        start(config)
    assert cli.main(["use", folder, "--models", str(tmp_path / "models"), "--allow-downgrade"]) == 0
    start(config)
    assert recall(state).highest.sequence == 7


def test_a_memory_that_cannot_be_written_is_said_and_the_door_goes_on(
    config: Path, publish: Publish, state: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(7)
    monkeypatch.setattr("device.service.trust.replace_file", fail_to_write)
    start(config)
    assert "cannot be remembered" in caplog.text


def test_a_link_in_the_state_directory_is_not_followed(config: Path, publish: Publish, state: Path) -> None:
    publish(7)
    victim = state.parent / "victim"
    victim.write_text("precious")
    os.symlink(victim, state / NAME)
    with pytest.raises(StateError, match="a symbolic link") as caught:
        start(config)
    assert "precious" not in str(caught.value)
    (state / NAME).unlink()
    # Whatever names stand there already: the note is made under one that nobody can guess.
    os.symlink(victim, state / f".{NAME}.new")
    start(config)
    assert victim.read_text() == "precious"
    assert not (state / NAME).is_symlink()


def test_keys_come_from_the_configuration_and_from_a_file(tmp_path: Path, signer: Signer) -> None:
    make_keys(tmp_path / "other")
    line = signer.public.line()
    file = tmp_path / "other" / PUBLIC_FILE
    both = ModelConfig(bundle="models", trusted_keys=(line,), trusted_keys_file=str(file))
    assert len(trust_of(both, {}).keys) == 2
    assert trust_of(ModelConfig(bundle="models", trusted_keys_file=""), {}) == Trust()
    file.write_text(f"{line}\n")
    assert trust_of(both, {}).keys == (signer.public,)
    file.write_text("# none yet\n")
    assert len(trust_of(both, {}).keys) == 1
    file.unlink()
    assert len(trust_of(both, {}).keys) == 1
    file.write_text("voicelatch-ed25519 scrypt:secret\n")
    with pytest.raises(ConfigError, match=":1: not a public key") as caught:
        trust_of(both, {})
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: os.symlink("/etc/shadow", path)])
def test_a_file_of_keys_that_is_no_file_is_refused_and_never_waited_for(
    tmp_path: Path, make: Callable[[Path], None]
) -> None:
    make(tmp_path / "trusted_keys")
    with pytest.raises(ConfigError, match=r"cannot be read[\s\S]*(folder|pipe|link)"):
        trust_of(ModelConfig(bundle="models", trusted_keys_file=str(tmp_path / "trusted_keys")), {})


@pytest.mark.parametrize(("content", "said"), [(None, "does not exist"), ("# none yet\n", "is there without any")])
def test_a_door_that_trusts_no_key_accepts_no_bundle_and_says_how_to_trust_one(
    tmp_path: Path, publish: Publish, state: Path, content: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, path = tmp_path / "trusted_keys", tmp_path / "door.toml"
    if content is not None:
        file.write_text(content)
    head = f'[relay]\npin = 17\npin_factory = "mock"\n[model]\nbundle = "{tmp_path / "models"}"\n'
    path.write_text(f'{head}trusted_keys_file = "{file}"\n')
    folder, things = publish(7), real()
    with pytest.raises(BundleError, match=rf"trusts no key yet[\s\S]*{said}") as caught:
        build_door(read_config(path), things)
    assert "voicelatch key trust LINE" in caught.value.next_step
    assert "voicelatch key sign BUNDLE --key FILE" in caught.value.next_step
    found = {each.part: each for each in check_all(path, simulate=True)}
    assert (found["bundle"].ok, found["bundle"].exit_code) == (False, 65)
    assert cli.main(["use", folder, "--models", str(tmp_path / "models"), "--config", str(path)]) == 65
    # The two commands of the message, as they stand there.
    assert cli.main(["key", "trust", str(tmp_path / "keys" / PUBLIC_FILE), "--trusted-keys", str(file)]) == 0
    assert build_door(read_config(path), things).serves["bundle_sequence"] == 7


def test_unsigned_bundles_are_accepted_where_the_configuration_says_so_and_on_a_relay_that_opens_nothing(
    tmp_path: Path, publish: Publish, state: Path, signer: Signer
) -> None:
    path = tmp_path / "door.toml"
    head = f'[relay]\npin = 17\n[model]\ntrusted_keys_file = ""\nbundle = "{tmp_path / "models"}"\n'
    publish(7, by=None)
    path.write_text(head)
    build_door(read_config(path), hardware())
    path.write_text(f"{head}allow_unsigned = true\n")
    build_door(read_config(path), real())
    # With a key as well: who signed must be known, but nobody need have.
    path.write_text(f'{head}allow_unsigned = true\ntrusted_keys = ["{signer.public.line()}"]\n')
    build_door(read_config(path), real())
    assert list(state.iterdir()) == []
    make_keys(tmp_path / "other")
    publish(8, by=read_signer(tmp_path / "other" / PRIVATE_FILE))
    with pytest.raises(BundleError, match="does not trust"):
        build_door(read_config(path), real())
    path.write_text(f'{head}trusted_keys = ["{signer.public.line()}"]\n')
    publish(9, by=None)
    for things in (real(), hardware()):
        with pytest.raises(BundleError, match="is not signed"):
            build_door(read_config(path), things)


def test_a_line_that_is_no_key_is_found_with_the_configuration(config: Path) -> None:
    config.write_text(config.read_text().replace("voicelatch-ed25519", "ssh-ed25519"))
    with pytest.raises(ConfigError, match=r"trusted_keys\[0\]: not a public key"):
        read_config(config)


def test_the_state_directory_is_the_one_asked_for_or_systemd_s_first() -> None:
    assert state_folder(Path("a"), {"STATE_DIRECTORY": "/b"}) == Path("a")
    assert state_folder(None, {"STATE_DIRECTORY": "/b:/c"}) == Path("/b")
    assert state_folder(None, {}) is None
