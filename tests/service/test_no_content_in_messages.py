"""A file of the program's own that holds something else is refused without a word of what it holds."""

from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
from device.guardian.settings import MEMORY, pin_to_release
from device.service import pin_in_use, status, trust
from device.service.audit import read_head

CONTENTS = ('{"hunter2": 1}', '{"n": "hunter2", "pid": "hunter2", "pin": "hunter2", "highest": "hunter2"}', "hunter2",
            '["hunter2"]', '"hunter2"')  # fmt: skip


@pytest.mark.parametrize("content", CONTENTS)
def test_what_stands_in_a_state_file_is_in_no_message(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (status.NAME, pin_in_use.NAME, trust.NAME, "events.db.head"):
        (tmp_path / name).write_text(content)
    said = [status.look(tmp_path).problem]
    assert said[0]
    # Then the configuration's pin is driven off: a damaged file must never leave one on.
    assert pin_in_use.recall_pin({"RUNTIME_DIRECTORY": str(tmp_path)}) is None
    with pytest.raises(StateError) as recalled:
        trust.recall(tmp_path)
    with pytest.raises(ConfigError) as head:
        read_head(tmp_path / "events.db.head")
    said += [str(recalled.value), str(head.value), caplog.text]
    assert "hunter2" not in "\n".join(said)
    assert str(tmp_path / trust.NAME) in said[1]


@pytest.mark.parametrize("content", ["", "7", "null", "[]", "[" * 100_000, '{"pin": 1' + "0" * 5000 + "}", "\0"])
def test_whatever_stands_in_the_memory_of_the_pin_the_configuration_s_is_driven_off(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / pin_in_use.NAME).write_text(content)
    (tmp_path / MEMORY).write_text(content)
    environment = {"RUNTIME_DIRECTORY": str(tmp_path)}
    assert pin_in_use.recall_pin(environment) is None
    (tmp_path / "c.toml").write_text("[relay]\npin = 22\n")
    assert pin_to_release(tmp_path / "c.toml", environment).pin == 22
