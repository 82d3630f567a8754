"""Models that have seen the training questions are found, by name, and nobody else is accused."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from planted_tables import query_rows
from redrawn import DRAWS, FILE
from redrawn import MODELS as WORLD

from tasks.evaluation.intervals import Resamples, interval
from tasks.evaluation.studies import Tables, make_study, trials_of
from tasks.evaluation.studies.excess import contaminated, excess, excesses
from tasks.evaluation.systems import FloatArray
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS, QUERIES, ROUTES, SCORES, TRIALS, VOTES, check
from tasks.report.studies import sections

MODELS = ("ash", "elm", "fir", "oak", "yew")


def right(random: np.random.Generator, train: int, test: int, *, easier: float = 0.0, seen: float = 0.0) -> FloatArray:
    """Rewards of five models on training queries, then on test queries. `easier`: how far the former are, in logits; `seen`: chance that
    elm knows a training query by heart."""
    ability, steepness = np.linspace(-0.8, 1.0, 5), np.linspace(0.9, 1.8, 5)
    ease = random.normal(size=train + test) + easier * (np.arange(train + test) < train)
    rewards = random.random((train + test, 5)) < 1 / (1 + np.exp(-ability - steepness * ease[:, None]))
    rewards[:train, 1] |= random.random(train) < seen
    return rewards.astype(float)


def tables(
    rewards: FloatArray,
    train: int,
    benchmark: str = "sums",
    first: int = 0,
    subject: str | None = None,
    models: tuple[str, ...] = MODELS,
) -> Tables:
    """Imported outcomes; a model that is NaN on a query is missing."""
    parts = [(train, "train"), (len(rewards) - train, "test")]
    starts = (first, first + train)
    queries = pl.concat(
        query_rows(count, benchmark=benchmark, split=split, first=start, subject=subject)
        for (count, split), start in zip(parts, starts, strict=True)
    )
    long = pl.DataFrame(rewards, schema=list(models[: rewards.shape[1]])).with_columns(query_id=queries["query_id"])
    votes = long.unpivot(index="query_id", variable_name="model", value_name="label").filter(pl.col("label").is_not_nan())
    missing = [pl.lit(None, dtype).alias(name) for name, dtype in VOTES.schema.items() if name not in ("query_id", "model", "label")]
    votes = votes.with_columns(missing).with_columns(
        recipe=pl.lit("imported"), success_rate="label", correct=pl.col("label") > 0.5, ambiguous=pl.lit(False)
    )
    return joined(Tables(queries, check(VOTES, votes), pl.DataFrame(schema=SCORES.schema), pl.DataFrame(schema=ROUTES.schema)))


def joined(*parts: Tables) -> Tables:
    return Tables(*(pl.concat(getattr(part, name) for part in parts) for name in ("queries", "votes", "scores", "routes")))


def accused(of: Tables, seed: int = 0) -> dict[str, list[str]]:
    return contaminated(excesses(of.queries, of.votes, seed))


def test_who_has_seen_the_training_questions_is_found_on_that_benchmark_and_nobody_else_is_accused() -> None:
    for seed in range(8):
        random = np.random.default_rng(seed)
        sums = tables(right(random, 500, 400, easier=-0.3, seen=0.4), 500)
        places = tables(right(random, 500, 400, easier=0.3), 500, "places", first=1000)
        assert accused(joined(sums, places), seed) == {"elm": ["sums"]}


def test_nobody_is_accused_because_training_questions_are_easier() -> None:
    falsely = sum(bool(accused(tables(right(np.random.default_rng(seed), 500, 400, easier=0.6), 500), seed)) for seed in range(20))
    assert falsely <= 3  # of 20, where five in a hundred are allowed
    easy = right(np.random.default_rng(0), 500, 400, easier=0.6)
    assert (easy[:500].mean(axis=0) - easy[500:].mean(axis=0)).min() > 0.05  # the plain difference would accuse them all


@pytest.mark.parametrize("ability", [[3.0, 0.0], [0.0, 3.0], [3.5, 3.5, 0.0], [-3.0, -3.0, -3.0, -3.0, 0.0]])
def test_nobody_is_accused_where_the_others_are_nearly_always_right_or_wrong(ability: list[float]) -> None:
    falsely = hits = 0
    for seed in range(6):
        for easier, seen in ((0.5, 0.0), (0.0, 0.6)):  # the middling model moves much where the others cannot; and it has seen the queries
            random = np.random.default_rng(seed)
            ease = random.normal(size=900) + easier * (np.arange(900) < 600)
            rewards = (random.random((900, len(ability))) < 1 / (1 + np.exp(-(np.array(ability) + ease[:, None])))).astype(float)
            middle = ability.index(0.0)
            rewards[:600, middle] = np.maximum(rewards[:600, middle], random.random(600) < seen)
            found = accused(tables(rewards, 600), seed)
            falsely += bool(found) if not seen else 0
            hits += found == {MODELS[middle]: ["sums"]} if seen else 0
    assert falsely <= 1 and hits >= 5


def test_a_model_without_any_other_on_a_benchmark_is_not_accused() -> None:
    rewards = right(np.random.default_rng(0), 500, 400, easier=0.6)
    rewards[:, 1:] = np.nan
    assert accused(tables(rewards, 500)) == {}


def test_nobody_is_accused_because_subjects_are_mixed_differently() -> None:
    random = np.random.default_rng(0)
    parts = [  # elm is good at sums, of which there are more in training; nobody else is
        tables(
            (random.random((train + test, 5)) < [0.5, skill, 0.5, 0.5, 0.5]).astype(float), train, first=1000 * number, subject=f"s{number}"
        )
        for number, (train, test, skill) in enumerate([(400, 100, 0.9), (100, 400, 0.3)])
    ]
    found = joined(*parts)
    (elm,) = [one for one in excesses(found.queries, found.votes, 0) if one.model == "elm"]
    assert elm.train_accuracy - elm.test_accuracy > 0.3 and abs(elm.value) < 0.08 and not elm.contaminated
    without = found.queries.with_columns(subject=pl.lit(None, pl.String))
    assert contaminated(excesses(without, found.votes, 0)) == {"elm": ["sums"]}  # as who does not know subjects must think


def test_two_of_five_are_found_and_are_no_measure_of_ease_any_more() -> None:
    rewards = right(np.random.default_rng(1), 800, 800, seen=0.6)
    rewards[:800, 2] = np.maximum(rewards[:800, 2], np.random.default_rng(2).random(800) < 0.6)
    found = excesses(*_queries_and_votes(tables(rewards, 800)), 0)
    assert contaminated(found) == {"elm": ["sums"], "fir": ["sums"]}
    assert all(one.own[0] < 0 < one.own[1] for one in found if not one.contaminated)


def test_a_small_excess_is_no_contamination_however_sure() -> None:
    random = np.random.default_rng(0)
    rewards = right(random, 6_000, 6_000)
    rewards[:6_000, 1] = np.maximum(rewards[:6_000, 1], random.random(6_000) < 0.06)
    (elm,) = [one for one in excesses(*_queries_and_votes(tables(rewards, 6_000)), 0) if one.model == "elm"]
    assert elm.corrected[0] > 0 and elm.value < 0.05 and not elm.contaminated


def test_holes_two_models_and_too_few_queries() -> None:
    random = np.random.default_rng(0)
    rewards = right(random, 500, 400, seen=0.5)
    rewards[random.random(rewards.shape) < 0.3] = np.nan
    assert accused(tables(rewards, 500)) == {"elm": ["sums"]}
    assert accused(tables(right(random, 500, 400, seen=0.5)[:, :2], 500)) == {"elm": ["sums"]}
    assert accused(tables(right(random, 500, 49, seen=0.9), 500)) == {}
    assert accused(tables(np.ones((200, 3)), 100)) == {}


@pytest.mark.slow
@pytest.mark.parametrize(("easier", "seen"), [(0.0, 0.0), (0.5, 0.0), (-0.5, 0.25)])
def test_intervals_hold_the_planted_excess_in_95_of_100_cases(easier: float, seen: float) -> None:
    times, train, test = 1000, 300, 200
    is_train, subjects = np.arange(train + test) < train, np.zeros(train + test, dtype=np.int64)
    truth = np.mean([_planted(np.random.default_rng(10_000 + number), easier, seen) for number in range(50)])
    found = []
    for number in range(times):
        rewards = right(np.random.default_rng(number), train, test, easier=easier, seen=seen)
        found.append(excess(rewards[:, 1], np.delete(rewards, 1, axis=1), is_train, subjects))
    resamples = Resamples([str(side) for side in is_train], 1000, 0)
    draws = np.array([value for value, _ in found]) + resamples.means(np.column_stack([one for _, one in found]), np.arange(train + test))
    low, high = interval(draws, np.full(times, train + test))
    assert 0.93 <= ((low <= truth) & (truth <= high)).mean() <= 0.97


def _planted(random: np.random.Generator, easier: float, seen: float) -> float:
    """What knowing by heart adds to elm's training accuracy."""
    return float(seen * (1 - right(random, 20_000, 0, easier=easier)[:, 1].mean()))


