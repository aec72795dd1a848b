"""A spool with an index, as tests of the index need them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rivus.config import Jobs, load_jobs
from rivus.index.compare import differences
from rivus.index.fresh import database
from rivus.index.store import Store
from rivus.index.update import Updated, update, writing
from rivus.spool.layout import Spool
from tests.spool.crash import fresh_spool

JOB = """
stages:
  fetch: {command: [cat]}
  extract: {command: [cat]}
  score: {command: [cat]}
columns: {title: data.title, url: data.url, text: fetch.text, score: score.value, x: extract.x, found: meta.discovered}
search: [title, text]
"""


class Site:
    """jobs.d with one job, `job`, its spool, and the index."""

    def __init__(self, root: Path, yaml: str = JOB, spool: Spool | None = None) -> None:
        self.spool: Spool = spool or fresh_spool(root)
        self.folder = root.with_name(f"{root.name}.jobs")
        self.folder.mkdir(exist_ok=True)
        self.write(yaml)

    def write(self, yaml: str, name: str = "job") -> None:
        (self.folder / f"{name}.yaml").write_text(yaml)
        self.jobs: Jobs = load_jobs(self.folder)

    def update(self, **how: bool) -> Updated:
        with writing(self.spool, None) as mine:
            assert mine
            return update(self.spool, self.jobs, **how)

    def differences(self) -> list[dict[str, Any]]:
        with writing(self.spool, None) as mine:
            assert mine
            return list(differences(self.spool, self.jobs))

    def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        store = Store(database(self.spool))
        try:
            return [tuple(row) for row in store.db.execute(sql, values)]
        finally:
            store.close()

    def one(self, sql: str, *values: object) -> Any:
        """The one value that a query gives."""
        ((value,),) = self.rows(sql, *values)
        return value
