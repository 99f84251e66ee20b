"""Against the parsers of aiohttp: what is read here, they read alike, and all of it."""

from collections.abc import Iterator
from unittest.mock import Mock

import pytest
from aiohttp.http import HttpVersion11
from aiohttp.http_parser import HttpRequestParser, HttpRequestParserPy
from aiohttp.streams import EMPTY_PAYLOAD
from hypothesis import example, given
from hypothesis import strategies as st

from origin.heads import read_head

SEGMENT = "/films/a%20show/up-720p-anime4k-m/3f9a0c12d4e5f607/42.m4s"
CMCD = "CMCD=bl%3D21300%2Cbr%3D3200%2Cot%3Dv%2Csid%3D%226e2fb550-c457%22%2Csu"
BROWSER = f"""GET {SEGMENT}?{CMCD} HTTP/1.1
Host: media.example.com:8080
Connection: keep-alive
sec-ch-ua: "Chromium";v="128", "Not;A=Brand";v="24"
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)
Accept: */*
Range: bytes=0-
Referer: https://media.example.com/?title=a#b
Accept-Encoding: gzip, deflate, br, zstd
Cookie: a=b; c="d"

"""
NGINX = f"""GET {SEGMENT} HTTP/1.1
Host: origin:8080
X-Request-ID: 4f0c8e0a
X-Sendfile-Type: X-Accel-Redirect
If-None-Match: "0123456789abcdef", W/"x"

"""
CURL = """HEAD /films/show/master.m3u8 HTTP/1.1
Host: [::1]:8080
User-Agent: curl/8.5.0
Accept: */*

"""
SHORTEST = """GET / HTTP/1.1
Host:

"""
REAL = [text.replace("\n", "\r\n").encode() for text in (BROWSER, NGINX, CURL, SHORTEST)]
AFTER = b"GET /after HTTP/1.1\r\nHost: b\r\n\r\n"

NAMES = [
    "Accept",
    "Connection",
    "Content-Encoding",
    "Content-Length",
    "Cookie",
    "Expect",
    "Forwarded",
    "Host",
    "HTTP2-Settings",
    "If-Range",
    "Keep-Alive",
    "Max-Forwards",
    "Proxy-Connection",
    "Range",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Key1",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
    "Via",
]
VALUES = ["", "a b", "keep-alive, upgrade", "\x00", "a\rb", "a\nb", "\N{NO-BREAK SPACE}", "é"]
VALUES += [
    "0",
    "1",
    "5",
    "-1",
    "close",
    "keep-alive",
    "Keep-Alive",
    "upgrade",
    "chunked",
    "identity",
    "gzip",
    "h2c",
    "websocket",
    "100-continue",
    "trailers",
]
TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCXYZ"
IN_PATH = "!$%&'()*+,-./0123456789:;=@ABCXYZ_abcxyz~"


def read_alike(data: bytes, parsers=(HttpRequestParser, HttpRequestParserPy)) -> bool:
    """Whether it is read at all; as aiohttp does, if so."""
    head = read_head(data)
    if head is None:
        return False
    for parser_class in parsers:
        parser = parser_class(Mock(), Mock(), 2**16, max_line_size=2**14, max_field_size=2**14)
        messages, upgraded, rest = parser.feed_data(data)
        assert (upgraded, rest) == (False, b"")
        ((message, body),) = messages
        assert body is EMPTY_PAYLOAD
        assert message.method == head.method
        assert message.version == HttpVersion11
        assert not message.should_close
        assert not message.upgrade
        assert not message.chunked
        assert message.compression is None
        assert message.path.partition("?")[::2] == (head.path, head.query)
        assert (message.url.raw_path, message.url.raw_query_string) == (head.path, head.query)
        fields = [(name.lower(), value) for name, value in message.headers.items()]
        assert fields == list(head.headers.items())
        ((following, _),) = parser.feed_data(AFTER)[0]
        assert following.path == "/after"
    return True


@pytest.mark.parametrize("data", REAL, ids=["browser", "nginx", "curl", "shortest"])
def test_what_clients_and_proxies_send_is_read(data: bytes) -> None:
    assert read_alike(data)


def test_a_head_in_full() -> None:
    data = b"HEAD /a%20b?c=d HTTP/1.1\r\nHOST:h\r\nX-y: \t e: f \t\r\n\r\n"
    head = read_head(data)
    assert head is not None
    assert (head.method, head.path, head.query) == ("HEAD", "/a%20b", "c=d")
    assert head.headers == {"host": "h", "x-y": "e: f"}
    assert head.size == len(data)


