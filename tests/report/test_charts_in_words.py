"""What charts of routing, votes and confidences show, and that their texts say it with the figures."""

import json
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from planted_tables import hand_tables, pool_tables, query_rows
from report_pages import EVIL, evil_tables

from tasks.evaluation.evaluate import evaluate
from tasks.lake.tables import METRICS
from tasks.report.chart_style import MODEL_COLOURS, Chart
from tasks.report.charts import charts
from tasks.report.figures import Figures
from tasks.report.markdown import svg
from tasks.report.reliability import reliability_charts
from tasks.report.routing_charts import OTHERS, PLACES, heat_map, shares_chart
from tasks.report.sections import heat
from tasks.report.vote_charts import votes_chart


@cache
def pool() -> Figures:
    tables = pool_tables(60)
    return Figures(evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0))


def written(*rows: dict[str, Any]) -> Figures:
    """Figures of test questions, written by hand."""
    return Figures(pl.DataFrame([{"study": "evaluation", "split": "test", "n": 100, **row} for row in rows], schema=METRICS.schema))


def data_of(chart: Chart | None, key: str) -> list[dict[str, Any]]:
    """The first data in the chart with this field."""
    assert chart is not None
    found: list[list[dict[str, Any]]] = []

    def search(part: Any) -> None:
        if isinstance(part, dict):
            values = part.get("values")
            if isinstance(values, list) and values and isinstance(values[0], dict) and key in values[0]:
                found.append(values)
            for inner in part.values():
                search(inner)
        elif isinstance(part, list):
            for inner in part:
                search(inner)

    search(json.loads(chart.specification))
    return found[0]


def routed(shares: dict[tuple[str, str], float], accuracies: dict[tuple[str, str], float]) -> Figures:
    """A router `domains` on subjects: (subject, model) → its share of the questions, and its accuracy."""
    router = {"router": "domains", "policy": "argmax", "benchmark": "facts"}
    rows: list[dict[str, Any]] = [
        {"metric": "share", "value": value, "subject": subject, "model": model, **router} for (subject, model), value in shares.items()
    ]
    rows += [
        {"metric": "accuracy", "value": value, "subject": subject, "model": model, "benchmark": "facts"}
        for (subject, model), value in accuracies.items()
    ]
    rows += [{"metric": "accuracy", "value": 0.5, "model": model} for model in {model for _, model in accuracies}]
    rows += [{"metric": "accuracy", "value": 0.7, "subject": subject, **router} for subject in {subject for subject, _ in shares}]
    return written(*rows)


def test_the_heat_map_has_a_cell_for_each_subject_and_model_and_outlines_the_most_accurate() -> None:
    figures = routed(
        {("birds", "fox"): 1.0, ("fish", "fox"): 0.75, ("fish", "owl"): 0.25},
        {("birds", "fox"): 0.8, ("birds", "owl"): 0.4, ("fish", "fox"): 0.3, ("fish", "owl"): 0.9},
    )
    chart = heat_map(figures, "domains", "argmax")
    cells = {(cell["place"], cell["model"]): cell for cell in data_of(chart, "share")}
    assert {key: cell["share"] for key, cell in cells.items()} == {
        ("birds", "fox"): 100.0,
        ("birds", "owl"): 0.0,
        ("fish", "fox"): 75.0,
        ("fish", "owl"): 25.0,
    }
    assert [key for key, cell in cells.items() if cell["is_best"]] == [("birds", "fox"), ("fish", "owl")]
    assert chart is not None
    # 100 questions of each subject: all of birds and a quarter of fish go to the best one there.
    assert chart.text == (
        "domains · argmax sends 62 % of the questions to the model that is the most accurate on their subject (outlined). "
        "Nearly whole subjects go to one model: birds to fox. "
        "Farthest from it is fish: most of it goes to fox, which is right on 30 %, and owl would be on 90 %."
    )


def test_a_benchmark_without_subjects_stands_beside_the_subjects_of_another() -> None:
    whole = {"router": "domains", "policy": "argmax"}
    figures = written(
        {"metric": "share", "value": 1.0, "benchmark": "facts", "subject": "birds", "model": "fox", **whole},
        {"metric": "share", "value": 1.0, "benchmark": "facts", "model": "fox", **whole},
        {"metric": "share", "value": 1.0, "benchmark": "sums", "model": "owl", **whole},
        {"metric": "accuracy", "value": 0.5, "model": "fox"},
        {"metric": "accuracy", "value": 0.5, "model": "owl"},
    )
    cells = data_of(heat_map(figures, "domains", "argmax"), "share")
    assert {cell["place"]: cell["model"] for cell in cells if cell["share"]} == {"birds · facts": "fox", "sums": "owl"}
    table = heat(figures, "domains", "argmax")
    assert table is not None
    assert [(row["benchmark"], row["subject"]) for row in table["rows"]] == [("facts", "birds"), ("sums", "")]


def test_a_name_with_characters_that_svg_cannot_hold_is_drawn_all_the_same() -> None:
    chart = heat_map(routed({("birds", "\x1bfox\x00\uffff"): 1.0}, {("birds", "\x1bfox\x00\uffff"): 0.8}), "domains", "argmax")
    assert chart is not None
    assert "\ufffdfox\ufffd\ufffd" in svg(chart)


