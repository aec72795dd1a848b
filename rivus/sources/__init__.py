"""Discovery strategies: where items come from. Each is `def name(look, *, parameters) -> Iterator[Found]`.

A source returns data only. It yields the newest first, and may be stopped at any item; its keyword-only parameters
are what stands beside `strategy:` in a job, and its docstring is their documentation.
"""

REGISTRY: dict[str, str] = {
    "command": "rivus.sources.command:command",
    "feed": "rivus.sources.feed:feed",
    "files": "rivus.sources.files:files",
    "finnhub_calendar": "rivus.sources.finnhub:finnhub_calendar",
    "web_links": "rivus.sources.web:web_links",
    "youtube_channel": "rivus.sources.youtube:youtube_channel",
}
"""Strategy -> "module:function", imported when a job uses it."""
