"""A page that is fetched once and read by several stages of real commands."""

from __future__ import annotations

import json

from tests.conftest import House, World

JOB = """
allow_private_hosts: [127.0.0.1]
stages:
  fetch:   {handler: web.page, with: {into: live, min_text: 200}}
  article: {handler: web.article, needs: [fetch], with: {file_field: live.file, min_text: 500}}
  fields:
    handler: web.fields
    needs: [fetch]
    with:
      file_field: live.file
      into: fields
      fields: {title: {select: title, required: true}, links: {select: a, type: url, many: true}}
  raw:     {handler: http.download, needs: [], with: {types: [text/html], into: raw}}
  story:
    handler: http.json
    needs: [article, fields]
    with: {url: "URL/v0/item/{n}.json", select: "{by: by}", into: story}
"""


def test_a_page_is_fetched_once_and_read_by_each_stage_after_it(house: House, world: World) -> None:
    house.job("news", JOB.replace("URL", world.url))
    page = f"{world.url}/files/html_articles/github.blog.spiceland.html"
    house.run("rivus-check")
    house.run("rivus-inject", "news", stdin=json.dumps({"key": "a", "url": page, "n": 8863, "title": "of the feed"}))
    house.run("rivus-run", "news")
    done = {stage: house.ticket("news", stage, "done", "a.json")["output"] for stage in ("article", "fields", "story")}
    assert done["article"]["author"] == "Jessica Rudder" and done["article"]["method"] == "trafilatura"
    fields = done["fields"]["fields"]
    assert fields["title"].startswith("Leader spotlight") and len(fields["links"]) > 9
    assert done["story"] == {"story": {"by": "dhouston"}}
    assert world.counts()["requests"] == {"/files": 2, "/v0": 1}
    files = house.root / "spool/news/files/a"
    kept = sorted(str(path.relative_to(files)) for path in files.rglob("*.*"))
    assert kept == ["fetch/page.html.gz", "raw/body.html"]
