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
    for kind in ("best-single", "benchmark"):
        assert router(kind).fit(unseen, none(unseen)).confidences(unseen.queries)[:, 1].max() == 0


@pytest.mark.parametrize("kind", ["best-single", "benchmark"])
def test_order_of_rows_changes_nothing_and_a_loaded_baseline_is_the_same(kind):
    examples = with_holes(planted(101))
    expected = router(kind).fit(examples, examples).confidences(examples.queries)
    assert (router(kind).fit(shuffled(examples), examples).confidences(examples.queries) == expected).all()
    files = router(kind).fit(examples, examples).save()
    assert (load_router(kind, files).confidences(examples.queries) == expected).all()
    assert expected.dtype == np.float32


@pytest.mark.parametrize("kind", ["best-single", "benchmark"])
def test_no_query_gives_no_row(kind):
    examples = planted(10)
    assert router(kind).fit(examples, examples).confidences(examples.queries.clear()).shape == (0, 3)
