"""More training queries help where there is more to learn, and where there is not nothing is found; the curve is SciPy's."""

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows, vote_rows
from polars.testing import assert_frame_equal
from scipy.optimize import curve_fit

from tasks.config import Router
from tasks.evaluation.studies import Tables, make_study, trials_of
from tasks.evaluation.studies.power_law import fit
from tasks.lake.tables import METRICS, ROUTES, SCORES, TRIALS, check, empty
from tasks.report.studies import sections
from tasks.routers.trials import run_trials

MODELS = ["fox", "owl", "yak"]
TOPICS = 24  # of which a router has to learn one by one which model suits it
SIZES = {"train": 480, "validation": 60, "test": 500}


def pool(seed: int, gap: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Questions whose topic is a word of theirs; the topic's own model is right more often than the others, by `gap`."""
    random = np.random.default_rng([seed, 5])
    suits = random.permutation(np.arange(TOPICS) % 3)
    queries, votes, first = [], [], 0
    for split, count in SIZES.items():
        topic = random.integers(TOPICS, size=count)
        asked = query_rows(count, split=split, first=first)
        first += count
        queries.append(asked.with_columns(question=pl.Series([f"topic{'abcdefghijklmnopqrstuvwxyz'[n]} asks" for n in topic])))
        chances = np.where(np.arange(3) == suits[topic][:, None], 0.5 + gap, 0.5 - gap / 2) + np.array([0.02, 0.0, -0.02])
        right = random.random((count, 3)) < chances
        votes += [vote_rows(asked, model, right[:, number].astype(float).tolist(), k=None) for number, model in enumerate(MODELS)]
    return pl.concat(queries), pl.concat(votes)


def tried(seed: int, gap: float) -> Tables:
    queries, votes = pool(seed, gap)
    router = Router.model_validate({"name": "linear", "features": ["words"]})
    trials = run_trials(router, 0, trials_of("training-size", {"draws": 3}, queries, votes, 0))
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), trials=trials)


def figures(tables: Tables) -> dict[tuple[str, str | None], dict[str, float]]:
    rows = check(METRICS, make_study("training-size", {"draws": 3}, tables, 400, 0))
    return {(row["metric"], row["setting"]): row for row in rows.iter_rows(named=True)}


def simulated(seed: int, accuracies: dict[str, float]) -> Tables:
    """Trials that are right as often as planted, on the same queries; fox, the best single model, on 60 %."""
    queries, _ = pool(seed, 0.0)
    random = np.random.default_rng([seed, 8])
    rewards = {"fox": 0.6, "owl": 1.0, "yak": 0.0}  # owl: what a trial that is right chooses
    votes = pl.concat(
        vote_rows(queries, model, (random.random(queries.height) < chance).astype(float).tolist(), k=None)
        for model, chance in rewards.items()
    )
    train = queries.filter(pl.col("split") == "train")["query_id"]
    is_train = pl.col("query_id").is_in(train.implode())
    votes = votes.filter(~(is_train & (pl.col("model") == "owl")))  # nobody is to know that owl is best
    test = queries.filter(pl.col("split") == "test")["query_id"]
    parts = []
    for setting, accuracy in accuracies.items():
        for draw in range(1 if setting == "100 %" else 3):
            right = random.random(len(test)) < accuracy
            name = setting if setting == "100 %" else f"{setting} · draw {draw + 1}"
            for model in MODELS:
                confidence = np.where(right, model == "owl", model == "yak").astype(np.float32)
                parts.append(
                    pl.DataFrame({"query_id": test, "router": "linear", "setting": name, "model": model, "confidence": confidence})
                )
    return Tables(queries, votes, empty(SCORES), empty(ROUTES), trials=pl.concat(parts).select(*TRIALS.columns).cast(TRIALS.schema))


def test_where_there_is_more_to_learn_more_queries_help() -> None:
    for seed in range(2):
        tables = tried(seed, 0.3)
        found = figures(tables)
        assert found["gain_of_size", None]["ci_low"] > 0.03
        assert found["surpasses", None]["value"] > 0.975
        assert found["break_even_queries", None]["value"] < 480
        assert found["training_queries", "25 %"]["value"] == 120
    (section,) = sections(make_study("training-size", {"draws": 3}, tables, 400, 0))
    assert "It passes the best single model with about" in section.text


