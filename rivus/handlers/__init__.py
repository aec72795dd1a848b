"""What stages run: the handlers that come with rivus, by the name that stands in `handler:`.

A handler is `name(item, ctx, *, parameters) -> output`: `item` is the item's data with the outputs of the stages
before laid over it, `ctx` a `rivus.model.context.Context`, the parameters are what stands under `with:`.
"""

from __future__ import annotations

REGISTRY: dict[str, str] = {
    "captions.text": "rivus.handlers.captions:text",
    "score.keywords": "rivus.handlers.score:keywords",
    "web.page": "rivus.handlers.web:page",
    "youtube.captions": "rivus.handlers.youtube:captions",
}
