"""rivus-check: every problem of jobs.d with its place, and nothing else happens."""

from __future__ import annotations

from tests.commands.samples import CHAIN, STEPS
from tests.commands.trees import tree
from tests.conftest import House


def test_sound_jobs_are_passed_in_silence(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    house.job("limits", "outside: {slots: 1}")
    done = house.run("rivus-check")
    assert (done.out, done.err) == ("", "")


def test_no_job_is_no_problem(house: House) -> None:
    assert house.run("rivus-check").out == ""


def test_every_problem_is_a_line_with_its_place(house: House) -> None:
    house.job(
        "demo", "stages:\n  fetch: {handler: steps.fecth, tiemout: 5}\n  score: {handler: steps.score}\n", steps=STEPS
    )
    house.job("other", "stages: {fetch: {handler: steps.fetch, limit: outsdie}}")
    house.job("limits", "outside: {slots: 1}")
    done = house.run("rivus-check", code=78)
    rows = done.out.splitlines()
    assert [row.partition(": ")[0] for row in rows] == [
        "jobs.d/demo.yaml:2:11", "jobs.d/demo.yaml:2:33", "jobs.d/other.yaml:1:40",
    ]  # fmt: skip
    assert "stages.fetch.handler: unknown handler 'steps.fecth'" in rows[0] and "did you mean" in rows[0]
    assert "did you mean 'timeout'" in rows[1] and "did you mean 'outside'" in rows[2]
    assert done.err == ""


def test_as_json_a_problem_has_exactly_these_fields(house: House) -> None:
    house.job("demo", "stages: {fetch: {handler: none}}")
    assert house.run("rivus-check", "--json", code=78).lines == [
        {"file": "jobs.d/demo.yaml", "line": 1, "col": 18, "path": "stages.fetch.handler",
         "message": "unknown handler 'none'"}
    ]  # fmt: skip


def test_checking_touches_neither_the_spool_nor_the_jobs(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    (house.root / "spool").rmdir()
    before = tree(house.root)
    house.run("rivus-check")
    assert tree(house.root) == before


def test_a_module_that_fails_to_load_is_a_problem_and_no_traceback(house: House) -> None:
    house.job("demo", "stages: {a: {handler: bad.a}, b: {handler: gone.b}, c: {handler: ends.c}}",
              bad="1 / 0\n", ends="raise SystemExit(5)\n")  # fmt: skip
    done = house.run("rivus-check", code=78)
    assert len(done.out.splitlines()) == 3
    assert "ZeroDivisionError" in done.out and "SystemExit" in done.out and done.err == ""


def test_a_file_that_is_no_yaml_or_no_text_is_a_problem(house: House) -> None:
    house.job("one", "stages: [\n")
    (house.root / "jobs.d/two.yaml").write_bytes(b"\xff\xfe\x00")
    (house.root / "jobs.d/three.yaml").mkdir()
    (house.root / "jobs.d/four.yaml").symlink_to("/nowhere")
    (house.root / "jobs.d/Five.yaml").write_text("stages: [a]")
    (house.root / "jobs.d/six.yml").write_text("stages: [a]")
    done = house.run("rivus-check", code=78)
    assert {row.partition(".y")[0] for row in done.out.splitlines()} == {
        f"jobs.d/{name}" for name in ("one", "two", "three", "four", "Five", "six")
    }
    assert done.err == ""


def test_strategies_and_handlers_are_listed_with_those_of_the_jobs(house: House) -> None:
    house.job("demo", CHAIN, steps=STEPS)
    listed = house.run("rivus-check", "--handlers").out.splitlines()
    assert [row.split()[0] for row in listed if row.startswith("steps.")]
    page = next(number for number, row in enumerate(listed) if row.startswith("web.page "))
    assert "One web page: its body" in listed[page] and listed[page + 1].split() == [
        "[url_field]", "[into]", "[min_text]",
    ]  # fmt: skip
    rows = house.run("rivus-check", "--strategies", "--json", "feed", "--jobs", "/no/such").lines
    assert rows[0].keys() == {
        "name", "summary", "parameters", "since_until", "network", "secrets", "extras", "doc",
    }  # fmt: skip
    assert (rows[0]["name"], rows[0]["since_until"], rows[0]["parameters"][0]["required"]) == ("feed", True, True)


def test_all_about_one_is_its_signature_and_its_docstring(house: House) -> None:
    told = house.run("rivus-check", "--handlers", "llm.embed").out
    assert told.startswith("llm.embed: The vector of an item's text") and "secrets: llm_api_key" in told
    assert "  max_chars (whole number, default 20000)\n" in told and "embed: {handler: llm.embed" in told
    assert "web.page" not in told


def test_a_name_that_nobody_has_is_a_mistake_on_the_command_line(house: House) -> None:
    assert "did you mean 'web.page'?" in house.run("rivus-check", "--handlers", "web.pag", code=2).err
    assert "--strategies" in house.run("rivus-check", "feed", code=2).err


def test_a_folder_that_is_not_there_is_said(house: House) -> None:
    done = house.run("rivus-check", "--jobs", "/no/such", code=78)
    assert (done.out, done.err) == (
        "", "rivus-check: /no/such: no such directory; name the jobs with --jobs or RIVUS_JOBS\n",
    )  # fmt: skip
    assert house.run("rivus-check", "demo", code=2).out == ""
