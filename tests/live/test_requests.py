"""Request lines come from outside: only the known is understood, and nothing else than a LiveError is raised."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import LiveError
from device.live.requests import MAX_LINE_BYTES, OpenRequest, Subscription, parse_request


def test_what_may_be_asked_is_understood() -> None:
    assert parse_request(b'{"subscribe": ["audio", "event"], "hold": true}') == Subscription(
        topics=frozenset(("audio", "event")), hold=True
    )
    assert parse_request(b'{"subscribe": [], "recent": 100}') == Subscription(topics=frozenset(), recent=100)
    assert parse_request(b'{"subscribe": []}') == Subscription(topics=frozenset())
    assert parse_request(b'{"open": {"by": "web: Anna", "asked_at_seconds": 12}}') == OpenRequest(
        by="web: Anna", asked_at_seconds=12.0
    )


@pytest.mark.parametrize(
    "line",
    [
        b"", b"open", b"[]", b"1", b"null", b"{}", b'{"subscribe": "audio"}', b'{"subscribe": ["everything"]}',
        b'{"subscribe": [["audio"]]}', b'{"subscribe": [{}]}', b'{"subscribe": [], "hold": 1}',
        b'{"subscribe": [], "held": true}', b'{"subscribe": [], "recent": 101}', b'{"subscribe": [], "recent": -1}',
        b'{"subscribe": [], "recent": true}', b'{"subscribe": [], "recent": 1.5}',
        b'{"open": true}', b'{"open": {}}', b'{"open": {"by": "", "asked_at_seconds": 1}}', b'{"open": {"by": "a"}}',
        b'{"open": {"by": "a", "asked_at_seconds": "1"}}', b'{"open": {"by": "a", "asked_at_seconds": true}}',
        b'{"open": {"by": "a", "asked_at_seconds": NaN}}', b'{"open": {"by": "a", "asked_at_seconds": 1e10}}',
        b'{"open": {"by": "a", "asked_at_seconds": 1' + b"0" * 400 + b"}}",
        b'{"open": {"by": "a", "asked_at_seconds": -1' + b"0" * 400 + b"}}",
        b'{"open": {"by": "a\\nb", "asked_at_seconds": 1}}', b'{"open": {"by": "\\ud800", "asked_at_seconds": 1}}',
        b'{"open": {"by": "a", "asked_at_seconds": 1, "seconds": 3600}}',
        b'{"open": {"by": "a", "asked_at_seconds": 1}, "subscribe": []}', b"[" * 1000, b"1" * 1000, b"\xff\xfe",
        b'{"open": {"by": "' + b"a" * 65 + b'", "asked_at_seconds": 1}}',
        b'{"subscribe": ["audio"' + b" " * MAX_LINE_BYTES + b"]}",
    ],
    ids=lambda line: line[:40],
)  # fmt: skip
def test_anything_else_is_refused(line: bytes) -> None:
    with pytest.raises(LiveError):
        parse_request(line)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["open", "by", "asked_at_seconds", "subscribe", "recent", "hold", "audio"])
        | st.text(max_size=5), inner, max_size=4,
    ),
    max_leaves=10,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_no_line_raises_anything_but_a_live_error(line: bytes) -> None:
    try:
        asked = parse_request(line)
    except LiveError:
        return
    assert isinstance(asked, Subscription | OpenRequest)