def test_of_many_subjects_those_with_most_questions_are_drawn_and_the_text_says_so() -> None:
    subjects = [f"subject {number:02d}" for number in range(PLACES + 5)]
    figures = routed({(subject, "fox"): 1.0 for subject in subjects}, {(subject, "fox"): 0.5 for subject in subjects})
    chart = heat_map(figures, "domains", "argmax")
    assert len({cell["place"] for cell in data_of(chart, "share")}) == PLACES
    assert chart is not None
    assert f"Of {PLACES + 5} subjects the {PLACES} with most questions are drawn" in chart.text
    assert "Nearly all of every subject goes to fox." in chart.text


def test_columns_have_short_names_where_these_are_told_apart() -> None:
    names = ["a/fox", "b/fox", "b/owl"]
    figures = routed({("birds", name): 1 / 3 for name in names}, {("birds", name): 0.5 for name in names})
    columns = {cell["model"]: cell["column"] for cell in data_of(heat_map(figures, "domains", "argmax"), "share")}
    assert columns == {"a/fox": "a/fox", "b/fox": "b/fox", "b/owl": "owl"}


def test_a_bar_of_shares_is_whole_and_what_has_no_colour_of_its_own_is_gathered() -> None:
    models = [f"model {number:02d}" for number in range(len(MODEL_COLOURS) + 4)]
    rows: list[dict[str, Any]] = [
        {"metric": "share", "value": (2 if number == 3 else 1) / (len(models) + 1), "model": model, "router": "domains", "policy": "argmax"}
        for number, model in enumerate(models)
    ]
    rows.append({"metric": "accuracy", "value": 0.5, "router": "domains", "policy": "argmax"})
    chart = shares_chart(written(*rows))
    bars = data_of(chart, "from")
    assert len({bar["model"] for bar in bars}) == len(MODEL_COLOURS)
    assert bars[0]["model"] == "model 03" and bars[-1]["model"] == OTHERS
    assert bars[0]["from"] == 0 and bars[-1]["to"] == 100
    assert all(after["from"] == before["to"] for before, after in pairwise(bars))
    assert chart is not None and chart.text.startswith("domains · argmax: model 03 17 %, ")


def test_votes_are_drawn_for_each_model_and_not_of_imported_outcomes() -> None:
    points = data_of(votes_chart(pool()), "what")
    assert {point["model"] for point in points} == {"abacus", "general", "ledger", "scholar", "small"}
    assert len(points) == 3 * 5
    agreement = {point["model"]: point["share"] for point in points if point["what"].startswith("agreement")}
    most = max(agreement, key=agreement.__getitem__)
    chart = votes_chart(pool())
    assert chart is not None and f"The samples of {most} ({agreement[most]:.1f} %) agree most" in chart.text
    imported = hand_tables({"fox": [1.0, 0.0], "owl": [0.0, 1.0]}, {}, k=None)
    assert votes_chart(Figures(evaluate(imported.queries, imported.votes, imported.scores, imported.routes, {}, 100, 0))) is None


def test_the_spread_of_confidences_adds_up_and_the_farthest_point_is_named() -> None:
    rows: list[dict[str, Any]] = []
    for router, number, confidence, right, n in (
        ("a", 0, 0.05, 0.1, 60),
        ("a", 6, 0.65, 0.2, 40),
        ("b", 9, 0.95, 0.9, 100),
        ("b", 5, 0.5, 0.0, 1),
    ):
        rows.append({"metric": f"reliability_confidence_{number}", "value": confidence, "router": router, "n": n})
        rows.append({"metric": f"reliability_reward_{number}", "value": right, "router": router, "n": n})
    rows += [{"metric": "accuracy", "value": 0.5, "router": router, "policy": "argmax"} for router in "ab"]
    reliability, spread = reliability_charts(written(*rows))
    shares = data_of(spread, "tenth")
    assert sum(point["share"] for point in shares if point["router"] == "a") == pytest.approx(100)
    assert sum(point["share"] for point in shares if point["router"] == "b") == pytest.approx(100, abs=0.02)
    # The one answer of b that is farther off is luck.
    assert "Farthest off is a between 60 and 70 %: it says 65 %, and 20 % are right." in reliability.text
    assert spread.text.startswith("Surest is b: 99 % of its confidences are below 20 % or above 80 %; most often it says 90 to 100 %.")
    assert reliability_charts(written({"metric": "accuracy", "value": 0.5, "router": "a", "policy": "argmax"})) == []


def test_names_stand_in_data_and_lists_of_values_only() -> None:
    def is_elsewhere(part: object, key: str = "") -> bool:
        if isinstance(part, dict):
            return any(EVIL in name or is_elsewhere(value, name) for name, value in part.items() if name not in ("values", "datasets"))
        if isinstance(part, list):
            return key not in ("domain", "sort", "range") and any(is_elsewhere(value, key) for value in part)
        return isinstance(part, str) and EVIL in part

    tables = evil_tables()
    made = charts(Figures(evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)), "usd")
    assert {"heat", "shares", "votes", "reliability", "confidences"} <= set(made)
    for chart in made.values():
        assert "<" not in chart.specification
        assert EVIL in json.dumps(json.loads(chart.specification), ensure_ascii=False).replace('\\"', '"')
        assert not is_elsewhere(json.loads(chart.specification)), chart.name
        assert EVIL not in chart.title


def test_the_order_of_rows_changes_no_chart() -> None:
    tables = hand_tables(
        {"fox": [1.0, 0.0] * 30, "owl": [0.0, 1.0] * 30}, {("r", "argmax"): ["fox", "owl"] * 30}, queries=query_rows(60, subject="s")
    )
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)
    assert charts(Figures(metrics), "usd") == charts(Figures(metrics.reverse()), "usd")
