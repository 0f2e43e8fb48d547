"""Who signed it: keys, signatures, and what is refused before anything else is read."""

import base64
import stat
from pathlib import Path

import pytest

from device.errors import BundleError, ConfigError, StateError
from device.verdict.bundle import SUMS, load_bundle, write_bundle
from device.verdict.files import SIGNATURE, read_seal
from device.verdict.signature import PUBLIC, PublicKey, parse_key, parse_keys, parse_signature, verify_seal
from training.keys import PRIVATE_FILE, PUBLIC_FILE, Signer, make_keys, read_signer, sign_bundle

# RFC 8032, section 7.1, test 1: the key pair.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
PUBLIC_BYTES = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def pair(folder: Path) -> Signer:
    make_keys(folder, comment="the workshop")
    return read_signer(folder / PRIVATE_FILE)


@pytest.fixture
def files(models: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in (models / "demo").iterdir() if each.name not in (SUMS, SIGNATURE)}


def test_a_signed_bundle_loads_with_its_key_and_says_which(tmp_path: Path, files: dict[str, bytes]) -> None:
    ours, other = pair(tmp_path / "ours"), pair(tmp_path / "other")
    write_bundle(tmp_path / "b", files, sign=ours.sign)
    assert load_bundle(tmp_path / "b", keys=(other.public, ours.public)).signed_by == ours.public.id
    assert load_bundle(tmp_path / "b").signed_by == ""