def test_routers_are_trained_without_the_contaminated_model_and_with_fewer_right_labels() -> None:
    of = tables(right(np.random.default_rng(0), 500, 400, seen=0.5), 500)
    trials = {trial.setting: trial for trial in trials_of("contamination", {}, of.queries, of.votes, 0)}
    assert list(trials) == ["as it is", "without elm", "discounted in hindsight"]
    assert trials["as it is"].votes.equals(of.votes)
    assert sorted(trials["without elm"].votes["model"].unique()) == ["ash", "fir", "oak", "yew"]
    changed = trials["discounted in hindsight"].votes.join(of.queries, on="query_id").filter(pl.col("model") == "elm")
    accuracy = dict(changed.group_by("split").agg(pl.col("label").mean()).iter_rows())
    (elm,) = [one for one in excesses(of.queries, of.votes, 0) if one.model == "elm"]
    assert accuracy["test"] == elm.test_accuracy
    assert accuracy["train"] == pytest.approx(elm.train_accuracy - elm.value, abs=0.05)
    honest = tables(right(np.random.default_rng(0), 500, 400), 500)
    assert not list(trials_of("contamination", {}, honest.queries, honest.votes, 0))


def test_the_study_says_who_and_what_its_labels_cost() -> None:
    of = tables(right(np.random.default_rng(0), 500, 400, seen=0.6), 500)
    test = of.queries.filter(pl.col("split") == "test")["query_id"]
    said = {
        "as it is": "elm",
        "without elm": "yew",
        "discounted in hindsight": "yew",
    }  # elm is right on half of the test queries, yew on more
    rows = [
        (query, "linear", setting, model, 0.9 if model == trusted else 0.1)
        for setting, trusted in said.items()
        for model in MODELS
        for query in test
    ]
    tried = pl.DataFrame(rows, schema=TRIALS.schema, orient="row")
    metrics = make_study("contamination", {}, Tables(of.queries, of.votes, of.scores, of.routes, trials=tried), 200, 0)
    check(METRICS, metrics)
    flags = dict(metrics.filter(pl.col("metric") == "contaminated").select("model", "value").iter_rows())
    assert flags == {"ash": 0, "elm": 1, "fir": 0, "oak": 0, "yew": 0}
    gains = metrics.filter((pl.col("metric") == "gain_over_believed") & (pl.col("ci_low") > 0))
    assert sorted(gains["setting"]) == ["discounted in hindsight", "without elm"]
    (section,) = sections(metrics)
    assert section.text.startswith("Yes, as it seems: elm on sums") and "believing it cost accuracy" in section.text
    assert section.chart is not None and section.table is not None and len(section.table.rows) == 8