@pytest.mark.parametrize(
    "line",
    [
        "Connection: close",
        "Connection: keep-alive, upgrade",
        "Content-Encoding: gzip",
        "Content-Length: 0",
        "Expect: 100-continue",
        "Host: b",
        "Proxy-Connection: close",
        "Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5",
        "TE: trailers",
        "Transfer-Encoding: chunked",
        "Upgrade: websocket",
        " folded",
        "X : 1",
        "X",
        ": 1",
        "X: \x7f",
        "X: " + "v" * 4096,
        "\r\n".join(f"X-{number}: 1" for number in range(64)),
    ],
)
def test_what_is_not_plain_is_left_to_aiohttp(line: str) -> None:
    assert read_head(b"GET / HTTP/1.1\r\nHost: a\r\nX-0: 1\r\n\r\n")
    assert read_head(f"GET / HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode()) is None


@pytest.mark.parametrize("target", ["", "*", "//", "//a/b", "http://a/", "/a#b", "/[", "/ü", "a"])
def test_targets_that_are_no_plain_path_are_left_to_aiohttp(target: str) -> None:
    assert read_head(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()) is None


@pytest.mark.parametrize("data", REAL, ids=["browser", "nginx", "curl", "shortest"])
def test_any_other_byte_anywhere_is_read_alike_or_not_at_all(data: bytes) -> None:
    read = [read_alike(mutant, [HttpRequestParser]) for mutant in one_byte_away(data)]
    assert True in read
    assert False in read


def one_byte_away(data: bytes) -> Iterator[bytes]:
    for at in range(len(data) + 1):
        before, after = data[:at], data[at:]
        yield before + after[1:]
        for value in range(256):
            yield before + bytes([value]) + after[1:]
        for value in b"\0\t\n\r :?#/,%\x7f\x80":
            yield before + bytes([value]) + after


@given(st.data())
def test_pieces_of_heads_are_read_alike_or_not_at_all(data: st.DataObject) -> None:
    pieces = []
    for _ in range(data.draw(st.integers(1, 3))):
        whole = data.draw(st.sampled_from([*REAL, AFTER]))
        lines = data.draw(st.lists(st.sampled_from(whole.splitlines(keepends=True)), max_size=8))
        start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
        pieces.append(data.draw(st.sampled_from([whole, whole[start:stop], b"".join(lines)])))
    joined = b"".join(pieces)
    read_alike(joined)
    if any(joined.startswith(whole) and len(joined) > len(whole) for whole in (*REAL, AFTER)):
        assert read_head(joined) is None


@given(
    st.sampled_from(["GET", "HEAD", "OPTIONS"]),
    st.text(IN_PATH, max_size=60).filter(lambda text: not text.startswith("/")),
    st.none() | st.text(IN_PATH + "?", max_size=60),
    st.dictionaries(
        st.text(TOKEN, max_size=12).map(lambda text: text.lower() + "-"),
        st.text(st.characters(min_codepoint=32, max_codepoint=126) | st.just("\t"), max_size=40),
        max_size=20,
    ),
)
def test_whatever_is_plain_is_read(method, path, query, fields):
    target = "/" + path if query is None else f"/{path}?{query}"
    lines = [f"{method} {target} HTTP/1.1", "hOsT: a", *(f"{n}:{v}" for n, v in fields.items())]
    assert read_alike("\r\n".join([*lines, "", ""]).encode())


FIELDS = st.tuples(
    st.sampled_from(NAMES) | st.text(max_size=4),
    st.sampled_from([":", ": ", ": ", " :", ":\t", "", "\n:"]),
    st.sampled_from(VALUES) | st.text(max_size=9),
).map("".join)


@st.composite
def odd_heads(draw: st.DrawFn) -> bytes:
    first = (
        draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS", "CONNECT", "get", "GE"])),
        draw(
            st.sampled_from(["/", "/a", "//a", "*", "http://a/", "/a?b", "/?", "/%zz", "/a/../b"])
        ),
        draw(st.sampled_from([*["HTTP/1.1"] * 4, "HTTP/1.0", "HTTP/1.10", "HTTP/2.0", ""])),
    )
    line = draw(st.sampled_from([*[" "] * 4, "  ", "\t", ""])).join(first)
    newline = draw(st.sampled_from([*["\r\n"] * 4, "\n", "\r", "\r\r\n"]))
    text = newline.join([line, "Host: a", *draw(st.lists(FIELDS, max_size=5)), "", ""])
    return (text + draw(st.just("") | st.text(max_size=4))).encode("utf-8", "surrogatepass")


@given(odd_heads())
@example(b"GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key1: 1\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n\r\n")
def test_whatever_is_odd_is_read_alike_or_not_at_all(data: bytes) -> None:
    read_alike(data)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    assert read_head(data) is None