def test_where_text_tells_nothing_they_hardly_ever_do() -> None:
    found = [figures(tried(seed, 0.0)) for seed in range(4)]
    assert sum(of["gain_of_size", None]["ci_low"] > 0 for of in found) <= 1
    assert not any(of["surpasses", None]["value"] > 0.975 for of in found)


@pytest.mark.parametrize("seed", range(3))
def test_the_curve_tells_a_router_that_will_pass_the_best_model_from_one_that_never_will(seed: int) -> None:
    rising = {f"{share:g} %": 0.75 - 3 * (4.8 * share) ** -0.6 for share in (10, 25, 50, 75, 100)}
    found = figures(simulated(seed, rising))
    assert found["surpasses", None]["value"] > 0.975
    true = (3 / 0.15) ** (1 / 0.6)  # 147 queries
    assert found["break_even_queries", None]["ci_low"] < true < found["break_even_queries", None]["ci_high"]
    assert found["curve_limit", None]["ci_low"] < 0.75 < found["curve_limit", None]["ci_high"]
    flat = simulated(seed, dict.fromkeys(rising, 0.45))
    assert figures(flat)["surpasses", None]["value"] < 0.025
    (section,) = sections(make_study("training-size", {"draws": 3}, flat, 400, 0))
    assert "would never pass the best single model" in section.text
    assert "No sign of it" in section.text


def test_power_laws_are_those_of_scipy_and_meet_where_they_should() -> None:
    sizes = np.array([100.0, 250, 500, 750, 1000])
    random = np.random.default_rng(1)
    for limit, drop, power in ((0.7, 1.5, 0.5), (0.65, 4.0, 0.8), (0.8, 0.9, 0.35)):
        exact = limit - drop * sizes**-power
        curve = fit(sizes, exact[None], 1.0)
        assert curve.at(4000)[0] == pytest.approx(limit - drop * 4000**-power, abs=0.002)
        assert curve.meets(exact[2:3])[0] == pytest.approx(500, rel=0.02)
        noisy = exact + random.normal(0, 0.003, 5)
        fitted, _ = curve_fit(
            lambda n, a, b, c: a - b * n**-c, sizes, noisy, p0=(0.7, 1, 0.5), bounds=([0, 0, 0.1], [1, np.inf, 1]), maxfev=20000
        )
        ours = fit(sizes, noisy[None], 1.0)
        theirs = fitted[0] - fitted[1] * sizes ** -fitted[2]
        mine = ours.limit - ours.drop * sizes**-ours.power
        assert ((mine - noisy) ** 2).sum() <= ((theirs - noisy) ** 2).sum() + 1e-6
    flat = fit(sizes, np.array([[0.6, 0.5, 0.55, 0.5, 0.5]]), 1.0)
    assert flat.drop[0] == 0 and flat.limit[0] == pytest.approx(0.53)
    assert np.isinf(flat.meets(np.array([0.6]))[0]) and flat.meets(np.array([0.4]))[0] == 0
    assert fit(sizes, np.array([[0.1, 0.3, 0.5, 0.6, 0.69]]), 0.7).limit[0] <= 0.7


def test_draws_are_nested_keep_the_benchmarks_and_depend_on_no_order() -> None:
    queries, votes = pool(0, 0.2)
    queries = queries.with_columns(benchmark=pl.when(pl.col("query_id") < "8").then(pl.lit("low")).otherwise(pl.lit("high")))

    def kept(queries: pl.DataFrame) -> dict[str, set[str]]:
        found = trials_of("training-size", {"draws": 2}, queries, votes, 3)
        return {trial.setting: set(trial.queries.filter(pl.col("split") == "train")["query_id"]) for trial in found}

    first = kept(queries)
    assert first == kept(queries.sample(fraction=1, shuffle=True, seed=9))
    assert first["10 % · draw 1"] < first["25 % · draw 1"] < first["75 % · draw 1"] < first["100 %"]
    assert first["10 % · draw 1"] != first["10 % · draw 2"]
    low = queries.filter((pl.col("benchmark") == "low") & (pl.col("split") == "train"))["query_id"]
    assert len(first["25 % · draw 1"] & set(low)) == pytest.approx(len(low) / 4, abs=1)
    few = queries.filter((pl.col("split") != "train") | pl.col("query_id").is_in(low[:30].implode()))
    assert [trial.setting for trial in trials_of("training-size", {"draws": 1}, few, votes, 3)] == ["75 % · draw 1", "100 %"]


