"""The paper's figures are whole, and stand beside those of a run; what differs is told from what does not."""

import math
from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, route_rows, score_rows

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import Tables, make_study
from tasks.evaluation.studies.published import Published, difference, read, wilson
from tasks.evaluation.systems import FloatArray
from tasks.lake.tables import METRICS, ROUTES, SCORES, VOTES, check, empty
from tasks.report.studies import Section, sections

OF = {"gsm8k": 1319, "mmlu": 1530}
CLUSTERS = 20


def accuracies(benchmark: str) -> dict[str, float]:
    """The paper's, of its models alone."""
    return {one.model: one.value for one in read(benchmark) if one.metric == "accuracy" and one.model and one.setting is None}


def tables(right: Mapping[str, float], seed: int = 0, *, firm: bool = True) -> Tables:
    """A run on GSM8K whose models are right that often, by chance. Its classifier asks metamath-7b whatever the question.

    `firm`: whether the best model of each of its clusters is by far the best there, and stays so on test questions.
    """
    random = np.random.default_rng(seed)
    queries = pl.concat([query_rows(400, benchmark="gsm8k", split="train"), query_rows(1319, benchmark="gsm8k", first=400)])
    models, n = sorted(right), queries.height
    rewards = {model: (random.random(n) < right[model]).astype(float) for model in models}
    cluster = np.arange(n) % CLUSTERS
    if firm:
        for column, model in enumerate(models):
            rewards[model][cluster % len(models) == column] = 1.0
    classified = dict.fromkeys(models, [0.3] * n) | {"metamath-7b": [0.9] * n}
    scores = [score_rows(queries, "roberta-multi-label", classified)]
    scores.append(
        score_rows(queries, "kmeans-tfidf", {model: (cluster / 100 + place / 1000).tolist() for place, model in enumerate(models)})
    )
    chosen = {
        ("best-single", "argmax"): "gemma-7b",
        ("roberta-multi-label", "argmax"): "metamath-7b",
        ("kmeans-tfidf", "argmax"): "gemma-7b",
    }
    chosen |= {("roberta-multi-label", "argmax-as-published"): "metamath-7b", ("roberta-multi-label", "prediction"): "metamath-7b"}
    routes = pl.concat(route_rows(queries, *who, [model] * n) for who, model in chosen.items())
    votes, all_scores = votes_of(queries, rewards), pl.concat(scores)
    metrics = evaluate(queries, votes, all_scores, routes, {}, bootstrap=100, seed=0)
    return Tables(queries, votes, all_scores, routes, check(METRICS, metrics))


def votes_of(queries: pl.DataFrame, rewards: Mapping[str, FloatArray]) -> pl.DataFrame:
    """Imported outcomes: no samples, no latency, no cost."""
    known = [
        pl.DataFrame({"query_id": queries["query_id"], "model": model, "label": values}).filter(pl.col("label").is_not_nan())
        for model, values in rewards.items()
    ]
    votes = pl.concat(known).with_columns(recipe=pl.lit("imported"), success_rate="label", correct=pl.col("label") > 0.5, ambiguous=False)
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in VOTES.schema.items() if name not in votes.columns]
    return check(VOTES, votes.with_columns(missing))


def found(run: Tables, of: str = "gsm8k") -> pl.DataFrame:
    return check(METRICS, make_study("reproduction", {"of": of}, run, 100, 0))


def value(rows: pl.DataFrame, metric: str, **name: str | None) -> dict[str, float]:
    keys = {"model": None, "router": None, "policy": None, "setting": None} | name
    rows = rows.filter(pl.col("metric") == metric, *(pl.col(key).eq_missing(wanted) for key, wanted in keys.items()))
    assert rows.height == 1, (metric, name)
    return rows.row(0, named=True)


def apart(rows: pl.DataFrame) -> set[str | None]:
    """Models whose accuracy differs from the paper's, for all comparisons at once."""
    of_models = rows.filter(metric="accuracy_difference_corrected").filter(pl.col("model").is_not_null(), pl.col("setting").is_null())
    return set(of_models.filter((pl.col("ci_low") > 0) | (pl.col("ci_high") < 0))["model"])


def section(run: Tables, rows: pl.DataFrame) -> Section:
    (only,) = [one for one in sections(pl.concat([run.metrics, rows])) if one.study == "reproduction"]
    return only


