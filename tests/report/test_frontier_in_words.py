"""What the page says about cost, and about what a router gains inside each benchmark."""

import json
import re
from typing import Any

import polars as pl
import pytest
from planted_tables import Tables, hand_tables, pool_tables, query_rows

from tasks.evaluation.evaluate import evaluate
from tasks.lake.tables import METRICS
from tasks.report.charts import charts
from tasks.report.figures import Figures
from tasks.report.frontier import frontier_chart, frontier_table
from tasks.report.page import render
from tasks.report.sections import gains_by_benchmark, preferences, reliabilities


def rows_of(*rows: dict[str, Any]) -> Figures:
    """Figures of test questions, written by hand."""
    return Figures(pl.DataFrame([{"study": "evaluation", "split": "test", "n": 100, **row} for row in rows], schema=METRICS.schema))


def frontier_of(router: str, area: float, corners: list[tuple[float, float]], share: float | None, high: float | None = 0.5) -> list[Any]:
    found: list[dict[str, Any]] = [{"metric": "frontier_area", "value": area, "ci_low": area - 0.01, "ci_high": area + 0.01}]
    for number, (cost, accuracy) in enumerate(corners):
        found += [{"metric": f"frontier_cost_{number}", "value": cost}, {"metric": f"frontier_accuracy_{number}", "value": accuracy}]
    if share is not None:
        found.append({"metric": "frontier_share", "value": share, "ci_low": 0.2, "ci_high": high})
    return [row | {"router": router} for row in found]


MODELS = [
    {"metric": "accuracy", "model": "cheap", "value": 0.6},
    {"metric": "cost_usd", "model": "cheap", "value": 0.001},
    {"metric": "accuracy", "model": "dear", "value": 0.8},
    {"metric": "cost_usd", "model": "dear", "value": 0.01},
    {"metric": "best_single", "model": "dear", "value": 1},
]


def test_areas_stand_largest_first_with_the_share_of_the_best_models_cost() -> None:
    singles = frontier_of("single-models", 0.70, [(0.001, 0.6), (0.01, 0.8)], 0.9, high=None)
    domains = frontier_of("domains", 0.75, [(0.001, 0.6), (0.004, 0.8)], 0.27)
    gain = {"metric": "frontier_gain", "router": "domains", "value": 0.05, "ci_low": 0.01, "ci_high": 0.09}
    table = frontier_table(rows_of(*MODELS, *singles, *domains, *frontier_of("weak", 0.6, [(0.001, 0.6)], None), gain))
    assert table is not None
    assert [(row["name"], row["is_router"]) for row in table["rows"]] == [("domains", True), ("single models", False), ("weak", True)]
    cells = [row["cells"] for row in table["rows"]]
    assert cells[0] == [("75.0 %", "74.0 to 76.0"), ("+5.0", "1.0 to 9.0"), ("–", ""), ("27.0 %", "20.0 to 50.0")]
    assert cells[1][-1] == ("90.0 %", "20.0 or more")
    assert cells[2][-1] == ("not reached", "")
    assert table["headline"] == (
        "domains has the accuracy of dear, less one point, for 27 % of its cost (95 % interval 20.0 to 50.0); "
        "the best mixture of single models needs 90 %."
    )


def test_a_router_that_never_gets_there_is_told_so() -> None:
    table = frontier_table(rows_of(*MODELS, *frontier_of("weak", 0.6, [(0.001, 0.6)], None)))
    assert table is not None and table["headline"] == "weak does not reach the accuracy of dear less one point, whatever it may spend."


@pytest.mark.parametrize(("unit", "axis", "dearest"), [("usd", "US dollars per thousand questions", 10.0), ("tokens", "tokens", 0.01)])
def test_lines_run_to_the_dearest_model_in_the_unit_that_was_asked_for(unit: str, axis: str, dearest: float) -> None:
    rows = [{**row, "metric": "completion_tokens"} if unit == "tokens" and row["metric"] == "cost_usd" else row for row in MODELS]
    oracle = frontier_of("oracle", 0.9, [(0.001, 0.9)], 0.1)
    chart = frontier_chart(rows_of(*rows, *oracle, *frontier_of("domains", 0.75, [(0.001, 0.6), (0.004, 0.8)], 0.27)), unit)
    assert chart is not None and axis in chart.specification
    data = [row for layer in json.loads(chart.specification)["layer"] for row in layer["data"]["values"]]
    corners = [(row["cost"], row["accuracy"]) for row in data if row.get("router") == "domains"]
    assert corners[-1] == (pytest.approx(dearest), 80)
    assert {row["name"] for row in data} >= {"oracle", "domains", "cheap", "dear"}


