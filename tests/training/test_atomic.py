"""A file appears complete or not at all."""

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest

from device.errors import StateError
from training.atomic import write_array, write_atomically, write_text


def test_what_was_there_stays_when_writing_fails_half_way(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "table.csv"
    write_text(path, "old\r\n")

    def torn(file: BinaryIO) -> None:
        file.write(b"ne")
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        write_atomically(path, torn)
    assert path.read_bytes() == b"old\r\n"
    assert [each.name for each in path.parent.iterdir()] == ["table.csv"]


def test_a_folder_that_cannot_be_written_is_a_state_error_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"file/x\.npy"):
        write_array(tmp_path / "file" / "x.npy", np.zeros(3))


def test_an_array_comes_back_as_it_was(tmp_path: Path) -> None:
    write_array(tmp_path / "x.npy", np.arange(3, dtype=np.int16))
    assert np.load(tmp_path / "x.npy").tolist() == [0, 1, 2]
