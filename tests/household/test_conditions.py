"""Strangers by condition: what is written is read again, and what does not fit is refused with a reason."""

import io

import numpy as np
import pytest

from device.errors import BundleError
from device.household.conditions import MOST_BYTES, StrangersByCondition, strangers_from_npz
from device.verdict.interpreter import unit_length
from device.verdict.npz import npz_bytes

NAMES = ("as recorded", "telephone", "room")
PEOPLE, CLIPS, SIZE = 9, 2, 32


def embeddings(seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return unit_length(rng.standard_normal((len(NAMES), PEOPLE * CLIPS, SIZE)).astype(np.float32))


def strangers() -> StrangersByCondition:
    return StrangersByCondition(NAMES, embeddings(), np.repeat(np.arange(PEOPLE), CLIPS))


def arrays() -> dict[str, np.ndarray]:
    return {
        "conditions": np.array(NAMES),
        "embeddings": np.rint(embeddings() * 127).astype(np.int8),
        "owners": np.repeat(np.arange(PEOPLE), CLIPS).astype(np.int32),
        "scale": np.array(1.0 / 127),
    }


def test_what_is_written_is_read_again_to_a_step_of_eight_bits() -> None:
    before = strangers()
    content = before.to_npz()
    after = strangers_from_npz(content)
    assert after.conditions == NAMES
    assert np.array_equal(after.owners, before.owners)
    assert np.sum(after.embeddings * before.embeddings, axis=2).min() > 0.999
    assert len(content) < 2 * before.embeddings.size


def test_a_cohort_holds_one_vector_for_each_person_and_condition() -> None:
    cohorts = strangers().cohorts
    assert cohorts.shape == (len(NAMES), PEOPLE, SIZE)
    expected = unit_length(embeddings()[1, 4:6].sum(axis=0))
    assert np.allclose(cohorts[1, 2], expected, atol=1e-6)


def test_a_condition_is_left_out_and_people_are_chosen() -> None:
    assert strangers().without(1).conditions == ("as recorded", "room")
    some = strangers().of_people(np.array([0, 1, 2, 3, 5, 6, 7, 8]))
    assert some.people == 8
    assert np.array_equal(some.embeddings[:, 8], strangers().embeddings[:, 10])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"embeddings": np.zeros((3, 18, 32), dtype=np.int8)}, "length 1"),
        ({"embeddings": np.zeros((3, 0, 32), dtype=np.int8)}, "length 1"),
        ({"embeddings": np.zeros((3, 18), dtype=np.int8)}, "shapes"),
        ({"embeddings": embeddings()}, "types"),
        ({"scale": np.array(np.nan)}, "scale"),
        ({"scale": np.array(-1.0 / 127)}, "scale"),
        ({"scale": np.array([0.1, 0.2])}, "scale"),
        ({"owners": np.arange(18)[::-1].astype(np.int32)}, "owners"),
        ({"owners": (np.arange(18) // 6).astype(np.int32)}, "3 people"),
        ({"owners": np.zeros(17, dtype=np.int32)}, "owners"),
        ({"conditions": np.array(["a", "a", "b"])}, "twice"),
        ({"conditions": np.array(["a", "b"])}, "2 conditions"),
        ({"conditions": np.arange(3)}, "types"),
        ({"more": np.arange(3)}, "arrays"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(change: dict[str, np.ndarray], reason: str) -> None:
    with pytest.raises(BundleError, match=reason):
        strangers_from_npz(npz_bytes(**(arrays() | change)))


def test_objects_and_other_files_are_refused_and_nothing_in_them_runs() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, conditions=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    for content in (buffer.getvalue(), b"", b"PK\x03\x04 no archive"):
        with pytest.raises(BundleError, match="strangers"):
            strangers_from_npz(content)


def test_a_file_that_unpacks_to_too_much_is_refused_before_it_does() -> None:
    large = npz_bytes(**(arrays() | {"embeddings": np.zeros((3, MOST_BYTES // 96 + 1, 32), dtype=np.int8)}))
    assert len(large) < MOST_BYTES // 100
    with pytest.raises(BundleError, match="when unpacked"):
        strangers_from_npz(large)
