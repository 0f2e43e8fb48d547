"""A deployment forgets nobody whom a door lets in, unless somebody said so."""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.benches.place import Place
from tests.benches.ssh_server import ssh_server, why_not
from tests.other_people import renamed_bundle
from training.deploy.deploy import Outcome, Result, deploy_all
from training.deploy.door import Door
from training.deploy.parcel import Parcel, packed
from training.deploy.remote import DoorError
from training.deploy.residents import refuse_lost


class Shell:
    """A door's shell that answers with one manifest."""

    def __init__(self, content: str) -> None:
        self.content = content

    def run(self, _script: str) -> str:
        return self.content


def look(manifest: object, new: tuple[str, ...], without: tuple[str, ...] = ()) -> str:
    content = manifest if isinstance(manifest, str) else json.dumps(manifest)
    door = SimpleNamespace(name="porch", remote=Shell(content), path=lambda name: f"/models/{name}")
    parcel = Parcel(Path("/x"), "home", 2, "d", "home-2-abcdabcd", new)
    return refuse_lost(cast("Door", cast("Any", door)), "home-1", parcel, without)


HOME = {"name": "home", "residents": ["Anna", "Zoe\u0308"]}


def test_somebody_who_would_be_lost_is_named_with_the_way_out() -> None:
    with pytest.raises(DoorError, match="Anna would no longer be known") as caught:
        look(HOME, ("Zo\u00eb", "Bea"))
    assert "--without Anna" in str(caught.value)
    assert look(HOME, ("Zo\u00eb", "Bea"), without=("Anna",)) == "new: Bea"
    assert look(HOME, ("Anna", "Zo\u00eb")) == ""


def test_the_shipped_demo_and_an_empty_door_hold_nobody_and_what_cannot_be_read_is_refused() -> None:
    assert look({"name": "demo", "residents": ["Anna"]}, ("Bea",)) == ""
    assert look("", ("Bea",)) == ""
    for damaged in ("{", "[]", '{"name": "home"}'):
        with pytest.raises(DoorError, match="cannot be read"):
            look(damaged, ("Bea",))


@pytest.fixture
def place(tmp_path: Path, models: Path) -> Iterator[Place]:
    reason = why_not()
    if reason is not None:
        pytest.skip(str(reason))
    (tmp_path / "sshd").mkdir()
    with ssh_server(tmp_path / "sshd") as server:
        made = Place(tmp_path / "Ann's door", models, server)
        yield made
        made.stop()


def test_at_a_real_door_nothing_is_switched_until_it_is_meant(place: Place, models: Path, tmp_path: Path) -> None:
    renamed_bundle(models, place.models / "home", {}, name="home")
    (place.models / "current").write_text("home\n")
    place.start()
    renamed_bundle(models, tmp_path / "next", {"Anna": "Bea"}, name="home", sequence=99)

    def send(*without: str, dry_run: bool = False) -> Outcome:
        with packed(tmp_path / "next") as parcel:
            (outcome,) = deploy_all(parcel, [place.door()], dry_run=dry_run, parallel=1, poll_seconds=0.05,
                                    without=without)  # fmt: skip
        return outcome

    for dry_run in (True, False):
        refused = send(dry_run=dry_run)
        assert refused.result is Result.FAILED
        assert "Anna would no longer be known" in refused.text
    assert place.current == "home"
    sent = send("Anna")
    assert (sent.result, sent.text) == (Result.DEPLOYED, "in service; new: Bea")
