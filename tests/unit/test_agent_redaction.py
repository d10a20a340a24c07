"""No secret of a connection is in what a job says, however it is cut and encoded; and nothing else is changed."""

import base64
import itertools
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from runyard_agent.redaction import Redactor

KEY_LINES = [base64.b64encode(bytes([number]) * 48).decode() for number in range(5)]
KEY = "\n".join(["-----BEGIN KEY-----", *KEY_LINES, "short", "-----END KEY-----", ""])


def redacted(redactor: Redactor, pieces: list[bytes]) -> bytes:
    stream = redactor.stream()
    return b"".join([*map(stream.feed, pieces), stream.last()])


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[start:stop] for start, stop in itertools.pairwise(places)]


few = st.text('ab*=+/%\\"\n é', min_size=4, max_size=12)
secrets = st.lists(st.one_of(few, st.text(min_size=4, max_size=30)), min_size=1, max_size=5)
cuts = st.lists(st.integers(0, 10_000), max_size=30)


@given(secrets, st.data(), cuts)
@example(["aaaa", "aab"], None, [1, 3, 5])
def test_no_secret_is_ever_in_the_stream_however_it_is_cut(known: list[str], data: st.DataObject | None, at: list[int]) -> None:
    pieces = st.one_of(st.sampled_from(known), st.text('ab*=+/%\\"\n é', max_size=4), st.text(max_size=4))
    text = "aaaaaabaaaa" if data is None else "".join(data.draw(st.lists(pieces, max_size=12)))
    redactor = Redactor(known)
    whole = redacted(redactor, [text.encode()])
    assert redacted(redactor, cut(text.encode(), at)) == whole
    assert not any(secret.encode() in whole for secret in known)
    assert redactor.text(text) == whole.decode()


@given(st.lists(st.text("abcdefgh", min_size=6, max_size=12), max_size=4), st.lists(st.binary(max_size=200), max_size=10))
def test_what_holds_no_secret_is_not_changed_in_any_byte(known: list[str], pieces: list[bytes]) -> None:
    redactor = Redactor(known)
    whole = b"".join(pieces)
    if not redactor.found(whole):
        assert redacted(redactor, pieces) == whole


@pytest.mark.parametrize("data", [b"\xff\xfe\x00 \xc3", b"\x1b[31mred\x1b[0m\r\n", "naïve 日本".encode("utf-16")])
def test_bytes_that_are_no_text_are_not_changed(data: bytes) -> None:
    assert redacted(Redactor(["hunter2-hunter2"]), cut(data, [1, 2, 3, 4])) == data


@pytest.mark.parametrize(
    "shown",
    [
        'p@ss "wörd"/1',
        base64.b64encode(b'p@ss "w\xc3\xb6rd"/1').decode(),
        quote('p@ss "wörd"/1'),
        quote('p@ss "wörd"/1', safe=""),
        quote('p@ss "wörd"/1', safe="").lower(),
        quote_plus('p@ss "wörd"/1'),
        json.dumps('p@ss "wörd"/1')[1:-1],
        json.dumps('p@ss "wörd"/1', ensure_ascii=False)[1:-1],
    ],
)
def test_a_secret_is_found_in_the_forms_in_which_programs_print_it(shown: str) -> None:
    redactor = Redactor(['p@ss "wörd"/1'])
    assert redactor.text(f"<{shown}>") == "<***>"
    data = f"<{shown}>".encode()
    assert redacted(redactor, [data[at : at + 1] for at in range(len(data))]) == b"<***>"


def test_a_basic_authorization_header_does_not_show_the_password() -> None:
    for user in ("u", "us", "usr", "user"):
        password = "correct horse battery"
        header = base64.b64encode(f"{user}:{password}".encode()).decode()
        shown = Redactor([password]).text(header)
        assert "***" in shown
        assert len(shown) < len(header) - 20


def test_each_line_of_a_key_is_a_secret() -> None:
    redactor = Redactor([KEY])
    for line in KEY.splitlines():
        assert redactor.text(f"> {line} <") == ("> short <" if line == "short" else "> *** <")
    assert redactor.text(KEY.replace("\n", "\r\n")).count("***") == 7
    for width in (64, 76):
        encoded = base64.b64encode(KEY.encode()).decode()
        wrapped = [encoded[at : at + width] for at in range(0, len(encoded), width)]
        assert set(redactor.text("\n".join(wrapped)).split("\n")[:-1]) == {"***"}


def test_where_secrets_overlap_all_of_it_is_one_mask() -> None:
    redactor = Redactor(["password1", "word1234", "word"])
    assert redactor.text("a password1234 b") == "a *** b"
    assert redactor.text("word, sword") == "***, s***"


def test_only_what_may_be_the_beginning_of_a_secret_is_held_back() -> None:
    stream = Redactor(["hunter2-hunter2"]).stream()
    assert stream.feed(b"an ordinary line\n") == b"an ordinary line\n"
    assert stream.feed(b"then hunt") == b"then "
    assert stream.rest() == b"hunt"
    assert stream.feed(b"ing\n") == b"hunting\n"
    assert stream.feed(b"hunter2-") == b""
    assert stream.last(b"hunter") == b"hunter2-hunter"


def test_a_run_of_one_secret_after_the_other_does_not_pile_up() -> None:
    stream = Redactor(["aaaa"]).stream()
    assert b"".join(stream.feed(b"a" * 1000) for _ in range(20)) == b"***"
    assert stream.rest() == b""


def test_values_are_redacted_with_their_names_and_numbers() -> None:
    redactor = Redactor(["hunter2-hunter2", "12345678"])
    value = {"a": ["x hunter2-hunter2", 12345678, 1234567, True, None, 1.5], "hunter2-hunter2": {"b": ("hunter2-hunter2",)}}
    assert redactor.value(value) == {"a": ["x ***", "***", 1234567, True, None, 1.5], "***": {"b": ["***"]}}


def test_without_secrets_nothing_is_looked_at() -> None:
    redactor = Redactor([""])
    assert not redactor
    data, value = b"as it is", {"as": "it is"}
    assert redactor.stream().feed(data) is data
    assert redactor.value(value) is value


def test_no_redactor_shows_what_it_knows() -> None:
    assert "hunter2" not in repr(Redactor(["hunter2-hunter2"])) + repr(Redactor(["hunter2-hunter2"]).stream())