def test_unsigned_foreign_and_altered_bundles_are_refused_before_anything_else_is_read(
    tmp_path: Path, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = pair(tmp_path / "ours"), pair(tmp_path / "other")
    write_bundle(tmp_path / "unsigned", files)
    write_bundle(tmp_path / "foreign", files, sign=other.sign)
    write_bundle(tmp_path / "altered", files, sign=ours.sign)
    signature = (tmp_path / "altered" / SIGNATURE).read_bytes()
    # Sums that are right for what is there, as somebody would make them who alters a file on purpose.
    write_bundle(tmp_path / "altered", {**files, "report.html": b"nothing to see"}, sign=lambda _sums: signature)
    monkeypatch.setattr("device.verdict.bundle.read_listed", lambda *_, **__: pytest.fail("read"))
    for name, reason in (
        ("unsigned", "is not signed"),
        ("foreign", "does not trust"),
        ("altered", "altered after it was signed"),
    ):
        with pytest.raises(BundleError, match=reason) as caught:
            load_bundle(tmp_path / name, keys=(ours.public,))
        assert caught.value.next_step


def test_a_foreign_key_under_a_trusted_id_does_not_pass(tmp_path: Path, files: dict[str, bytes]) -> None:
    ours, other = pair(tmp_path / "ours"), pair(tmp_path / "other")

    def forge(sums: bytes) -> bytes:
        return other.sign(sums).replace(other.public.id.encode(), ours.public.id.encode())

    write_bundle(tmp_path / "b", files, sign=forge)
    with pytest.raises(BundleError, match="altered after it was signed"):
        load_bundle(tmp_path / "b", keys=(ours.public,))


def test_a_signature_of_the_bare_sums_is_none_of_a_bundle(tmp_path: Path, files: dict[str, bytes]) -> None:
    from nacl.signing import SigningKey

    from device.verdict.signature import Signature

    public = PublicKey(PUBLIC_BYTES)
    write_bundle(
        tmp_path / "b", files, sign=lambda sums: Signature(public.id, SigningKey(SEED).sign(sums).signature).content()
    )
    with pytest.raises(BundleError, match="altered after"):
        verify_seal(read_seal(tmp_path / "b"), [public], where="b")


def test_the_key_of_the_standard_s_example_is_derived_from_its_seed(tmp_path: Path) -> None:
    path = tmp_path / "k"
    path.write_text(f"voicelatch-private {base64.b64encode(SEED).decode()}\n")
    path.chmod(0o600)
    assert read_signer(path).public.key == PUBLIC_BYTES


def test_a_pair_is_made_once_private_to_its_owner_and_read_back(tmp_path: Path) -> None:
    public = make_keys(tmp_path / "keys", comment="Zoë’s workshop")
    folder = tmp_path / "keys"
    assert sorted(each.name for each in folder.iterdir()) == [PRIVATE_FILE, PUBLIC_FILE]
    assert stat.S_IMODE((folder / PRIVATE_FILE).stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert parse_keys((folder / PUBLIC_FILE).read_bytes(), where="f") == (public,)
    before = (folder / PRIVATE_FILE).read_bytes()
    with pytest.raises(StateError, match="is there already"):
        make_keys(folder)
    (folder / PUBLIC_FILE).unlink()
    with pytest.raises(StateError, match="is there already"):
        make_keys(folder)
    assert (folder / PRIVATE_FILE).read_bytes() == before
    assert "b'" not in repr(read_signer(folder / PRIVATE_FILE).sign)


def test_a_key_that_appears_meanwhile_is_not_overwritten_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PRIVATE_FILE).write_text("somebody was faster")
    monkeypatch.setattr("device.verdict.signing.os.path.lexists", lambda _path: False)
    with pytest.raises(StateError, match="no keys were made"):
        make_keys(tmp_path)
    assert (tmp_path / PRIVATE_FILE).read_text() == "somebody was faster"
    assert [each.name for each in tmp_path.iterdir()] == [PRIVATE_FILE]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_private_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_keys(tmp_path)
    (tmp_path / PRIVATE_FILE).chmod(mode)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_signer(tmp_path / PRIVATE_FILE)


@pytest.mark.parametrize("text", ["", "voicelatch-private", "voicelatch-private AAAA", "-----BEGIN OPENSSH KEY-----"])
def test_what_is_no_private_key_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not a private key") as caught:
        read_signer(path)
    assert "BEGIN" not in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_signer(tmp_path / "absent")


def test_an_existing_bundle_is_signed_only_when_it_is_whole(tmp_path: Path, files: dict[str, bytes]) -> None:
    signer = pair(tmp_path / "keys")
    write_bundle(tmp_path / "b", files)
    assert sign_bundle(tmp_path / "b", signer) == tmp_path / "b"
    assert load_bundle(tmp_path / "b", keys=(signer.public,)).signed_by == signer.public.id
    assert sorted(each.name for each in tmp_path.iterdir()) == ["b", "keys"]
    (tmp_path / "b" / "head.npz").write_bytes(b"")
    (tmp_path / "b" / SIGNATURE).unlink()
    with pytest.raises(BundleError, match="altered"):
        sign_bundle(tmp_path / "b", signer)
    assert not (tmp_path / "b" / SIGNATURE).exists()


LINE = PublicKey(PUBLIC_BYTES).line()


@pytest.mark.parametrize("line", [LINE, f"  {LINE}  Anna, on the desk ", f"{LINE}\t2026"])
def test_a_public_line_may_say_whose_it_is(line: str) -> None:
    assert parse_key(line, where="k").key == PUBLIC_BYTES


@pytest.mark.parametrize(
    "line",
    ["", PUBLIC, LINE[:-1], LINE.replace("=", ""), LINE.replace("ed25519", "rsa"), f"{PUBLIC} {'A' * 44}",
     LINE + " \x07", f"{PUBLIC} {base64.b64encode(b'x' * 31).decode()}", LINE.replace("=", "\n="), f"{PUBLIC} ⅷ"],
)  # fmt: skip
def test_what_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(ConfigError, match="not a public key"):
        parse_key(line, where="k")


def test_a_file_of_keys_has_comments_and_may_list_none() -> None:
    assert parse_keys(b"", where="f") == parse_keys(b"# nobody\n", where="f") == ()
    assert len(parse_keys(f"# ours\n\n{LINE} a\n".encode(), where="f")) == 1
    for content, reason in (
        (f"{LINE}\nnonsense\n".encode(), "f:2: not a public key"),
        (f"{LINE} a\n{LINE} b\n".encode(), "listed twice"),
        (b"\xff", "not text"),
        (b"#" * 70_000, "too large"),
    ):
        with pytest.raises(ConfigError, match=reason):
            parse_keys(content, where="f")


def test_only_the_canonical_form_of_a_signature_is_one() -> None:
    good = f"voicelatch-signature {'0' * 16} {base64.b64encode(b's' * 64).decode()}\n"
    assert parse_signature(good.encode(), where="s").value == b"s" * 64
    for bad in ("", good + good, good.replace("0" * 16, "0" * 15), good.replace(" ", "  "), good.strip() + "\n\n",
                good.replace("==", ""), good.replace("==", "=\n="), good.replace("0" * 16, "A" * 16)):  # fmt: skip
        with pytest.raises(BundleError, match="not a signature"):
            parse_signature(bad.encode(), where="s")
    with pytest.raises(BundleError, match="not text"):
        parse_signature(b"\xff", where="s")