def test_the_order_of_rows_changes_nothing_and_without_trials_there_is_nothing() -> None:
    tables = simulated(1, {"10 %": 0.5, "50 %": 0.6, "100 %": 0.65})
    of = (tables.queries, tables.votes, tables.scores, tables.routes, tables.trials)
    queries, votes, scores, routes, trials = (frame.sample(fraction=1, shuffle=True, seed=3) for frame in of)
    mixed = Tables(queries, votes, scores, routes, trials=trials)
    assert_frame_equal(make_study("training-size", {"draws": 3}, tables, 100, 0), make_study("training-size", {"draws": 3}, mixed, 100, 0))
    nothing = Tables(tables.queries, tables.votes, tables.scores, tables.routes)
    assert make_study("training-size", {}, nothing, 100, 0).is_empty()
    assert sections(make_study("training-size", {}, nothing, 100, 0)) == []


def test_holes_make_no_difference_between_shares_and_opponents() -> None:
    tables = simulated(2, {"10 %": 0.5, "50 %": 0.6, "100 %": 0.65})
    random = np.random.default_rng(2)
    # Where fox is right it is mostly not known: its mean over what is left would be far too low.
    holes = (pl.col("model") == "fox") & (pl.col("label") == 1) & pl.Series(random.random(tables.votes.height) < 0.5)
    found = figures(Tables(tables.queries, tables.votes.filter(~holes), tables.scores, tables.routes, trials=tables.trials))
    n = {found[metric, share]["n"] for metric in ("accuracy", "gain") for share in ("10 %", "50 %", "100 %")}
    assert len(n) == 1 and 300 < n.pop() < 450
    grown = found["accuracy", "100 %"]["value"] - found["accuracy", "10 %"]["value"]
    assert found["gain_of_size", None]["value"] == pytest.approx(grown)
    for one in found.values():
        assert one["ci_low"] is None or one["ci_low"] <= one["value"] <= one["ci_high"]
        assert one["metric"] != "gain" or (one["ci_low"] + one["ci_high"]) / 2 == pytest.approx(one["value"], abs=0.01)


def test_a_router_that_always_asks_the_best_single_model_never_passes_it() -> None:
    tables = simulated(3, {"10 %": 0.5, "50 %": 0.6, "100 %": 0.65})
    always = tables.trials.with_columns(confidence=(pl.col("model") == "fox").cast(pl.Float32))
    made = make_study(
        "training-size", {"draws": 3}, Tables(tables.queries, tables.votes, tables.scores, tables.routes, trials=always), 400, 0
    )
    found = {(row["metric"], row["setting"]): row for row in made.iter_rows(named=True)}
    assert found["gain", "100 %"]["value"] == 0 == found["surpasses", None]["value"]
    assert ("break_even_queries", None) not in found
    (section,) = sections(made)
    assert "No sign of it" in section.text and "would never pass" in section.text


def test_a_curve_that_passes_the_best_model_is_no_proof_where_the_router_does_not() -> None:
    rows = [("training_queries", f"{share} %", 5 * share, None, None) for share in (20, 50, 100)]
    rows += [("accuracy", f"{share} %", 0.6, 0.5, 0.7) for share in (20, 50, 100)] + [("gain", "100 %", 0.0, 0.0, 0.0)]
    rows += [("gain_of_size", None, 0.0, -0.1, 0.1), ("gain_of_last_share", None, 0.0, -0.1, 0.1), ("surpasses", None, 0.99, None, None)]
    rows += [("curve_limit", None, 0.7, 0.6, 0.8), ("break_even_queries", None, 900.0, 0.0, 1200.0)]
    keys = ("metric", "setting", "value", "ci_low", "ci_high")
    table = pl.DataFrame(
        [
            {"study": "training-size", "router": "linear", "n": 200, "split": "train" if of[0] == "training_queries" else "test"}
            | dict(zip(keys, of, strict=True))
            for of in rows
        ],
        schema=METRICS.schema,
        orient="row",
    )
    (section,) = sections(table)
    assert "By its curve it passes the best single model with about 900 training questions" in section.text
    assert "more than there are and so a guess, though with all 500 that is not shown (+0.0 points, 0.0 to 0.0)" in section.text
