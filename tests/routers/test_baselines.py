import numpy as np
import polars as pl
import pytest
from router_examples import none, planted, queries, router, shuffled, with_holes

from tasks.lake.interfaces import Examples
from tasks.routers import load_router


@pytest.fixture
def two_benchmarks():
    both = pl.concat([queries(["one", "two"], "gsm8k"), queries(["three", "four"], "mmlu").with_columns(query_id="z" + pl.col("query_id"))])
    return Examples(both, np.array([[1, 0], [1, 0], [0, 1], [0, 1]], dtype=np.float32), ("a", "b"))


def test_best_single_gives_every_query_the_mean_rewards(two_benchmarks):
    fitted = router("best-single").fit(two_benchmarks, none(two_benchmarks))
    assert fitted.confidences(queries(["anything"])).tolist() == [[0.5, 0.5]]
    assert fitted.models == ("a", "b")


def test_benchmark_knows_only_the_benchmark(two_benchmarks):
    fitted = router("benchmark").fit(two_benchmarks, none(two_benchmarks))
    assert fitted.confidences(two_benchmarks.queries).tolist() == [[1, 0], [1, 0], [0, 1], [0, 1]]


def test_benchmark_falls_back_on_all_queries_where_the_benchmark_is_new_or_not_known(two_benchmarks):
    fitted = router("benchmark").fit(two_benchmarks, none(two_benchmarks))
    assert fitted.confidences(queries(["?"], "new")).tolist() == [[0.5, 0.5]]
    assert fitted.confidences(queries(["?"]).drop("benchmark")).tolist() == [[0.5, 0.5]]


def test_a_model_without_a_reward_gets_no_confidence(two_benchmarks):
    unseen = Examples(two_benchmarks.queries, np.where([True, False], two_benchmarks.labels, np.nan).astype(np.float32), ("a", "b"))
    for kind in ("best-single", "benchmark", "subject"):
        assert router(kind).fit(unseen, none(unseen)).confidences(unseen.queries)[:, 1].max() == 0


@pytest.mark.parametrize("kind", ["best-single", "benchmark", "subject"])
def test_order_of_rows_changes_nothing_and_a_loaded_baseline_is_the_same(kind):
    examples = with_holes(with_subjects())
    expected = router(kind).fit(examples, examples).confidences(examples.queries)
    assert (router(kind).fit(shuffled(examples), examples).confidences(examples.queries) == expected).all()
    files = router(kind).fit(examples, examples).save()
    assert (load_router(kind, files).confidences(examples.queries) == expected).all()
    assert expected.dtype == np.float32


@pytest.mark.parametrize("kind", ["best-single", "benchmark", "subject"])
def test_no_query_gives_no_row(kind):
    examples = planted(10)
    assert router(kind).fit(examples, examples).confidences(examples.queries.clear()).shape == (0, 3)


def with_subjects(count=400):
    """Two benchmarks; inside the second, `a` is right on law and `b` on the rest, where a third subject has one query only."""
    both = queries([f"question {number}" for number in range(count)]).with_columns(
        benchmark=pl.Series(["gsm8k"] * (count // 2) + ["mmlu"] * (count // 2)),
        subject=pl.Series([None] * (count // 2) + ["law", "physics"] * (count // 4 - 1) + ["physics", "music"]),
    )
    law = (both["subject"] == "law").fill_null(False).to_numpy()
    in_mmlu = (both["benchmark"] == "mmlu").to_numpy()
    labels = np.where(in_mmlu[:, None], np.column_stack([law, ~law]), [1, 0]).astype(np.float32)
    return Examples(both, labels, ("a", "b"))


def test_subject_knows_the_subject_and_believes_a_small_one_less():
    examples = with_subjects()
    fitted = router("subject").fit(examples, none(examples))
    known = dict(zip(examples.queries["subject"].to_list(), fitted.confidences(examples.queries).tolist(), strict=True))
    assert known["law"] == pytest.approx([1, 0], abs=0.02)
    assert known["physics"] == pytest.approx([0, 1], abs=0.02)
    assert known["law"][0] - known["law"][1] > 0.9
    assert 0 <= known["music"][0] < 0.5  # one query proves less than a hundred, and more than nothing


def test_subject_is_benchmark_where_the_subject_is_new_or_there_is_none():
    examples = with_subjects()
    by_benchmark, by_subject = (router(kind).fit(examples, none(examples)) for kind in ("benchmark", "subject"))
    for strange in (
        examples.queries.with_columns(subject=pl.lit("chess")),
        examples.queries.with_columns(subject=pl.lit(None, dtype=pl.String)),
        examples.queries.drop("subject"),
        examples.queries.drop("benchmark"),
    ):
        assert (by_subject.confidences(strange) == by_benchmark.confidences(strange)).all()
    bare = Examples(examples.queries.with_columns(subject=pl.lit(None, dtype=pl.String)), examples.labels, examples.models)
    fitted = router("subject").fit(bare, none(bare))
    assert (fitted.confidences(bare.queries) == by_benchmark.confidences(bare.queries)).all()


def test_subjects_that_differ_by_luck_only_change_nothing():
    examples = with_subjects()
    labels = np.random.default_rng(0).permutation(examples.labels)
    fitted = router("subject").fit(Examples(examples.queries, labels, examples.models), none(examples))
    confidences = fitted.confidences(examples.queries.filter(pl.col("subject") == "law"))
    assert abs(confidences[0] - fitted.confidences(queries(["?"], "mmlu"))[0]).max() < 0.05
