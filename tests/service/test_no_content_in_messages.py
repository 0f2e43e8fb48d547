"""A file of the program's own that holds something else is refused without a word of what it holds."""

from pathlib import Path

import pytest

from device.errors import ConfigError, StateError
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
    if content.startswith("{"):
        assert pin_in_use.recall_pin({"RUNTIME_DIRECTORY": str(tmp_path)}) is None
    with pytest.raises(StateError) as recalled:
        trust.recall(tmp_path)
    with pytest.raises(ConfigError) as head:
        read_head(tmp_path / "events.db.head")
    said += [str(recalled.value), str(head.value), caplog.text]
    assert "hunter2" not in "\n".join(said)
    assert str(tmp_path / trust.NAME) in said[1]
