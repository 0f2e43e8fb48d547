"""Lines between the daemon and the guardian: one spelling each, and nothing that comes in is worse than an error."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from device.guardian.errors import ProtocolError
from device.guardian.protocol import (
    MAX_LINE_BYTES,
    Answer,
    Lines,
    Request,
    format_answer,
    format_request,
    parse_answer,
    parse_request,
)

tokens = st.text("0123456789abcdef", min_size=8, max_size=8)
thousandths = st.integers(0, 99_999).map(lambda each: each / 1000)
reasons = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=32)
requests = st.one_of(
    st.builds(Request, st.just("pulse"), tokens, thousandths),
    st.builds(Request, st.sampled_from(["alive", "off", "status"]), tokens),
)
answers = st.one_of(
    st.builds(Answer, st.just("on"), tokens, thousandths),
    st.builds(Answer, st.sampled_from(["off", "refused", "fault"]), tokens, reason=reasons),
)


@settings(deadline=None)
@given(requests)
def test_a_request_survives_the_line(request: Request) -> None:
    line = format_request(request)
    assert len(line) <= MAX_LINE_BYTES
    assert parse_request(line[:-1]) == request


@settings(deadline=None)
@given(answers)
def test_an_answer_survives_the_line(answer: Answer) -> None:
    line = format_answer(answer)
    assert len(line) <= MAX_LINE_BYTES
    assert parse_answer(line[:-1]) == answer


@pytest.mark.parametrize(
    "line",
    [b"", b"pulse", b"pulse 0123abcd", b"pulse 0123abcd 3", b"pulse 0123abcd 3.0", b"pulse 0123abcd 03.000",
     b"pulse 0123abcd 100.000", b"pulse 0123abcd -1.000", b"pulse 0123abcd nan", b"pulse 0123abcd 1e1",
     b"PULSE 0123abcd 3.000", b"pulse  0123abcd 3.000", b"pulse 0123abcd 3.000 ", b"pulse 0123abcd 3.000\r",
     b"pulse 0123ABCD 3.000", b"pulse 0123abc 3.000", b"off", b"off 0123abcd 3.000", b"on 0123abcd 3.000",
     "pulse 0123abcd \u0663.000".encode(), b"\xff\xfe", b"pulse 0123abcd 3.000\n"],
)  # fmt: skip
def test_another_spelling_is_no_request(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_request(line)


@pytest.mark.parametrize("line", [b"", b"on", b"ok", b"on 0123abcd", b"off 0123abcd", b"on 0123abcd idle", 
                                  b"off x idle", b"off 0123abcd Idle", b"off 0123abcd " + b"a" * 33])  # fmt: skip
def test_another_spelling_is_no_answer(line: bytes) -> None:
    with pytest.raises(ProtocolError):
        parse_answer(line)


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), -1.0, 100.0])
def test_what_cannot_be_spelt_is_not_sent(seconds: float) -> None:
    with pytest.raises(ProtocolError):
        format_request(Request("pulse", "0123abcd", seconds))


SHAPE = re.compile(rb"(alive|off|status) [0-9a-f]{8}|pulse [0-9a-f]{8} [0-9]{1,2}\.[0-9]{3}")


@settings(deadline=None)
@given(st.binary(max_size=100))
@example(b"pulse 0123abcd 3.000")
def test_any_bytes_are_a_request_or_a_clean_error(line: bytes) -> None:
    try:
        request = parse_request(line)
    except ProtocolError:
        return
    assert SHAPE.fullmatch(line)
    assert format_request(request) == line + b"\n"


@settings(deadline=None)
@given(st.text("pulseonf refdat0123456789abcdef.-", max_size=70))
def test_anything_like_an_answer_is_one_or_a_clean_error(text: str) -> None:
    try:
        answer = parse_answer(text.encode())
    except ProtocolError:
        return
    assert format_answer(answer) == text.encode() + b"\n"


@settings(deadline=None)
@given(st.lists(requests, max_size=6), st.data())
def test_lines_come_out_whole_however_they_are_cut(sent: list[Request], data: st.DataObject) -> None:
    stream, lines, out = b"".join(format_request(each) for each in sent), Lines(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        out += lines.feed(stream[:size])
        stream = stream[size:]
    assert [parse_request(each) for each in out] == sent


@settings(deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_no_stream_makes_it_hold_more_than_a_line(stream: list[bytes]) -> None:
    lines = Lines()
    try:
        for each in stream:
            lines.feed(each)
    except ProtocolError:
        # Whoever hears this hangs up.
        return
    assert len(lines._held) < MAX_LINE_BYTES


def test_a_line_without_an_end_is_an_error_soon() -> None:
    lines = Lines()
    for _ in range(MAX_LINE_BYTES - 1):
        lines.feed(b"a")
    with pytest.raises(ProtocolError, match="too long"):
        lines.feed(b"a")