def test_of_many_routers_a_few_are_drawn_and_the_default_is_among_them() -> None:
    many = [row for number in range(12) for row in frontier_of(f"r{number}", 0.9 - number / 100, [(0.001, 0.6), (0.002, 0.8)], 0.2)]
    systems = [{"metric": "accuracy", "router": f"r{number}", "policy": "argmax", "value": 0.8} for number in range(12)]
    default = {"metric": "default", "router": "r11", "policy": "argmax", "split": "validation", "value": 1}
    chart = frontier_chart(rows_of(*MODELS, *many, *systems, default), "usd")
    assert chart is not None and "Of 12 routers" in chart.text
    assert set(re.findall(r'"router": "(r\d+)"', chart.specification)) == {"r0", "r1", "r2", "r3", "r4", "r11"}


def test_the_section_on_cost_is_there_only_where_costs_are_known() -> None:
    for measured in (True, False):
        tables = pool_tables(12, measured=measured)
        metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)
        page = render("demo", tables.queries, tables.votes, tables.scores, tables.routes, metrics, [], {})
        assert (">Accuracy and cost</h2>" in page) == measured
        assert ("share of the best model’s cost" in page) == measured


def test_gains_over_knowing_the_benchmark_are_told_by_benchmark() -> None:
    queries = pl.concat([query_rows(120, benchmark="sums"), query_rows(120, benchmark="facts", first=120)])
    fox = [1.0, 0.0] * 60 + [1.0] * 120
    rates: dict[str, list[float | None]] = {"fox": [*fox], "owl": [1 - value for value in fox]}
    chosen: list[str | None] = ["fox" if value else "owl" for value in fox]
    tables = hand_tables(rates, {("r", "argmax"): chosen}, queries=queries)
    table = gains_by_benchmark(Figures(evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 200, 0)))
    assert table is not None and table["names"] == ["facts", "sums"]
    cells = {row["name"]: row["cells"] for row in table["rows"]}["r · argmax"]
    assert cells[0] == ("+0.0", "0.0 to 0.0", "")
    assert (cells[1][0], cells[1][2], cells[2][0]) == ("+50.0", "beats", "+25.0")
    one = Tables(queries.filter(benchmark="sums"), tables.votes, tables.scores, tables.routes)
    assert gains_by_benchmark(Figures(evaluate(one.queries, one.votes, one.scores, one.routes, {}, 200, 0))) is None


def test_preference_is_told_where_enough_questions_tell() -> None:
    named = {"metric": "preference_auc", "router": "r"}
    known = {"benchmark": "sums", "value": 0.38, "ci_low": 0.3, "ci_high": 0.46, "n": 210}
    routed = {"metric": "accuracy", "router": "r", "policy": "argmax", "value": 0.5}
    table = preferences(rows_of(routed, named | known, named | {"benchmark": "facts", "value": None, "n": 12}))
    assert table == {"names": [("sums", 210)], "rows": [{"name": "r", "cells": [("0.38", "0.30 to 0.46", "loses")]}]}
    assert preferences(rows_of(routed, named | {"benchmark": "facts", "value": None})) is None


def test_confidences_are_told_by_benchmark_and_by_model() -> None:
    tables = pool_tables(12)
    figures = Figures(evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0))
    found = [(row["kind"], row["name"]) for row in reliabilities(figures, "kmeans-tfidf")]
    models = ["abacus", "general", "ledger", "scholar", "small"]
    assert found == [("benchmark", "facts"), ("benchmark", "stories"), *(("model", model) for model in models)]


def test_each_router_has_one_distance_from_its_confidences_in_the_text_of_their_chart() -> None:
    tables = pool_tables(12)
    figures = Figures(evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0))
    text = charts(figures, "usd")["reliability"].text
    assert [len(re.findall(rf"{router} \d+\.\d %", text)) for router in ("kmeans-tfidf", "roberta-multi-label")] == [1, 1]
