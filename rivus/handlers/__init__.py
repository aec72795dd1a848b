"""What stages run: the handlers that come with rivus, by the name that stands in `handler:`.

A handler is `name(item, ctx, *, parameters) -> output`: `item` is the item's data with the outputs of the stages
before laid over it, `ctx` a `rivus.model.context.Context`, the parameters are what stands under `with:`.
"""

from __future__ import annotations

REGISTRY: dict[str, str] = {
    "captions.text": "rivus.handlers.captions:text",
    "dedupe.near": "rivus.handlers.dedupe:near",
    "finnhub.company": "rivus.handlers.finnhub:company",
    "finnhub.quote": "rivus.handlers.finnhub:quote",
    "finnhub.surprises": "rivus.handlers.finnhub:surprises",
    "http.download": "rivus.handlers.http:download",
    "http.json": "rivus.handlers.http:get_json",
    "llm.check": "rivus.handlers.llm:check",
    "llm.embed": "rivus.handlers.llm:embed",
    "llm.extract": "rivus.handlers.llm:extract",
    "llm.score": "rivus.handlers.llm:score",
    "merge.best": "rivus.handlers.merge:best",
    "notify.webhook": "rivus.handlers.notify:webhook",
    "score.keywords": "rivus.handlers.score:keywords",
    "score.rules": "rivus.handlers.rules:rules",
    "sec.filing": "rivus.handlers.sec:filing",
    "store.csv": "rivus.handlers.store:csv_",
    "store.jsonl": "rivus.handlers.store:jsonl",
    "store.sqlite": "rivus.handlers.store:sqlite",
    "web.article": "rivus.handlers.article:article",
    "web.fields": "rivus.handlers.selected:fields",
    "web.page": "rivus.handlers.web:page",
    "youtube.audio": "rivus.handlers.video:audio",
    "youtube.captions": "rivus.handlers.youtube:captions",
    "youtube.info": "rivus.handlers.video:info",
}
