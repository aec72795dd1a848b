from __future__ import annotations

import pytest

from rivus import secrets
from rivus.net.cleaned import beginning, clean

VALUE = "hush-hush-1234567890"


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RIVUS_SECRET_CLEANED_KEY", VALUE)
    secrets.get("cleaned_key")


@pytest.mark.parametrize("name", ["token", "apikey", "api_key", "Key", "client_secret", "X-Amz-Signature", "keys"])
def test_what_a_query_calls_a_secret_is_hidden(name: str) -> None:
    assert clean(f"https://a.example/x?a=1&{name}=truelove&b=2") == f"https://a.example/x?a=1&{name}=[secret]&b=2"


@pytest.mark.parametrize(
    "part", ["showResumeKey=true", "has_token=0", "key=1", "keywords=a+b", "author=Ann", "resumeKey=com%2C+2024", "a=b"]
)
def test_what_only_sounds_like_one_is_shown(part: str) -> None:
    for text in (f"https://a.example/x?{part}", f"https://a.example/x?y=1&{part}&z=2 said no"):
        assert clean(text) == text


def test_no_cut_leaves_half_a_secret() -> None:
    for before in range(60):
        shown = beginning(f"{'x' * before}{VALUE} and more words".encode(), 40)
        assert len(shown) <= 40 and "hush" not in shown
    assert beginning("a\x1b[1m\n b", 40) == "a[1m b"
