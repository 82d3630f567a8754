"""Switching: streams whose loads are known by hand, rules against brute force, and pools in which two models are the ones to hold."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from planted_tables import hand_tables, pool_tables, query_rows, route_rows, score_rows, vote_rows
from polars.testing import assert_frame_equal

from tasks.errors import UserError
from tasks.evaluation.studies import Tables, make_study
from tasks.evaluation.studies.budget import best_subset
from tasks.evaluation.studies.residence import HINDSIGHT, RANKED, RECENT, count, sequence
from tasks.lake.tables import LOADS, METRICS, check, empty
from tasks.report.studies import Section, sections

RULES = (RECENT, RANKED)


def planted(asked: Sequence[str], *, before: Sequence[str] = (), models: Sequence[str] = ("fox", "owl"), **how: Any) -> Tables:
    """Test queries that a router sends to `asked`, in the order of their ids; `before`: where it sent as many validation queries."""
    queries = pl.concat([query_rows(len(asked)), query_rows(len(before), split="validation", first=len(asked))])
    test, validation = (queries.filter(pl.col("split") == split).sort("query_id") for split in ("test", "validation"))
    votes = pl.concat(vote_rows(queries, model, [1.0] * queries.height, **how) for model in models)
    routes = pl.concat([route_rows(test, "linear", "argmax", asked), route_rows(validation, "linear", "argmax", before)])
    scores = score_rows(queries, "linear", {model: [0.5] * queries.height for model in models})
    return Tables(queries, votes, scores, routes)


def measured(rows: dict[str, Sequence[float]], gigabytes: float | None = 14.0, doze_s: float | None = None) -> pl.DataFrame:
    """Seconds of each load of each model."""
    return check(
        LOADS,
        pl.DataFrame(
            [(model, "vllm", "H100", load_s, gigabytes, doze_s, doze_s) for model, values in rows.items() for load_s in values],
            schema=LOADS.schema,
            orient="row",
        ),
    )


def study(found: Tables, settings: dict[str, Any] | None = None) -> pl.DataFrame:
    return check(METRICS, make_study("switching", settings or {}, found, 300, 0))


def figure(found: pl.DataFrame, metric: str, setting: str | None = None) -> tuple[float, float | None, float | None]:
    rows = found.filter((pl.col("metric") == metric) & pl.col("setting").eq_missing(pl.lit(setting)))
    return rows.select("value", "ci_low", "ci_high").row(0)


def said(found: pl.DataFrame) -> Section:
    return sections(found)[0]


# ── the simulation ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("window", [1, 3, 16])
@pytest.mark.parametrize("places", [1, 2, 3])
def test_who_always_asks_the_same_model_loads_nothing_but_that_one(rule: str, window: int, places: int) -> None:
    assert count([1] * 50, [1, 0, 2], places, window, rule).sum() == 0
    assert count([2] * 50, [1, 0, 2], places, window, rule).tolist() == [0, 0, int(places < 3)]


@pytest.mark.parametrize("rule", RULES)
def test_two_models_in_turn_load_at_every_query_and_a_window_of_two_halves_that(rule: str) -> None:
    stream = [0, 1] * 30
    assert count(stream, [0, 1], 1, 1, rule).sum() == 59
    assert count(stream, [0, 1], 1, 2, rule).sum() == 30
    assert count(stream, [0, 1], 1, 60, rule).sum() == 1
    assert count(stream, [0, 1], 2, 1, rule).sum() == 0


def test_what_stays_is_what_is_asked_most() -> None:
    stream = [0, 1, 2] * 20
    assert count(stream, [0, 1, 2], 2, 1, RECENT).tolist() == [19, 19, 20]  # the one that is needed next has just left
    assert count(stream, [0, 1, 2], 2, 1, RANKED).tolist() == [0, 19, 20]


def test_the_rule_of_least_recent_use_is_that_of_a_list_of_times() -> None:
    random = np.random.default_rng(0)
    for _ in range(40):
        models, length = int(random.integers(2, 7)), 60
        places = int(random.integers(1, models + 1))
        stream, ranking = random.integers(models, size=length).tolist(), random.permutation(models).tolist()
        last = {model: -1 - place for place, model in enumerate(ranking[:places])}
        loaded = []
        for time, model in enumerate(stream):
            if model not in last:
                del last[min(last, key=lambda other: last[other])]
                loaded.append(model)
            last[model] = time
        assert list(sequence(stream, ranking, places, 1, RECENT)) == loaded


def test_no_rule_beats_hindsight_and_hindsight_is_the_best_that_there_is() -> None:
    random = np.random.default_rng(1)
    for _ in range(30):
        stream, ranking = random.integers(4, size=40).tolist(), random.permutation(4).tolist()
        for places in (1, 2, 3):
            best = count(stream, ranking, places, 1, HINDSIGHT).sum()
            assert all(count(stream, ranking, places, 1, rule).sum() >= best for rule in RULES)
        states = {frozenset(ranking[:2]): 0}  # every set of two that can be resident → loads until then
        for model in stream:
            following: dict[frozenset[int], int] = {}
            for held, loads in states.items():
                for after in [held] if model in held else [held - {gone} | {model} for gone in held]:
                    following[after] = min(following.get(after, 10**9), loads + (model not in held))
            states = following
        assert count(stream, ranking, 2, 1, HINDSIGHT).sum() == min(states.values())


def test_a_window_never_loads_a_model_twice() -> None:
    random = np.random.default_rng(2)
    for window, rule, places in product((4, 16), RULES, (1, 2, 4)):
        stream, ranking = random.integers(5, size=64).tolist(), random.permutation(5).tolist()
        assert count(stream, ranking, places, window, rule).max() <= 64 / window
    with pytest.raises(ValueError, match="no rule"):
        count([0], [0, 1], 1, 16, HINDSIGHT)


# ── the study ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_constant_router_nothing_is_loaded_and_little_is_said() -> None:
    found = study(planted(["fox"] * 60, before=["fox"] * 20), {"seconds": {"fox": 30, "owl": 30}})
    assert found.filter(pl.col("metric").is_in(["loads_per_1000", "loading_s"]) & (pl.col("value") != 0)).is_empty()
    section = said(found)
    assert "Never: it always asks fox" in section.text
    assert section.chart is None and section.table is None


def test_two_models_in_turn_cost_a_load_at_every_query_and_half_with_windows_of_two() -> None:
    tables = planted(["fox", "owl"] * 60, before=["fox"] * 20, latency_s=0.5)
    tables = replace(tables, loads=measured({"fox": [30, 10, 11], "owl": [20]}))
    found = study(tables, {"windows": [1, 2]})
    assert figure(found, "load_s", "vllm on H100")[0] == 11  # the median: the first load of a run takes longer
    value, low, high = figure(found, "loads_per_1000", f"{RECENT} · 1 of 2 · window 1")
    assert value == pytest.approx(1000 * 119 / 120)
    assert low is not None and 400 < low < 550 < value == high  # in random orders half of the queries ask the same model again
    assert figure(found, "loading_s", f"{RECENT} · 1 of 2 · window 1")[0] == pytest.approx((59 * 11 + 60 * 20) / 120)
    assert figure(found, "total_s", f"{RECENT} · 1 of 2 · window 2")[0] == pytest.approx(0.5 + (30 * 11 + 30 * 20) / 120)
    assert figure(found, "total_over_single", f"{RECENT} · 2 of 2 · window 1")[0] == 0
    text = said(found).text
    assert "992 times in 1,000 questions" in text and "there must be room for 2 of 2 models" in text


def test_questions_that_come_in_bursts_load_less_than_in_any_other_order() -> None:
    found = study(planted(["fox"] * 60 + ["owl"] * 60 + ["elk"] * 60, before=["fox"], models=("elk", "fox", "owl")))
    value, low, high = figure(found, "loads_per_1000", f"{RECENT} · 1 of 3 · window 1")
    assert value == low == pytest.approx(1000 * 2 / 180)
    assert high is not None and high > 600


def test_what_is_not_known_is_named_and_never_invented() -> None:
    found = study(planted(["fox", "owl"] * 30, before=["fox"], latency_s=None), {"seconds": {"fox": 30}})
    assert not {"loading_s", "total_s", "answering_s", "memory_gb", "waking_s"} & set(found["metric"])
    assert found.filter(pl.col("metric") == "load_unknown")["model"].to_list() == ["owl"]
    section = said(found)
    assert "load owl was neither measured nor stated" in section.text and "`seconds` of [studies.switching]" in section.text
    assert section.table is not None and section.table.rows[0][1][0] == "983 loads"
    stated = study(planted(["fox", "owl"] * 30, latency_s=None), {"seconds": {"fox": 30, "owl": 30}})
    assert "loading_s" in set(stated["metric"]) and "total_s" not in set(stated["metric"])
    assert "how long models take to answer is not known" in said(stated).text


def test_what_was_measured_goes_before_what_is_stated_and_waking_replaces_loading() -> None:
    tables = replace(planted(["fox", "owl"] * 30), loads=measured({"fox": [20], "owl": [20]}, doze_s=1.5))
    found = study(tables, {"seconds": {"fox": 99}, "windows": [1]})
    setting = f"{RANKED} · 1 of 2 · window 1"
    assert figure(found, "loading_s", setting)[0] == pytest.approx(20 * 59 / 60)
    assert figure(found, "waking_s", setting)[0] == pytest.approx(3 * 59 / 60)
    assert "sleep in the machine" in said(found).text


def test_who_stays_is_not_decided_by_test_questions() -> None:
    found = study(planted(["owl"] * 60, before=["fox"] * 10))
    assert figure(found, "loads_per_1000", f"{RANKED} · 1 of 2 · window 1")[0] == pytest.approx(1000 / 60)  # fox was there, wrongly
    assert said(found).chart is None


def test_nothing_is_said_where_nothing_was_routed() -> None:
    tables = planted(["fox"] * 5)
    assert study(replace(tables, routes=tables.routes.clear())).is_empty()
    assert study(Tables(tables.queries.clear(), tables.votes, tables.scores, tables.routes)).is_empty()
    with pytest.raises(UserError, match=r"seconds: unknown model 'foxx'.*fox"):
        study(tables, {"seconds": {"foxx": 3}})


def test_holes_baselines_and_the_order_of_rows_change_nothing() -> None:
    of_pool = pool_tables(30)
    sizes = {model: 10.0 + len(model) for model in of_pool.votes["model"].unique()}
    settings = {"seconds": dict.fromkeys(sizes, 30), "gigabytes": sizes}
    tables = Tables(of_pool.queries, of_pool.votes.filter(pl.int_range(pl.len()) % 17 != 0), of_pool.scores, of_pool.routes)
    found = study(tables, settings)
    assert set(found["router"]) == {"kmeans-tfidf"} and set(found["policy"]) == {"argmax"}
    shuffled = [table.sample(fraction=1, shuffle=True, seed=3) for table in (tables.queries, tables.votes, tables.scores, tables.routes)]
    assert_frame_equal(study(Tables(*shuffled), settings), found)
    default = {"study": "evaluation", "split": "validation", "router": "roberta-multi-label", "policy": "random", "metric": "default"}
    metrics = pl.DataFrame([default | {"value": 1.0}], schema=METRICS.schema)
    assert set(study(replace(tables, metrics=metrics), settings)["policy"]) == {"random"}
    assert said(found).chart is not None


# ── which to hold ────────────────────────────────────────────────────────────────────────────────────────────────────


def specialists(seed: int, *, equal: bool = False) -> Tables:
    """Two specialists of 10 GB that are right on a half each, a good general model of 10 GB, and a weak one; the router knows it."""
    random = np.random.default_rng(seed)
    queries = pl.concat([query_rows(300, split=split, first=first) for split, first in (("train", 0), ("validation", 300), ("test", 600))])
    left = random.random(queries.height) < 0.5
    rates = {"general": (0.65, 0.65), "left": (0.95, 0.2), "right": (0.2, 0.95), "weak": (0.3, 0.3)}
    rates = dict.fromkeys(rates, (0.6, 0.6)) if equal else rates
    chance = {model: np.where(left, *of) for model, of in rates.items()}
    votes = pl.concat(
        vote_rows(queries, model, (random.random(len(left)) < of).astype(float).tolist(), k=None) for model, of in chance.items()
    )
    trust = {model: np.clip(of + random.normal(0, 0.05, len(left)), 0, 1).tolist() for model, of in chance.items()}
    names = list(trust)
    chosen = [names[column] for column in np.column_stack(list(trust.values())).argmax(axis=1)]
    return Tables(queries, votes, score_rows(queries, "linear", trust), route_rows(queries, "linear", "argmax", chosen))


def held(found: pl.DataFrame) -> list[str]:
    return found.filter(pl.col("metric") == "held")["model"].sort().to_list()


def verdicts(found: pl.DataFrame) -> dict[str, float]:
    return dict(found.filter(pl.col("metric") == "verdict").select("setting", "value").iter_rows())


@pytest.mark.parametrize("seed", range(3))
def test_two_specialists_are_held_rather_than_the_best_single_model(seed: int) -> None:
    sizes = {"gigabytes": dict.fromkeys(("general", "left", "right", "weak"), 10)}
    found = study(specialists(seed), sizes)
    assert held(found) == ["left", "right"]
    assert verdicts(found) == {"gain_over_single_held": 1, "gain_over_all": 0}
    assert figure(found, "memory_gb")[0] == 20
    assert "In 20 GB, by the validation questions, it is best to hold left and right" in said(found).text
    assert held(study(specialists(seed), sizes | {"memory_gb": 10})) == ["general"]
    assert "No model fits in 5 GB" in said(study(specialists(seed), sizes | {"memory_gb": 5})).text


@pytest.mark.parametrize("seed", range(3))
def test_among_models_that_are_all_alike_none_is_said_to_be_better(seed: int) -> None:
    found = study(specialists(seed, equal=True), {"gigabytes": dict.fromkeys(("general", "left", "right", "weak"), 10)})
    assert set(verdicts(found).values()) == {0}
    assert "cannot be told apart" in said(found).text or "exactly as much" in said(found).text


def test_test_labels_do_not_choose_what_is_held() -> None:
    tables, sizes = specialists(0), {"gigabytes": dict.fromkeys(("general", "left", "right", "weak"), 10)}
    test = tables.queries.filter(pl.col("split") == "test")["query_id"].to_list()
    turned = tables.votes.with_columns(label=pl.when(pl.col("query_id").is_in(test)).then(1 - pl.col("label")).otherwise("label"))
    assert held(study(replace(tables, votes=turned), sizes)) == held(study(tables, sizes))


def test_of_many_models_those_that_complete_each_other_are_found_one_by_one() -> None:
    random = np.random.default_rng(0)
    rewards = (random.random((400, 20)) < 0.3).astype(float)
    kind = random.integers(3, size=400)
    for model in range(3):
        rewards[:, model] = kind == model
    trust = 0.3 + 0.0 * rewards
    trust[np.arange(400), kind] = 0.9
    assert best_subset(trust, rewards, [10.0] * 20, 30.0) == [0, 1, 2]
    assert best_subset(trust[:, :12], rewards[:, :12], [10.0] * 12, 30.0) == [0, 1, 2]
    assert best_subset(trust, rewards, [10.0] * 20, 9.0) == []


@pytest.mark.slow
def test_of_the_demo_every_model_was_measured(demo_lake: Path) -> None:
    loads = pl.read_parquet(demo_lake / "loads" / "**" / "*.parquet")
    assert set(loads["model"]) == set(pl.read_parquet(demo_lake / "votes" / "**" / "*.parquet")["model"])
    assert loads["weights_gb"].is_between(1e-5, 0.1).all()
    found = pl.read_parquet(demo_lake / "metrics" / "**" / "*.parquet").filter(pl.col("study") == "switching")
    assert not {"load_unknown", "gigabytes_unknown"} & set(found["metric"])


def test_an_empty_table_of_loads_is_no_measurement() -> None:
    tables = hand_tables({"fox": [1, 0] * 10, "owl": [0, 1] * 10}, {("linear", "argmax"): ["fox", "owl"] * 10})
    found = study(Tables(tables.queries, tables.votes, tables.scores, tables.routes, loads=empty(LOADS)))
    assert set(found.filter(pl.col("metric") == "load_unknown")["model"]) == {"fox", "owl"}
