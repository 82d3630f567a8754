"""Each alarm is raised where it should be, and silent where there is nothing to say."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted_tables import Tables as Planted
from planted_tables import hand_tables, pool_tables, query_rows, score_rows

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import Tables, make_study
from tasks.evaluation.studies.samples import sample_alarms, share
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import ENDINGS, METRICS, check

ALARMS = {
    *("constant", "only_benchmark", "cannot_tell", "few_queries", "misled", "miscalibrated", "unstable_clusters", "contaminated", "leaked"),
    *("unknown_answers", "seldom_asked", "incomplete", "unreadable", "cut_off"),
}


def health(tables: Planted, *, endings: Sequence[tuple[str, str, int, int]] = (), others: pl.DataFrame | None = None) -> pl.DataFrame:
    """The study's rows; `endings`: rows of that table, `others`: rows of METRICS of other studies."""
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)
    metrics = metrics if others is None else pl.concat([metrics, others])
    ends = pl.DataFrame(list(endings), schema=ENDINGS.schema, orient="row")
    found = make_study("health", {}, Tables(tables.queries, tables.votes, tables.scores, tables.routes, metrics, endings=ends), 400, 0)
    return check(METRICS, found)


def raised(found: pl.DataFrame, metric: str, **about: str) -> list[float]:
    """Values of the alarm, sorted; there is one at least."""
    rows = found.filter(
        (pl.col("metric") == metric) & pl.all_horizontal(pl.lit(True), *(pl.col(key) == name for key, name in about.items()))
    )
    assert rows.height, metric
    return sorted(rows["value"])


def figure(found: pl.DataFrame, metric: str, **about: str) -> dict[str, float]:
    rows = found.filter(
        (pl.col("metric") == metric) & pl.all_horizontal(pl.lit(True), *(pl.col(key) == name for key, name in about.items()))
    )
    return rows.select("value", "ci_low", "ci_high", "n").row(0, named=True)


def split_queries(train: int, validation: int, test: int, benchmark: str = "sums", first: int = 0) -> pl.DataFrame:
    parts = [("train", train, 0), ("validation", validation, train), ("test", test, train + validation)]
    return pl.concat(query_rows(count, benchmark=benchmark, split=split, first=first + start) for split, count, start in parts)


def halves(queries: pl.DataFrame, *, every: int = 3) -> tuple[dict[str, list[float | None]], list[str | None]]:
    """fox is right on most of the queries, owl on the others, and a router knows which."""
    fox = [float(number % every != 0) for number in range(queries.height)]
    return {"fox": [*fox], "owl": [1 - value for value in fox]}, ["fox" if value else "owl" for value in fox]


def sound(chosen: Mapping[tuple[str, str], Sequence[str | None]] | None = None) -> Planted:
    """A run without anything to warn of, but for what is `chosen`."""
    queries = split_queries(220, 60, 240)
    rates, perfect = halves(queries)
    tables = hand_tables(rates, chosen or {("perfect", "argmax"): perfect}, queries=queries)
    known = {model: [0.95 * (rate or 0) + 0.02 for rate in values] for model, values in rates.items()}
    scores = pl.concat(score_rows(queries, router, known) for router in tables.scores["router"].unique().sort())
    return Planted(tables.queries, readable(tables.votes), scores, tables.routes)


def readable(votes: pl.DataFrame, unreadable: float = 0.0) -> pl.DataFrame:
    """The votes with so much of ten samples unreadable, on the mean, the same for all models."""
    lost = pl.Series(np.random.default_rng(0).binomial(10, unreadable, votes.height), dtype=pl.Int32)
    return votes.with_columns(valid=10 - lost)


def test_of_a_sound_run_every_alarm_is_silent_and_stands_there() -> None:
    found = health(sound(), endings=[("sums", "fox", 5200, 150), ("sums", "owl", 5200, 0)])
    alarms = found.filter(pl.col("value").is_in([0.0, 1.0]) & pl.col("metric").is_in(list(ALARMS)))
    assert set(alarms["metric"]) == ALARMS - {"only_benchmark", "contaminated", "unstable_clusters"}  # these were not looked at
    assert alarms.filter(pl.col("value") == 1).is_empty(), alarms.filter(pl.col("value") == 1)


