"""What a handler gets besides its item."""

from __future__ import annotations

from rivus.config.load import load_jobs
from rivus.spool.layout import open_spool
from rivus.tell.fsck import fsck
from tests.conftest import House, World

COUNT = """
def count(item, ctx):
    with (ctx.state / "seen.json").open("a+") as file:
        file.write(ctx.key)
        file.seek(0)
        return {"seen": file.read()}
"""


def test_the_state_of_a_stage_outlives_items_and_is_another_one_under_test(house: House) -> None:
    house.job("demo", "stages:\n  keep: {handler: count.count, concurrency: 1}\n", count=COUNT)
    house.run("rivus-inject", "demo", stdin='{"key": "a"}\n{"key": "b"}')
    house.run("rivus-run", "demo")
    seen = [house.ticket("demo", "keep", "done", f"{key}.json")["output"]["seen"] for key in "ab"]
    assert sorted(seen, key=len)[1] in ("ab", "ba")
    house.run("rivus-inject", "demo", "--test", stdin='{"key": "c"}')
    house.run("rivus-run", "demo", "--test")
    assert (house.root / "spool/_test/demo/keep/state/seen.json").read_text() == "c"
    assert fsck(open_spool(str(house.root / "spool")), load_jobs(house.root / "jobs.d")) == []


def test_a_server_that_hangs_does_not_make_the_handler_hang(house: House, world: World) -> None:
    asked = "retry: [], timeout: 1s, handler: http.json, with: {into: x}"
    house.job("demo", f"allow_private_hosts: [127.0.0.1]\nstages:\n  ask: {{{asked}}}\n")
    house.run("rivus-inject", "demo", stdin=f'{{"key": "a", "url": "{world.url}/fault/hang"}}')
    said = house.run("rivus-run", "demo").err
    assert "no complete answer within 0.9 s" in said and "could not be ended" not in said
