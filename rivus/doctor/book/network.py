"""HTTP statuses and the network below them, in the classes of requests, urllib3, httpx, aiohttp, yt-dlp and Python."""

from __future__ import annotations

from rivus.doctor.rule import DAY, HOUR, MINUTE, Example, Rule
from rivus.model.diagnosis import Action as A
from rivus.model.diagnosis import FailureClass as C

RULES: tuple[Rule, ...] = (
    Rule(
        "bad_address", C.BAD_INPUT, A.FAIL_ITEM, "it is no address that can be asked",
        Example("ftp://a", "requests.exceptions.InvalidSchema"),
        kinds=(
            "MissingSchema", "InvalidSchema", "InvalidURL", "UnsupportedProtocol", "LocationParseError",
            "InvalidUrlClientError", "LocationValueError", "URLSchemeUnknown", "UnsupportedRequest",
            "UnsupportedError", "NonHttpUrlClientError",
        ),
    ),
    Rule(
        "bad_address_said", C.BAD_INPUT, A.FAIL_ITEM, "it is no address that can be asked",
        Example("<urlopen error unknown url type: tel>", "urllib.error.URLError"),
        text=r"unknown url type|no scheme supplied|no host (?:supplied|given|specified)"
        r"|no connection adapters|invalid ipv6 url|missing an? 'https?://'|url can't contain control"
        r"|nonnumeric port|failed to parse: |label (?:empty or )?too long|url has an invalid label"
        r"|host='https?'|port out of range|port could not be cast|unsupported (?:url )?scheme|not a valid url"
        r"|invalid url",
    ),
    Rule(
        "not_signed_in", C.AUTH, A.NEEDS_HUMAN, "the site wants a credential, or refuses this one",
        Example("401 Client Error:  for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(401, 498),
    ),
    Rule(
        "must_be_paid", C.QUOTA_EXHAUSTED, A.NEEDS_HUMAN, "the account must be paid",
        Example("402 Client Error: for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(402,),
    ),
    Rule(
        "site_refuses_scraper", C.ACCESS_DENIED, A.FAIL_ITEM, "the site does not give this page to yt-dlp",
        Example("[generic] v: Unable to download webpage: HTTP Error 403: Forbidden", "yt_dlp.utils.DownloadError",
                "yt-dlp"),
        status=(403,), text=r"unable to download (?:webpage|json)|\[generic\]", handler=("yt-dlp", "youtube"),
    ),
    Rule(
        "service_forbidden", C.ACCESS_DENIED, A.PAUSE_SOURCE, "the service refuses this address, or its User-Agent",
        Example("403 Client Error: Forbidden for url: https://www.sec.gov/a", "requests.exceptions.HTTPError", "sec"),
        status=(403,), handler=("sec", "edgar", "reddit", "finnhub", "github", "hackernews"), after=6 * HOUR,
    ),
    Rule(
        "forbidden", C.ACCESS_DENIED, A.PAUSE_SOURCE, "the site does not let this address in",
        Example("403 Client Error: Forbidden for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(403, 406, 418, 999), after=HOUR,
    ),
    Rule(
        "illegal_there", C.ACCESS_DENIED, A.FAIL_ITEM, "not shown for legal reasons",
        Example("451 Client Error: Unavailable For Legal Reasons for url: https://a/b",
                "requests.exceptions.HTTPError"),
        status=(423, 451),
    ),
    Rule(
        "feed_missing", C.GONE_PERMANENTLY, A.PAUSE_SOURCE, "the feed, or the list, is gone",
        Example("404 Client Error: Not Found for url: https://a/feed", "requests.exceptions.HTTPError", "feed"),
        status=(404, 410), handler=("feed", "reddit", "youtube_feed", "rss", "sitemap"), after=DAY,
    ),
    Rule(
        "feed_missing_text", C.GONE_PERMANENTLY, A.PAUSE_SOURCE, "the channel, or the list, is gone",
        Example("[youtube:tab] @a: Unable to download API page: HTTP Error 404: Not Found",
                "yt_dlp.utils.DownloadError", "yt-dlp"),
        status=(404, 410),
        text=r"\[\w+:(?:tab|user|channel|playlist)\]|feeds/videos\.xml|[?&](?:channel|playlist)_id=", after=DAY,
    ),
    Rule(
        "not_found", C.GONE_PERMANENTLY, A.FAIL_ITEM, "there is nothing at this address",
        Example("404 Client Error: Not Found for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(404, 410),
    ),
    Rule(
        "proxy_statuses", C.CONFIG_ERROR, A.NEEDS_HUMAN, "a proxy, or the network here, wants a login",
        Example("407 Client Error:  for url: https://a/b",
                "requests.exceptions.HTTPError"),
        status=(407, 511),
    ),
    Rule(
        "request_not_made_well", C.HANDLER_BUG, A.NEEDS_HUMAN,
        "the handler asks in a way that the server does not know",
        Example("405 Client Error: Method Not Allowed for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(405, 411, 415, 426, 428, 431),
    ),
    Rule(
        "wrong_request", C.BAD_INPUT, A.FAIL_ITEM, "the server does not take this request",
        Example("400 Client Error: Bad Request for url: https://a/b", "requests.exceptions.HTTPError"),
        status=(*range(400, 500), 501, 505),
    ),
    Rule(
        "redirects", C.PARSER_BROKEN, A.FAIL_ITEM, "the address leads in a circle",
        Example("Exceeded 30 redirects.", "requests.exceptions.TooManyRedirects"),
        kinds=("TooManyRedirects",),
    ),
    Rule(
        "redirects_said", C.PARSER_BROKEN, A.FAIL_ITEM, "the address leads in a circle",
        Example("HTTP Error 302: The HTTP server returned a redirect error that would lead to an infinite loop."),
        text=r"redirect (?:error|loop)|http error 30[12378]|too many redirects|exceeded \d{1,4} redirects"
        r"|infinite loop",
    ),
    Rule(
        "tls_broke_off", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the connection broke off while it was made safe",
        Example("EOF occurred in violation of protocol (_ssl.c:1129)", "ssl.SSLEOFError"),
        kinds=("SSLError", "SSLEOFError", "SSLZeroReturnError", "SSLWantReadError", "ClientConnectorSSLError"),
    ),
    Rule(
        "connection_broke_off", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the network, or the other side, broke off",
        Example("('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
                "requests.exceptions.ConnectionError"),
        kinds=(
            "ConnectionError", "ConnectionResetError", "ConnectionAbortedError", "ConnectionRefusedError",
            "BrokenPipeError",
            "ChunkedEncodingError", "ContentDecodingError", "ProtocolError", "RemoteDisconnected", "IncompleteRead",
            "InvalidChunkLength", "NewConnectionError", "NameResolutionError", "MaxRetryError", "BadStatusLine",
            "gaierror",
            "herror", "ConnectError", "httpx.ReadError", "WriteError", "CloseError", "RemoteProtocolError",
            "urllib3.DecodeError", "DecodingError",
            "ClientConnectorError", "ClientOSError", "ClientPayloadError", "ServerDisconnectedError",
            "ClientConnectionError",
            "ServerConnectionError", "TransportError", "ContentTooShortError", "APIConnectionError", "RetryError",
            "NetworkError",
            "InternalServerError", "ServiceUnavailable", "ServiceUnavailableError", "ServerError", "EndOfStream",
            "ConnectionClosed",
        ),
    ),
    Rule(
        "too_slow", C.TRANSIENT_NETWORK, A.RETRY_SOON, "no answer in time",
        Example("timed out", "TimeoutError"),
        kinds=(
            "TimeoutError", "Timeout", "timeout", "ReadTimeout", "ConnectTimeout", "ReadTimeoutError",
            "ConnectTimeoutError",
            "WriteTimeout", "PoolTimeout", "TimeoutException", "ServerTimeoutError", "ConnectionTimeoutError",
            "APITimeoutError",
            "DeadlineExceeded", "SocketTimeoutError", "TimeoutExpired", "CancelledError",
        ),
    ),
    Rule(
        "network_errno", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the system says that the network is down, or broke off",
        Example("<urlopen error [Errno 111] Connection refused>", "urllib.error.URLError"),
        errno=(4, 32, *range(99, 105), 107, 108, *range(110, 114), -2, -3, -4, -5, -7, -11, 51, 54, 60, 61, 64, 65,
               10051, 10053, 10054, 10060, 10061, 10065, 11001, 11002, 11004),
    ),
    Rule(
        "network_said", C.TRANSIENT_NETWORK, A.RETRY_SOON, "the network, or the other side, broke off",
        Example("curl: (6) Could not resolve host: example.com"),
        text=r"\btimed? ?out\b|\btimeout\b|time-out|name resolution|resolve host|name or service not known"
        r"|nodename nor servname|getaddrinfo|no address associated|connection (?:was |has been "
        r"|is )?(?:refused|reset|aborted|broken|closed|lost|error|failed|dropped|terminated|interrupted)"
        r"|connection pool|network is (?:down|unreachable)|no route to host|unreachable|remote end closed"
        r"|server (?:closed|disconnected)|broken pipe|network error|temporary failure|temporarily unavailable"
        r"|service unavailable|bad gateway|internal server error|gateway time|server error|could not connect"
        r"|failed to connect|cannot connect|unable to connect|eof occurred|unexpected[_ ]eof"
        r"|premature(?:ly)? (?:close|end)|peer closed|socket hang up|net::err_(?:name|connection|timed"
        r"|network|internet|address|empty)|econn(?:reset|refused|aborted)|etimedout|enotfound|eai_again"
        r"|incomplete ?read|took longer than|took too long|error on server-side|try again (?:later|in a)"
        r"|please retry|while decompressing|failed to decode it|before the end-of-stream",
    ),
    Rule(
        "unavailable", C.TRANSIENT_NETWORK, A.RETRY_SOON, "what is outside cannot be reached",
        Example("nothing answers", "rivus.errors.Unavailable"),
        kinds=("rivus.Unavailable", "rivus.TryAgain"), after=MINUTE,
    ),
)
