"""Discovery strategies: where items come from. Each is `def name(look, *, parameters) -> Iterator[Found]`.

A source returns data only. It yields the newest first, and may be stopped at any item; its keyword-only parameters
are what stands beside `strategy:` in a job, and its docstring is their documentation.
"""

REGISTRY: dict[str, str] = {
    "command": "rivus.sources.command:command",
    "dates": "rivus.sources.given:dates",
    "feed": "rivus.sources.feed:feed",
    "files": "rivus.sources.files:files",
    "finnhub_calendar": "rivus.sources.finnhub:finnhub_calendar",
    "finnhub_insider": "rivus.sources.finnhub:finnhub_insider",
    "finnhub_ipo": "rivus.sources.finnhub:finnhub_ipo",
    "finnhub_news": "rivus.sources.finnhub:finnhub_news",
    "github_releases": "rivus.sources.github:github_releases",
    "hackernews": "rivus.sources.hackernews:hackernews",
    "items": "rivus.sources.items:items",
    "json_api": "rivus.sources.json_api:json_api",
    "list": "rivus.sources.given:list",
    "podcast": "rivus.sources.podcast:podcast",
    "reddit": "rivus.sources.reddit:reddit",
    "rows": "rivus.sources.rows:rows",
    "sec_daily": "rivus.sources.sec:sec_daily",
    "sec_filings": "rivus.sources.sec:sec_filings",
    "sec_search": "rivus.sources.sec:sec_search",
    "sitemap": "rivus.sources.sitemap:sitemap",
    "wayback": "rivus.sources.wayback:wayback",
    "web_change": "rivus.sources.web_change:web_change",
    "web_links": "rivus.sources.web:web_links",
    "web_table": "rivus.sources.web_table:web_table",
    "youtube_channel": "rivus.sources.youtube:youtube_channel",
    "youtube_playlist": "rivus.sources.youtube_lists:youtube_playlist",
    "youtube_search": "rivus.sources.youtube_lists:youtube_search",
}
"""Strategy -> "module:function", imported when a job uses it."""
