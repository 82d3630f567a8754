import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.routers.costs import Costs, fit_costs


def queries(lengths):
    return pl.DataFrame(
        {"query_id": [f"q{row:05}" for row in range(len(lengths))], "question": ["x" * length for length in lengths]},
        schema={"query_id": pl.String, "question": pl.String},
    ).with_columns(choices=pl.lit(None, pl.List(pl.String)))


def test_the_example_of_the_docstring():
    lengths = np.arange(100, 2100, 100)
    other = np.random.default_rng(0).permutation(np.linspace(0.1, 0.7, 20))
    costs = fit_costs(queries(lengths), np.stack([0.2 + 0.001 * lengths, other], axis=1))
    assert costs.expected(queries([1000])).tolist() == [pytest.approx([1.2, 0.4])]
    assert costs.per_character[1] == 0


def test_options_are_part_of_the_length():
    asked = queries([100]).with_columns(choices=pl.Series([["red", "blue"]]))
    costs = Costs(np.array([0.0]), np.array([1.0]))
    assert costs.expected(asked).item() == 100 + len("\n(A) red\n(B) blue")


def test_no_part_of_a_line_is_negative():
    lengths = np.arange(100, 1100, 10)
    falling, steep = 3 - 0.001 * lengths, np.maximum(0.01 * lengths - 5, 0)
    costs = fit_costs(queries(lengths), np.stack([falling, steep], axis=1))
    assert costs.per_character[0] == 0 and costs.base[0] == pytest.approx(falling.mean())
    assert costs.base[1] == 0 and costs.per_character[1] > 0
    nearest = np.linalg.lstsq(lengths[:, None].astype(float), steep, rcond=None)[0]
    assert costs.per_character[1] == pytest.approx(nearest.item())


@settings(max_examples=50)
@given(seed=st.integers(0, 2**32), rows=st.integers(12, 40))
def test_a_line_is_the_one_that_scipy_finds(seed, rows):
    from scipy.optimize import nnls

    random = np.random.default_rng(seed)
    lengths = random.integers(1, 2000, rows)
    paid = random.random(2) @ [np.ones(rows), lengths / 1000] + random.random(rows) * 0.1
    costs = fit_costs(queries(lengths), paid[:, None])
    if costs.per_character[0]:
        base, slope = nnls(np.stack([np.ones(rows), lengths], axis=1), paid)[0]
        assert (costs.base[0], costs.per_character[0]) == pytest.approx((base, slope), rel=1e-6, abs=1e-9)
    else:
        assert costs.base[0] == pytest.approx(paid.mean())


def test_of_few_queries_it_is_the_mean():
    costs = fit_costs(queries([10, 20, 30]), np.array([[1.0], [2.0], [3.0]]))
    assert costs.expected(queries([1000])).item() == 2


def test_holes_are_left_out_and_a_model_without_any_cost_stays_unknown():
    random = np.random.default_rng(0)
    lengths = random.integers(10, 1000, 200)
    paid = np.stack([0.5 + 0.01 * lengths, np.full(200, np.nan), random.random(200)], axis=1)
    holes = paid.copy()
    holes[random.random(200) < 0.5, 0] = np.nan
    costs = fit_costs(queries(lengths), holes)
    assert costs.expected(queries([100]))[0, 0] == pytest.approx(1.5)
    assert np.isnan(costs.expected(queries([100, 200]))[:, 1]).all()
    loaded = Costs.load(json.loads(json.dumps(costs.save(), allow_nan=False)))
    np.testing.assert_array_equal(loaded.expected(queries(lengths)), costs.expected(queries(lengths)))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_order_of_rows_changes_nothing(seed):
    random = np.random.default_rng(seed)
    asked = queries(random.integers(1, 500, 40))
    paid = random.random((40, 3)) * asked["question"].str.len_chars().to_numpy()[:, None] ** 0.5
    order = random.permutation(40)
    assert fit_costs(asked[order], paid[order]).save() == fit_costs(asked, paid).save()


def test_without_queries_nothing_is_known_and_tables_that_do_not_fit_are_a_defect():
    costs = fit_costs(queries([]), np.zeros((0, 2)))
    assert np.isnan(costs.expected(queries([5]))).all() and costs.expected(queries([])).shape == (0, 2)
    with pytest.raises(ValueError, match="do not fit"):
        fit_costs(queries([1]), np.zeros((2, 2)))
