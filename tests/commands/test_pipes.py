"""Pipes as a person types them."""

from __future__ import annotations

import json

import pytest

from tests.commands.samples import CHAIN, STEPS
from tests.conftest import House


@pytest.fixture
def chain(house: House) -> House:
    house.job("demo", CHAIN, steps=STEPS)
    return house


def lines(count: int) -> str:
    return "\n".join(json.dumps({"id": f"i{number}", "title": f"t{number}"}) for number in range(count))


def keys(out: str) -> set[str]:
    return {json.loads(line)["key"] for line in out.splitlines()}


def test_items_flow_through_a_pipe_of_stages(chain: House) -> None:
    (chain.root / "items").write_text(lines(5))
    done = chain.shell("rivus-inject demo < items | rivus-stage fetch | rivus-stage extract | rivus-stage score")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert keys(done.stdout) == {f"i{number}" for number in range(5)}
    assert json.loads(done.stdout.splitlines()[0])["data"]["value"] == len("HELLO T0")
    assert len(chain.box("demo", "score", "done")) == 5


def test_the_one_word_form_is_the_same(chain: House) -> None:
    done = chain.shell("rivus inject demo --url https://example.org/a | rivus stage demo:fetch")
    assert done.returncode == 0, done.stderr
    assert keys(done.stdout) == {"https://example.org/a"}


def test_head_closing_early_is_a_normal_end(chain: House) -> None:
    (chain.root / "items").write_text(lines(50))
    done = chain.shell("rivus-inject demo < items | rivus-stage fetch | head -1")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    boxes = [len(chain.box("demo", "fetch", box)) for box in ("ready", "done")]
    assert sum(boxes) == 50


def test_an_empty_stdin_asks_for_nothing(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin=lines(1))
    assert chain.run("rivus-stage", "fetch", stdin="").out == ""
    assert len(chain.box("demo", "fetch", "ready")) == 1


@pytest.mark.parametrize("stdin", ["< /dev/null", "<&-", "--no-stdin < empty"])
def test_no_stdin_asks_for_the_spool(chain: House, stdin: str) -> None:
    (chain.root / "empty").write_text("")
    chain.run("rivus-inject", "demo", stdin=lines(1))
    done = chain.shell(f"rivus-stage fetch {stdin}")
    assert (done.returncode, done.stderr) == (0, "")
    assert keys(done.stdout) == {"i0"}


def test_a_line_that_is_not_json_is_named_and_the_others_pass(chain: House) -> None:
    text = lines(1) + "\nthis is not json\n[1]\n" + '{"id": "x", "id": "y"}\n' + lines(2).splitlines()[1]
    done = chain.run("rivus-inject", "demo", stdin=text, code=65)
    assert {line["key"] for line in done.lines} == {"i0", "i1"}
    assert "line 2" in done.err
    assert "line 3" in done.err
    assert "stands twice" in done.err
    assert "Traceback" not in done.err


def test_a_bare_object_becomes_an_item_of_the_job_that_the_stage_names(chain: House) -> None:
    done = chain.run("rivus-stage", "demo:fetch", stdin='{"url": "https://example.org/q"}')
    assert [line["data"]["raw"] for line in done.lines] == ["hello "]


def test_an_item_that_another_worker_holds_is_waited_for_and_printed(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a", "do": "slow"}')
    other = chain.start("rivus-stage", "demo:fetch")
    chain.wait_for(lambda: bool(_running(chain)), "the other worker's claim")
    done = chain.run("rivus-stage", "demo:fetch", "demo/a")
    out, _ = other.communicate(timeout=20)
    assert [line["state"] for line in done.lines] == ["done"]
    assert done.lines == [json.loads(line) for line in out.splitlines()]


def test_an_item_whose_worker_was_killed_is_run_by_the_one_that_waits(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a", "do": "slow"}')
    other = chain.start("rivus-stage", "demo:fetch")
    chain.wait_for(lambda: bool(_running(chain)), "the other worker's claim")
    waiting = chain.start("rivus-stage", "demo:fetch", "demo/a")
    other.kill()
    other.communicate()
    out, _ = waiting.communicate(timeout=20)
    assert json.loads(out)["state"] == "done"
    assert chain.ticket("demo", "fetch", "done", "a.json")["attempts"][0]["outcome"] == "interrupted"


def _running(house: House) -> list[str]:
    running = house.root / "spool/demo/fetch/running"
    return [str(path) for path in running.glob("*/*.json")] if running.exists() else []


def test_an_item_that_is_done_already_is_printed_at_once(chain: House) -> None:
    first = chain.run("rivus-stage", "demo:fetch", stdin='{"id": "a"}')
    again = chain.run("rivus-stage", "demo:fetch", "demo/a")
    assert first.lines == again.lines


def test_an_item_that_waits_for_another_stage_is_left_alone_with_a_word(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a"}')
    done = chain.run("rivus-stage", "demo:extract", "demo/a")
    assert done.out == ""
    assert "waits for fetch" in done.err


def test_an_unknown_address_is_named(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin='{"id": "a"}')
    assert "no such" in chain.run("rivus-stage", "demo:fetch", "other/a").err
    assert "not an item" in chain.run("rivus-stage", "demo:fetch", "demo/nothing").err
    assert "JOB/KEY" in chain.run("rivus-stage", "demo:fetch", "nonsense", code=65).err


def test_two_stages_at_once_run_each_item_once(chain: House) -> None:
    chain.run("rivus-inject", "demo", stdin=lines(60))
    workers = [chain.start("rivus-stage", "demo:fetch") for _ in range(3)]
    printed = [json.loads(line)["key"] for worker in workers for line in worker.communicate(timeout=30)[0].splitlines()]
    assert sorted(printed) == sorted(f"i{number}" for number in range(60))




def test_what_breaks_while_items_are_read_is_the_commands_failure(chain: House) -> None:
    (chain.root / "spool/demo/discover/.lock").mkdir(parents=True)
    done = chain.run("rivus-stage", "demo:fetch", stdin='{"id": "a"}', code=1)
    assert ".lock" in done.err
    assert "Traceback" not in done.err