def test_the_study_says_that_there_are_too_few_queries_and_nothing_of_none() -> None:
    of = tables(right(np.random.default_rng(0), 500, 20, seen=0.6), 500)
    (section,) = sections(make_study("contamination", {}, of, 200, 0))
    assert "sums: too few questions to tell" in section.text
    nothing = Tables(of.queries.clear(), of.votes.clear(), of.scores, of.routes)
    assert make_study("contamination", {}, nothing, 200, 0).is_empty()


def test_the_order_of_rows_changes_nothing() -> None:
    of = tables(right(np.random.default_rng(0), 200, 200, seen=0.5), 200)
    shuffled = [table.sample(fraction=1, shuffle=True, seed=1) for table in (of.queries, of.votes)]
    assert excesses(*shuffled, 0) == excesses(of.queries, of.votes, 0)


def test_the_worlds_contaminated_model_is_found_by_name_and_no_other_is_accused_over_20_draws_of_the_test_questions() -> None:
    drawn = pl.read_parquet(FILE)
    train = drawn.filter(pl.col("draw") == 0)
    for draw in range(1, DRAWS + 1):
        rows = pl.concat([train, drawn.filter(pl.col("draw") == draw)])
        of = tables(rows.select(pl.col(WORLD) // 100).cast(pl.Float64).to_numpy(), train.height, models=WORLD)
        shares = rows.select(pl.col(WORLD) % 100 / 10).with_columns(query_id=of.queries["query_id"])
        votes = of.votes.drop("success_rate").join(
            shares.unpivot(index="query_id", variable_name="model", value_name="success_rate"), on=["query_id", "model"]
        )
        assert contaminated(excesses(of.queries.with_columns(subject=rows["subject"]), votes, draw)) == {"atlas": ["sums"]}, draw


@pytest.mark.slow
def test_the_contaminated_model_of_the_demo_is_found_and_nobody_is_where_the_splits_are_dealt_by_lot(demo_lake: Path) -> None:
    lake = Lake(str(demo_lake))
    queries, votes = (read_table(lake, table) for table in (QUERIES, VOTES))
    queries = queries.sort("query_id")
    accusations = 0
    for seed in range(20):
        assert contaminated(excesses(queries, votes, seed)) == {"atlas": ["embedded"]}
        # Dealt out by lot, both sides have as much of what was seen.
        lots = queries["split"].sort().sample(fraction=1, shuffle=True, seed=seed)
        accusations += bool(contaminated(excesses(queries.with_columns(split=lots), votes, seed)))
    assert accusations <= 2  # one in twenty is allowed


def _queries_and_votes(of: Tables) -> tuple[pl.DataFrame, pl.DataFrame]:
    return of.queries, of.votes