@pytest.mark.parametrize("benchmark", OF)
def test_the_papers_figures_agree_with_their_own_arithmetic(benchmark: str) -> None:
    figures = read(benchmark)
    names = [(one.metric, one.model, one.router, one.policy, one.setting) for one in figures]
    assert len(set(names)) == len(names) and all(one.source for one in figures)
    for one in figures:
        if one.right is not None:
            assert one.n in (OF[benchmark], 50) and one.value == pytest.approx(one.right / one.n, abs=1e-6)
        if one.metric != "latency_s":
            assert 0 <= one.value <= 1
    single = {one.model: one for one in figures if one.metric == "accuracy" and one.model and one.setting is None}
    assert len(single) == {"gsm8k": 6, "mmlu": 7}[benchmark]

    def of(metric: str, router: str, policy: str | None = None) -> Published:
        return next(one for one in figures if (one.metric, one.router, one.policy, one.setting) == (metric, router, policy, None))

    # Random choice among the pool is the mean of its models, but for the 1,000 draws that it was estimated from.
    assert of("accuracy", "random").value == pytest.approx(np.mean([one.value for one in single.values()]), abs=0.001)
    classifier = "roberta-multi-label"
    most, bound = of("accuracy", "oracle").value, of("classifier_upper_bound", classifier).value
    policies = [of("accuracy", classifier, policy).value for policy in ("argmax", "random", "prediction", "sorted-prediction")]
    assert max(one.value for one in single.values()) < most and max(policies) < bound < most
    # What was derived from latencies: they are means over right answers of what each answer's model takes.
    seconds = {one.model or one.policy: one.value for one in figures if one.metric == "latency_s" and one.router in (None, classifier)}
    for one in figures:
        if one.metric == "share_of_right":
            mixed = one.value * seconds[one.model] + (1 - one.value) * max(seconds["gemma-7b"], seconds["metamath-7b"])
            assert mixed == pytest.approx(seconds[one.policy], abs=0.002) and one.n == of("accuracy", classifier, one.policy).right


def test_on_mmlu_the_papers_router_has_exactly_what_one_model_has() -> None:
    right = {one.policy or one.model: one.right for one in read("mmlu") if one.metric == "accuracy" and one.router != "oracle"}
    assert right["prediction"] == right["gemma-7b"] == 977 and right["sorted-prediction"] == right["llama2-7b-lm"] == 740


def test_intervals_are_wilsons_and_newcombes() -> None:
    # Newcombe 1998, table II, example (a): 56 of 70 and 48 of 80, method 10: 0.0524 to 0.3339.
    assert difference(56 / 70, 70, 48 / 80, 80) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    # Wilson 1927, by his formula.
    z, n, share = 1.959964, 1319, 938 / 1319
    centre, half = (share + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / 4 / n / n)
    assert wilson(share, n) == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_the_interval_of_a_difference_holds_what_it_says() -> None:
    random = np.random.default_rng(0)
    pairs = random.binomial(400, 0.7, 1000), random.binomial(300, 0.6, 1000)
    ends = [difference(one / 400, 400, other / 300, 300) for one, other in zip(*pairs, strict=True)]
    assert 0.93 <= np.mean([low <= 0.1 <= high for low, high in ends]) <= 0.97


def test_a_run_like_the_papers_differs_in_nothing_and_one_model_that_does_is_named() -> None:
    right = accuracies("gsm8k")
    for seed in range(3):
        same = tables(right, seed, firm=False)
        rows = found(same)
        assert apart(rows) == set(), seed
        assert apart(found(tables(right | {"mistral-7b-lm": right["mistral-7b-lm"] + 0.12}, seed, firm=False))) == {"mistral-7b-lm"}, seed
    assert value(rows, "published_accuracy", model="gemma-7b")["value"] == pytest.approx(938 / 1319, abs=1e-6)
    here, gap = value(rows, "accuracy", model="gemma-7b"), value(rows, "accuracy_difference", model="gemma-7b")
    assert gap["value"] == pytest.approx(here["value"] - 938 / 1319, abs=1e-6) and gap["ci_low"] < gap["value"] < gap["ci_high"]
    whole = value(rows, "accuracy_difference_corrected", model="gemma-7b")
    assert whole["ci_low"] < gap["ci_low"] and gap["ci_high"] < whole["ci_high"]
    text = section(same, rows).text
    assert "in common" in text and "nearly that model alone" in text and "no policy beats the best single model" in text


