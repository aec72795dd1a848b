from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from rivus.model.outcome import Halt, ItemFailed, Outcome, RetryLater, SourceBlocked
from rivus.net import sec
from rivus.net.sec import ask, ask_json, declared
from rivus.net.session import open_session
from tests.paced import at_once as at_once
from tests.site import Site
from tests.site import site as site

NAME = "Ada Smith ada@example.org"


@pytest.mark.parametrize("name", [NAME, "Example Inc. (bot@mail.example.co.uk)", "a-b c@d.ef Company"])
def test_a_name_with_an_address_declares_who_asks(name: str) -> None:
    assert declared(name) == name


@pytest.mark.parametrize(
    "name", ["", "Mozilla/5.0", "ada@example.org", "Ada Smith", "Ada ada@localhost", f"{NAME}\r\nX: y", "Ädä a@b.de",
             "x" * 200 + NAME]
)  # fmt: skip
def test_anything_else_halts_before_anything_is_asked(site: Site, name: str) -> None:
    with pytest.raises(Halt, match="user_agent"):
        ask(open_session(["127.0.0.1"]), site.url, name)
    assert site.asked == []


UNDECLARED = "<html><h1>Your Request Originates from an Undeclared\nAutomated Tool</h1></html>"
TOO_FAST = "<html><title>SEC.gov | Request Rate Threshold Exceeded</title> … undeclared automated tools …</html>"
OLD = '<?xml version="1.0"?><html><body><companyFilings><companyInfo>'


@pytest.mark.parametrize(
    ("status", "body", "kind", "why"),
    [
        (403, UNDECLARED, Halt, "user_agent"),
        (403, TOO_FAST, SourceBlocked, "too often"),
        (403, "<html>Forbidden</html>", SourceBlocked, "no longer"),
        (403, "<Error><Code>AccessDenied</Code></Error>", ItemFailed, "404"),
        (404, "", ItemFailed, "404"),
        (429, "", SourceBlocked, "429"),
        (500, '{"message": "Internal server error"}', RetryLater, "500"),
        (200, " ", RetryLater, "nothing"),
        (200, "<html>maintenance</html>", RetryLater, "no JSON"),
        (200, '{"a": NaN}', RetryLater, "no JSON"),
        (200, "[" * 100_000, RetryLater, "no JSON"),
        (200, OLD, Halt, "browse-edgar"),
    ],
)
def test_refusals_become_outcomes(site: Site, status: int, body: str, kind: type[Outcome], why: str) -> None:
    site.put("/x.json", body, status)
    with pytest.raises(kind, match=why) as raised:
        ask_json(open_session(["127.0.0.1"]), f"{site.url}/x.json", NAME)
    assert type(raised.value) is kind
    if isinstance(raised.value, SourceBlocked) and status == 403:
        assert raised.value.until and 600 < raised.value.until - time.time() < 700


def test_there_is_time_between_the_questions_of_all_threads(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sec, "INTERVAL", 0.05)
    times: list[float] = []
    site.before = lambda path: times.append(time.monotonic())
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: ask(open_session(["127.0.0.1"]), f"{site.url}/x", NAME), range(4)))
    assert len(times) == 4 and times[-1] - times[0] > 0.1


def test_the_name_is_sent_with_the_question(site: Site) -> None:
    site.put("/x.json", "{}")
    assert ask_json(open_session(["127.0.0.1"]), f"{site.url}/x.json", NAME, {"q": "a b"}) == {}
    assert site.asked == ["/x.json?q=a+b"] and site.headers[0]["User-Agent"] == NAME