def test_a_constant_is_named_and_a_router_that_chooses_is_not() -> None:
    queries = sound().queries
    _, perfect = halves(queries)
    nearly: list[str | None] = ["owl" if number % 60 == 0 else "fox" for number in range(queries.height)]
    found = health(sound({("copy", "argmax"): nearly, ("perfect", "argmax"): perfect}))
    assert raised(found, "constant", router="copy") == [1]
    assert raised(found, "constant", router="perfect") == [0]
    assert 0.98 <= figure(found, "largest_share", router="copy")["value"] < 1


def test_a_tie_of_a_few_queries_cannot_be_told_and_the_gain_that_could_be_is_stated() -> None:
    def some(test: int) -> pl.DataFrame:
        queries = split_queries(220, 60, test)
        rates, _ = halves(queries, every=2)
        coin = np.random.default_rng(0).random(queries.height) < 0.5
        return health(hand_tables(rates, {("coin", "argmax"): ["fox" if side else "owl" for side in coin]}, queries=queries))

    few, many = some(60), some(4000)
    assert raised(few, "cannot_tell") == [1] and raised(many, "cannot_tell") == [0]
    # Half of the differences are ±1, so that a mean of n has a standard error of about √(1/2 / n); seen are 2.8 of these.
    assert figure(many, "detectable_gain")["value"] == pytest.approx(2.8 * np.sqrt(0.5 / 4000), rel=0.15)
    assert raised(some(5), "cannot_tell") == [1]


def test_few_queries_are_counted_by_split() -> None:
    queries = pl.concat([split_queries(100, 0, 300)])
    rates, perfect = halves(queries)
    found = health(hand_tables(rates, {("r", "argmax"): perfect}, queries=queries))
    assert [raised(found, "few_queries", split=split) for split in ("train", "validation", "test")] == [[1], [1], [0]]
    assert figure(found, "queries", split="train")["value"] == 100


def test_a_best_single_model_that_is_not_best_on_test_queries_is_named() -> None:
    queries = sound().queries
    rates, perfect = halves(queries)
    assert raised(health(hand_tables(rates, {("r", "argmax"): perfect}, queries=queries, best="owl")), "misled", model="owl") == [1]
    assert raised(health(hand_tables(rates, {("r", "argmax"): perfect}, queries=queries, best="fox")), "misled", model="fox") == [0]


def test_a_gain_that_is_the_benchmarks_is_told_from_one_that_is_not() -> None:
    queries = pl.concat([split_queries(220, 60, 240), split_queries(220, 60, 240, "facts", 1000)])
    sums = (queries["benchmark"] == "sums").to_list()
    rates: dict[str, list[float | None]] = {
        "fox": [float(here == (number % 4 > 0)) for number, here in enumerate(sums)],
        "owl": [float(here != (number % 4 > 0)) for number, here in enumerate(sums)],
    }
    by_benchmark: list[str | None] = ["fox" if here else "owl" for here in sums]
    perfect: list[str | None] = ["fox" if rate else "owl" for rate in rates["fox"]]
    routers = {("benchmark", "argmax"): by_benchmark, ("knows", "argmax"): perfect, ("guesses", "argmax"): by_benchmark}
    found = health(hand_tables(rates, routers, queries=queries))
    assert raised(found, "only_benchmark", router="guesses") == [1]
    assert raised(found, "only_benchmark", router="knows") == [0]


