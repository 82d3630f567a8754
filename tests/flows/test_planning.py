"""What `manyminds plan` estimates, from samples that the lake has seen."""

from collections.abc import Callable

import polars as pl
import pytest

from flows.planning import plan, print_plan
from tasks.config import RunFile
from tasks.lake.files import Lake, write_table
from tasks.lake.tables import GENERATIONS
from tasks.sampling.sample import TOKENS_PER_SECOND

MakeRun = Callable[..., RunFile]


def sampled(run: RunFile, model: str, rate: str | None = "400") -> None:
    """Two samples by some other recipe: 30 and 50 tokens long, prompts of 100."""
    rows = {
        "query_id": ["0" * 16, "1" * 16],
        "model": model,
        "recipe": "r0",
        "bucket": "00-of-01",
        "sample": 0,
        "seed": 1,
        "text": "4",
        "finish_reason": "stop",
        "prompt_tokens": 100,
        "completion_tokens": [30, 50],
        "latency_s": 0.1,
        "first_token_s": 0.1,
    }
    frame = pl.DataFrame(rows, schema_overrides=GENERATIONS.schema)
    notes = {TOKENS_PER_SECOND: rate} if rate else None
    write_table(Lake(run.lake), GENERATIONS, frame, f"model={model}/recipe=r0/bucket=00-of-01/some.parquet", notes)


def test_tokens_hours_and_dollars_follow_from_what_the_lake_has_seen(make_run: MakeRun) -> None:
    models = [model.model_dump() for model in make_run().models]
    models[0] |= {"price": {"prompt": 1.0, "completion": 2.0}, "replicas": 2}
    run = make_run(models=models)
    sampled(run, "ledger")
    ledger, scribe = plan(run)
    assert (ledger.wanted, ledger.present, ledger.to_draw) == (144, 0, 144)
    assert ledger.tokens == 144 * 40
    assert ledger.hours == pytest.approx(144 * 40 / 400 / 3600 / 2)  # two replicas
    assert ledger.dollars == pytest.approx(144 * (100 * 1.0 + 40 * 2.0) / 1e6)
    assert ledger.was_sampled and not scribe.was_sampled
    assert (scribe.tokens, scribe.hours, scribe.dollars) == (144 * 40, None, None)  # max_new_tokens is 40: at most


def test_a_stated_rate_counts_where_none_was_seen_and_before_what_was_seen(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    models = [model.model_dump() | {"tokens_per_second": 100.0} for model in make_run().models]
    run = make_run(models=models)
    sampled(run, "ledger")
    for one in plan(run):
        assert one.hours == pytest.approx(144 * 40 / 100 / 3600)
    print_plan(run)
    printed = capsys.readouterr().out
    assert "Tokens of scribe: at most" in printed and "Hours of" not in printed


def test_samples_that_say_no_rate_leave_the_hours_unknown(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run()
    sampled(run, "ledger", rate=None)
    assert plan(run)[0].hours is None
    print_plan(run)
    assert "Hours of ledger, scribe: not known" in capsys.readouterr().out


def test_where_sampling_stops_early_the_plan_is_at_most(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(sampling={"k": 3, "max_new_tokens": 40, "buckets": 2, "stop": "decided"})
    assert [one.to_draw for one in plan(run)] == [144, 144]
    print_plan(run)
    assert "At most so many" in capsys.readouterr().out
