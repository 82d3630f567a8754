"""`manyminds explain`: why a question goes to a model."""

import numpy as np
import polars as pl

from flows.routing import Guide, asked
from flows.terminal import print_grid
from tasks.lake.files import read_table
from tasks.lake.tables import METRICS


def print_explanation(url: str, question: str, router: str | None, policy: str | None, as_json: bool = False) -> None:
    """Confidence in each model, what it is expected to cost (where known), how it did on test queries, and the choice."""
    guide = Guide(url, router, policy)
    query = asked(question)
    (model,), confidences = guide.choose(query)
    (costs,) = guide.costs.expected(query)
    metrics = read_table(guide.lake, METRICS)
    single = metrics.filter(
        (pl.col("split") == "test")
        & (pl.col("metric") == "accuracy")
        & pl.col("model").is_not_null()
        & pl.col("router").is_null()
        & pl.col("benchmark").is_null()
        & pl.col("subject").is_null()
    )
    accuracy = dict(single.select("model", "value").iter_rows())
    order = sorted(range(len(guide.models)), key=lambda place: -float(confidences[0][place]))
    rows = [
        (
            guide.models[place],
            float(confidences[0][place]),
            *([] if np.isnan(costs).all() else [_cost(costs[place])]),
            accuracy.get(guide.models[place]),
            "chosen" if guide.models[place] == model else "",
        )
        for place in order
    ]
    known = [] if np.isnan(costs).all() else ["expected cost"]
    columns = ["model", "confidence", *known, "accuracy on test queries", ""]
    print_grid(f"{guide.router_name}, policy {guide.policy_name}", columns, rows)


def _cost(value: float) -> str:
    """Three significant digits, in the unit of the run file's [cost], without an exponent."""
    return "" if np.isnan(value) else np.format_float_positional(value, precision=3, fractional=False, trim="-")
