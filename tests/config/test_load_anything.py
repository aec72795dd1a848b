"""Whatever stands in jobs.d, it gives jobs or problems, and never disables another job."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rivus.config import load_jobs

GOOD = "stages: {fetch: {handler: a.b}}\n"
WORDS = ["title", "enabled", "discover", "strategy", "every", "limit", "stages", "fetch", "handler", "command",
         "needs", "retry", "timeout", "expect", "min_length", "with", "columns", "allow_private_hosts", "a.b", "1h",
         "no", "5", "-1", "2.5", "true", "null", "127.0.0.1", "250/h", "slots", "rate", "'x'"]  # fmt: skip
FLOW = st.recursive(
    st.sampled_from(WORDS),
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda parts: f"[{', '.join(parts)}]")
        | st.lists(st.tuples(st.sampled_from(WORDS), inner), max_size=5).map(
            lambda pairs: "{" + ", ".join(f"{name}: {value}" for name, value in pairs) + "}"
        )
    ),
    max_leaves=25,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FLOW, FLOW)
def test_any_yaml_gives_a_job_or_problems(tmp_path: Path, job: str, limits: str) -> None:
    _load_any(tmp_path, f"discover: {job}\nstages: {job}\n".encode(), limits.encode())
    _load_any(tmp_path, job.encode(), limits.encode())


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=100), st.binary(max_size=50))
def test_any_bytes_give_a_job_or_problems(tmp_path: Path, job: bytes, limits: bytes) -> None:
    _load_any(tmp_path, job, limits)


def _load_any(folder: Path, job: bytes, limits: bytes) -> None:
    (folder / "good.yaml").write_text(GOOD)
    (folder / "any.yaml").write_bytes(job)
    (folder / "limits.yaml").write_bytes(limits)
    jobs = load_jobs(folder)
    assert "good" in jobs.jobs
    assert ("any" in jobs.jobs) != ("any" in jobs.broken)
    assert "any" in jobs.jobs or any("any.yaml:" in str(problem) for problem in jobs.problems)