@pytest.mark.parametrize(("lost", "is_raised"), [(0.03, 0), (0.08, 1)])
def test_unreadable_answers_of_a_model_on_a_benchmark(lost: float, is_raised: int) -> None:
    tables = sound()
    for seed in range(6):
        random = np.random.default_rng(seed)
        bad = pl.Series(random.binomial(10, lost, tables.votes.height), dtype=pl.Int32)
        votes = tables.votes.with_columns(valid=10 - pl.when(pl.col("model") == "owl").then(bad).otherwise(0))
        rows = sample_alarms(Tables(tables.queries, votes, tables.scores, tables.routes))
        found = pl.DataFrame(rows, schema_overrides={"ci_low": pl.Float64, "ci_high": pl.Float64})
        assert raised(found, "unreadable", model="owl", benchmark="sums") == [is_raised]
        assert raised(found, "unreadable", model="fox") == [0]
        assert figure(found, "unreadable_share", model="owl")["value"] == pytest.approx(lost, abs=0.02)


def test_the_interval_of_a_share_of_samples_covers_it_where_samples_of_a_query_are_alike() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        lost = random.binomial(10, random.beta(0.3, 4.7, 200)).astype(float)  # 6 % on the mean
        value, low, high = share(lost, np.full(200, 10.0))
        covered += low <= 0.06 <= high
        assert low <= value <= high
    assert 0.92 < covered / 200 < 0.99
    assert share(np.zeros(240), np.full(240, 10.0))[2] < 0.02
    assert share(np.full(5, 10.0), np.full(5, 10.0))[0] == 1


@pytest.mark.parametrize(("cut", "is_raised"), [(160, 0), (450, 1)])
def test_answers_that_were_cut_off(cut: int, is_raised: int) -> None:
    found = health(sound(), endings=[("sums", "fox", 5200, cut)])
    assert raised(found, "cut_off", model="fox", benchmark="sums") == [is_raised]
    assert figure(found, "cut_off_share")["n"] == 520


def test_samples_that_are_missing_and_could_still_win() -> None:
    tables = sound()
    votes = tables.votes.with_columns(
        stop=pl.when((pl.col("model") == "owl") & (pl.int_range(pl.len()) % 7 == 0)).then(pl.lit("incomplete")).otherwise("stop")
    )
    found = health(Planted(tables.queries, votes, tables.scores, tables.routes))
    assert (raised(found, "incomplete", model="owl"), raised(found, "incomplete", model="fox")) == ([1], [0])


def test_models_that_were_asked_little_and_routes_to_what_is_not_known() -> None:
    tables = sound()
    kept = tables.votes.filter((pl.col("model") == "fox") | (pl.col("query_id").hash(0) % 3 == 0))
    found = health(Planted(tables.queries, kept, tables.scores, tables.routes))
    assert (raised(found, "seldom_asked", model="owl"), raised(found, "seldom_asked", model="fox")) == ([1], [0])
    assert raised(found, "unknown_answers", router="perfect") == [1]
    assert 0.1 < figure(found, "unknown_share")["value"] < 0.4


def test_confidences_that_are_too_high_are_told_from_those_that_are_right_by_luck() -> None:
    for seed in range(3):
        random = np.random.default_rng(seed)
        queries = split_queries(220, 60, 240)
        chance = random.uniform(0.05, 0.95, (queries.height, 4)) * 0.6 + random.uniform(0, 0.4, (queries.height, 1))
        right = (random.random(chance.shape) < chance).astype(float)
        models = ["a", "b", "c", "d"]
        rates: dict[str, list[float | None]] = {model: right[:, column].tolist() for column, model in enumerate(models)}
        tables = hand_tables(
            rates, {("true", "argmax"): ["a"] * queries.height, ("bold", "argmax"): ["a"] * queries.height}, queries=queries
        )
        scores = pl.concat(
            score_rows(queries, router, {model: values[:, column].tolist() for column, model in enumerate(models)})
            for router, values in (("true", chance), ("bold", chance**0.4))
        )
        found = health(Planted(tables.queries, tables.votes, scores, tables.routes))
        assert raised(found, "miscalibrated", router="true") == [0]
        assert raised(found, "miscalibrated", router="bold") == [1]


