"""What may take the shortcut, and what only aiohttp answers."""

import pytest

from origin.access import Access, sign
from origin.errors import ProductionError
from origin.guard import Guard
from origin.heads import read_head
from origin.limits import RequestLimits
from origin.service.answers import CacheResult, ProducedAnswer
from origin.shortcut import Shortcut
from origin.telemetry import Metrics, request_id

PATH = "/lib/show/index.m3u8/up-720p-x/0123456789abcdef/7.ts"
BODY = b"body of a segment"
SECRET = "sixteen letters or more"


class Memory:
    """A service that has one body at hand."""

    def __init__(self) -> None:
        self.viewers = []
        self.request_ids = []

    def at_hand(self, raw_path, viewer):
        self.viewers.append(viewer)
        self.request_ids.append(request_id.get())
        if "broken" in raw_path:
            raise ProductionError("broken")
        if raw_path != PATH.removeprefix("/"):
            return None
        return ProducedAnswer(
            body=BODY,
            etag="ab" * 32,
            content_type="video/mp2t",
            cache_result=CacheResult.HIT,
            next_uri="8.ts",
        )


@pytest.fixture
def memory():
    return Memory()


@pytest.fixture
def metrics():
    return Metrics()


@pytest.fixture
def shortcut(memory, metrics):
    return made(memory, metrics)


def made(memory, metrics, **access):
    guard = Guard(Access(**access))
    limits = RequestLimits(header_count=6, headers_length=500)
    return Shortcut(service=memory, guard=guard, limits=limits, metrics=metrics)


def ask(shortcut, path=PATH, *, method="GET", **headers):
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    data = "\r\n".join([f"{method} {path} HTTP/1.1", "Host: a", *lines, "", ""]).encode()
    head = read_head(data)
    assert head is not None
    return shortcut.answer(head, "192.0.2.1")


def test_a_body_in_memory_is_answered_and_counted(shortcut, memory, metrics):
    head, body = ask(shortcut, X_Request_ID="caller-7")
    lines = head.decode().split("\r\n")
    assert (lines[0], body) == ("HTTP/1.1 200 OK", BODY)
    assert f"Content-Length: {len(BODY)}" in lines
    assert f'Etag: "{"ab" * 32}"' in lines
    assert "X-Request-ID: caller-7" in lines
    assert lines[-2:] == ["", ""]
    assert metrics.value("upscale_origin_requests_total", route="hit", status="200") == 1
    assert metrics.value("upscale_origin_bytes_total", route="hit") == len(BODY)
    assert memory.viewers[0].address == "192.0.2.1"


def test_the_request_id_is_that_of_the_request_only(shortcut, memory):
    before = request_id.get()
    ask(shortcut, X_Request_ID="caller-7")
    ask(shortcut, "/lib/other", X_Request_ID="caller-8")
    assert memory.request_ids == ["caller-7", "caller-8"]
    assert request_id.get() == before


def test_each_answer_has_a_request_id_of_its_own(shortcut):
    ids = [ask(shortcut)[0].decode().partition("X-Request-ID: ")[2][:16] for _ in range(2)]
    assert ids[0] != ids[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=0-1"},
        {"If_None_Match": '"x"'},
        {"If_Match": '"x"'},
        {"If_Range": '"x"'},
        {"Priority": "u=7"},
        {"X_Sendfile_Type": "X-Accel-Redirect"},
        {"CDN_Origin_Assist_Prefetch_Enabled": "1"},
        {f"X_{number}": "" for number in range(6)},
        {"X_Long": "x" * 500},
    ],
    ids=lambda headers: next(iter(headers)),
)
def test_what_asks_for_more_is_left_to_aiohttp(shortcut, memory, headers):
    assert ask(shortcut, **headers) is None
    assert memory.viewers == []


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_are_left_to_aiohttp(shortcut, method):
    assert ask(shortcut, method=method) is None


@pytest.mark.parametrize("path", ["/lib/other", "/lib/broken"])
def test_what_is_not_there_or_fails_is_left_to_aiohttp(shortcut, metrics, path):
    assert ask(shortcut, path) is None
    assert "requests_total{" not in metrics.render().decode()


def test_what_a_player_says_counts_in_either_form(shortcut, memory):
    ask(shortcut, f"{PATH}?CMCD=bl%3D2000%2Csid%3D%22a%22&CMCD=bl%3D1", CMCD_Status="bs")
    (viewer,) = memory.viewers
    said = viewer.cmcd
    assert (said.buffer_seconds, said.session, said.is_starved) == (2.0, "a", True)


def test_a_token_is_checked_and_taken_off(memory, metrics):
    guarded = made(memory, metrics, signing_keys={"k": SECRET})
    good = sign(PATH, key="k", secret=SECRET, expires=2**35, depth=3)
    assert ask(guarded, good)[1] == BODY
    assert ask(guarded, PATH) is None
    assert ask(guarded, sign(PATH, key="k", secret=SECRET, expires=1, depth=3)) is None
    assert ask(guarded, good.replace("/lib/", "/bil/")) is None


def test_the_secret_of_the_cdn_is_checked(memory, metrics):
    guarded = made(memory, metrics, cdn_secrets=(SECRET,))
    assert ask(guarded, X_Origin_Secret=SECRET)[1] == BODY
    assert ask(guarded, X_Origin_Secret="other") is None
    assert ask(guarded) is None