def test_a_constant_in_disguise_clusters_and_pairs_are_measured_here_too() -> None:
    run = tables(accuracies("gsm8k"))
    rows = found(run)
    classifier = "roberta-multi-label"
    assert value(rows, "share_of_right", model="metamath-7b", router=classifier, policy="prediction")["value"] == 1.0
    for policy in ("argmax", "argmax-as-published"):  # the paper's beside both
        assert value(rows, "published_accuracy", router=classifier, policy=policy)["value"] == pytest.approx(892 / 1319, abs=1e-6)
        assert value(rows, "accuracy", router=classifier, policy=policy)["n"] == 1319
    agree, wins = (
        value(rows, "winners_agree", router="kmeans-tfidf"),
        value(rows, "cluster_wins", model="metamath-7b", router="kmeans-tfidf"),
    )
    assert (agree["value"], agree["n"]) == (1.0, CLUSTERS)
    assert wins["value"] == pytest.approx(np.mean([number % 6 == 3 for number in range(CLUSTERS)]))
    hindsight = value(rows, "accuracy", router="kmeans-tfidf", policy="best-of-cluster-in-hindsight", setting="seven models")
    assert hindsight["value"] == 1.0
    votes = run.votes.filter(pl.col("model").is_in(["gemma-7b", "metamath-7b"])).join(run.queries.filter(split="test"), on="query_id")
    pair = votes.group_by("query_id").agg(pl.col("label").max())["label"].mean()
    assert value(rows, "accuracy", router="oracle", setting="gemma-7b + metamath-7b")["value"] == pytest.approx(pair)
    loose = value(found(tables(accuracies("gsm8k"), firm=False)), "winners_agree", router="kmeans-tfidf")
    assert loose["value"] < 1.0


def test_the_order_of_rows_changes_nothing() -> None:
    run = tables(accuracies("gsm8k"))
    names = ("queries", "votes", "scores", "routes", "metrics")
    mixed = Tables(**{name: getattr(run, name).sample(fraction=1.0, shuffle=True, seed=3) for name in names})
    assert found(run).equals(found(mixed))


def test_what_the_run_does_not_have_is_left_out() -> None:
    assert found(tables(accuracies("gsm8k")), "mmlu").is_empty()  # no such benchmark
    queries = query_rows(30, benchmark="gsm8k")
    holes = np.where(np.arange(30) % 3, 1.0, np.nan)
    votes = votes_of(queries, {"fox": np.ones(30), "gemma-7b": holes})
    bare = Tables(queries, votes, *(empty(table) for table in (SCORES, ROUTES)))
    rows = found(bare)
    assert set(rows["metric"].str.starts_with("published_")) == {True}
    assert "nothing of this run can be set beside them" in section(bare, rows).text
    metrics = evaluate(queries, votes, bare.scores, bare.routes, {}, bootstrap=100, seed=0)
    rows = found(Tables(queries, votes, bare.scores, bare.routes, check(METRICS, metrics)))
    assert value(rows, "accuracy", model="gemma-7b")["n"] == 20


def test_the_table_carries_every_figure_of_the_chart() -> None:
    run = tables(accuracies("gsm8k"))
    shown = section(run, found(run))
    assert shown.chart is not None and shown.table is not None
    cells = {cell if isinstance(cell, str) else cell[0] for line in shown.table.rows for cell in line}
    assert {"71.1 %", "67.6 %", "87.2 %", "oracle (gemma-7b + metamath-7b)"} <= cells
    assert all(len(line) == len(shown.table.columns) for line in shown.table.rows)


def test_the_oracle_and_random_choice_are_of_the_papers_models() -> None:
    usual = accuracies("gsm8k")
    rows, more = (found(tables(usual | other)) for other in ({}, {"aaa": 0.99}))
    for router in ("oracle", "random"):
        assert value(more, "accuracy", router=router)["value"] == pytest.approx(value(rows, "accuracy", router=router)["value"], abs=0.05)
    fewer = found(tables({name: right for name, right in usual.items() if name != "mistral-7b-lm"}))
    assert fewer.filter((pl.col("metric") == "accuracy") & pl.col("router").is_in(["oracle", "random"]))["setting"].drop_nulls().len() == 1