def test_what_other_studies_found_is_taken_over() -> None:
    def of(study: str, metric: str, value: float, **about: str) -> dict[str, object]:
        return {**dict.fromkeys(METRICS.columns), "study": study, "split": "test", "metric": metric, "value": value, "n": 500, **about}

    rows = [
        of("contamination", "contaminated", 1.0, model="owl", benchmark="sums"),
        of("contamination", "contaminated", 0.0, model="fox", benchmark="sums"),
        of("contamination", "excess_corrected", 0.11, model="owl", benchmark="sums"),
        of("calibration", "miscalibrated", 1.0, router="perfect"),
        of("calibration", "calibration_error", 0.3, router="perfect"),
    ]
    found = health(sound(), others=pl.DataFrame(rows, schema=METRICS.schema))
    assert raised(found, "contaminated") == [0, 1]
    assert figure(found, "excess", model="owl")["value"] == 0.11
    assert raised(found, "miscalibrated", router="perfect") == [1]
    assert figure(found, "calibration_error")["value"] == 0.3


@pytest.mark.parametrize(("chance", "alike", "is_raised"), [(0.4, 0.8, 1), (0.001, 0.8, 0), (0.001, 0.02, 1)])
def test_clusters_whose_winners_are_luck_or_that_are_luck_themselves(chance: float, alike: float, is_raised: int) -> None:
    blank = {**dict.fromkeys(METRICS.columns), "study": "clusters", "split": "test", "n": 500}
    values = {"adjusted_rand": alike, "p_value": chance, "winners_agree": 0.22, "winners_agree_by_chance": 0.24}
    rows = [blank | {"metric": metric, "value": value, "setting": "words · 50 clusters"} for metric, value in values.items()]
    without = [row | {"setting": "words · 50 clusters · without owl", "value": 1.0} for row in rows if row["metric"] != "adjusted_rand"]
    found = health(sound(), others=pl.DataFrame([*rows, *without], schema=METRICS.schema))
    assert raised(found, "unstable_clusters") == [is_raised]
    assert figure(found, "p_value", setting="words · 50 clusters")["value"] == chance


def test_the_order_of_rows_changes_nothing() -> None:
    tables = pool_tables(30)
    turned = Planted(*(getattr(tables, name).reverse() for name in ("queries", "votes", "scores", "routes")))
    one, other = (health(part).sort("metric", "benchmark", "model", "router", "policy", "split") for part in (tables, turned))
    assert one.drop("value", "ci_low", "ci_high").equals(other.drop("value", "ci_low", "ci_high"))
    np.testing.assert_allclose(one["value"].to_numpy(), other["value"].to_numpy(), atol=1e-12)


def test_outcomes_of_two_models_without_samples_have_what_can_be_said() -> None:
    found = health(hand_tables({"fox": [1.0, 0.0], "owl": [0.0, 1.0]}, {}, k=None))
    assert not set(found["metric"]) & {"unreadable", "cut_off", "incomplete", "constant"}
    assert raised(found, "few_queries", split="test") == [1]
    empty = pool_tables(12)
    nothing = Planted(*(getattr(empty, name).clear() for name in ("queries", "votes", "scores", "routes")))
    assert raised(health(nothing), "few_queries") == [1, 1, 1]


@pytest.mark.slow
def test_the_demo_counts_how_its_samples_end_and_names_what_is_wrong_with_it(demo_lake: Path) -> None:
    lake = Lake(str(demo_lake))
    ends, found = read_table(lake, ENDINGS), read_table(lake, METRICS).filter(pl.col("study") == "health")
    assert ends["samples"].to_list() == [7200] * 5
    assert 0 < ends["cut_off"].sum() < 0.05 * 36000
    assert raised(found, "leaked") == [1]  # one question comes twice, with its options in another order
    assert raised(found, "contaminated", model="atlas") == [1]
    for silent in ("unreadable", "cut_off", "incomplete", "seldom_asked", "few_queries", "misled", "unknown_answers"):
        assert set(raised(found, silent)) == {0}, silent
