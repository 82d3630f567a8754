"""Of 1,000 data sets whose truth is known, the 95 % intervals of about 950 hold it; and they are those of SciPy.

Data sets are simulated: 300 queries of three models, whose answers to a query are alike because the query is easy or hard.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.stats import bootstrap
from sklearn.calibration import calibration_curve
from threadpoolctl import threadpool_limits

from tasks.evaluation.averages import Averages, Scope, average, macro_rows, rows_of
from tasks.evaluation.calibration import calibration_error
from tasks.evaluation.comparisons import gap_rows
from tasks.evaluation.figures import Figure, Row
from tasks.evaluation.intervals import Resamples, interval, mean
from tasks.evaluation.preference import area
from tasks.evaluation.studies.calibration import _errors, random_signs
from tasks.evaluation.studies.means import compared_rows, mean_rows
from tasks.evaluation.studies.policies import gain_over_shuffled
from tasks.evaluation.systems import FloatArray, IntArray

pytestmark = pytest.mark.slow

SETS, QUERIES, DRAWS = 1000, 300, 2000
EVERYWHERE = np.arange(QUERIES)
ONE = np.zeros(QUERIES, dtype=np.int64)
RESAMPLES = Resamples(["one"] * QUERIES, DRAWS, 0)  # as many as a run has; with 400 draws half a point less is covered
SIGNS = random_signs(QUERIES, 0)
RATES = np.array([0.1, 0.5, 0.8])


def world(queries: int, seed: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Rewards (queries, models), a router's choices (queries,), and the chances that each answer was right."""
    random = np.random.default_rng([seed, 17])
    best = random.integers(3, size=queries)
    chances = np.clip(RATES + random.normal(0, 0.15, (queries, 1)) + 0.2 * (np.arange(3) == best[:, None]), 0, 1)
    choice = np.where(random.random(queries) < 0.5, best, random.choice(3, size=queries, p=[0.2, 0.3, 0.5]))
    return (random.random((queries, 3)) < chances).astype(np.float64), choice, chances


LARGE = world(1_000_000, 10_000)  # as good as the truth
SMALL = [world(QUERIES, seed) for seed in range(SETS)]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Thousands of little products: threads would wait for each other."""
    with threadpool_limits(1):
        yield


def chosen(rewards: FloatArray, choice: IntArray) -> FloatArray:
    return rewards[np.arange(len(choice)), choice]


def holds(rows: list[Row], truth: float) -> float:
    """Share of the rows whose interval holds the truth."""
    assert len(rows) == SETS
    return float(np.mean([row["ci_low"] <= truth <= row["ci_high"] for row in rows]))


def of_means(values: Callable[[FloatArray, IntArray], FloatArray]) -> list[Row]:
    """Rows of the mean of what `values` makes of rewards and choices, one of each data set."""
    figures = [Figure("accuracy", values(rewards, choice)) for rewards, choice, _ in SMALL]
    return rows_of(average(Scope(None, None, EVERYWHERE), figures, RESAMPLES))


def test_accuracy_gain_and_share() -> None:
    rewards, choice, _ = LARGE
    means: dict[str, tuple[Callable[[FloatArray, IntArray], FloatArray], float]] = {
        "accuracy": (chosen, float(chosen(rewards, choice).mean())),
        "gain": (
            lambda rewards, choice: chosen(rewards, choice) - rewards[:, 2],
            float((chosen(rewards, choice) - rewards[:, 2]).mean()),
        ),
        "random": (lambda rewards, _: rewards.mean(axis=1), float(rewards.mean())),
        "oracle": (lambda rewards, _: rewards.max(axis=1), float(rewards.max(axis=1).mean())),
        "share": (lambda _, choice: (choice == 0).astype(np.float64), float((choice == 0).mean())),
    }
    held = {name: holds(of_means(values), truth) for name, (values, truth) in means.items()}
    assert all(0.93 <= share <= 0.97 for share in held.values()), held


def test_expected_accuracy() -> None:
    """Of ten samples, each right with the answer's chance."""
    random = np.random.default_rng(3)
    rates = [random.binomial(10, chances[:, 1]) / 10 for _, _, chances in SMALL]
    rows = rows_of(average(Scope(None, None, EVERYWHERE), [Figure("expected_accuracy", of) for of in rates], RESAMPLES))
    assert 0.93 <= holds(rows, float(LARGE[2][:, 1].mean())) <= 0.97


def test_share_of_the_gap_that_is_closed() -> None:
    rewards, choice, _ = LARGE
    headroom = (rewards.max(axis=1) - rewards[:, 2]).mean()
    truth = float((chosen(rewards, choice) - rewards[:, 2]).mean() / headroom)
    rows = []
    for rewards, choice, _ in SMALL:
        gain = Figure("gain", chosen(rewards, choice) - rewards[:, 2], router="linear", policy="argmax")
        found = average(Scope(None, None, EVERYWHERE), [gain], RESAMPLES)
        rows += gap_rows(found, rewards.max(axis=1) - rewards[:, 2], RESAMPLES)
    assert 0.93 <= holds(rows, truth) <= 0.97


def test_mean_over_benchmarks_that_weigh_the_same() -> None:
    """Two benchmarks of 220 and 80 queries; on the smaller one the router does no better than model 1."""
    strata = np.repeat(["big", "little"], [220, 80])
    resamples = Resamples(strata.tolist(), DRAWS, 0)
    gains = []
    for rewards, choice, _ in SMALL:
        other = np.where(strata == "big", rewards[:, 2], rewards[:, 1])
        gains.append(Figure("gain", np.where(strata == "big", chosen(rewards, choice), rewards[:, 0]) - other))
    found: list[Averages] = [average(Scope(name, None, np.flatnonzero(strata == name)), gains, resamples) for name in ("big", "little")]
    rewards, choice, _ = LARGE
    truth = ((chosen(rewards, choice) - rewards[:, 2]).mean() + (rewards[:, 0] - rewards[:, 1]).mean()) / 2
    assert 0.93 <= holds(macro_rows(found), float(truth)) <= 0.97


def test_gain_over_shuffled_confidences() -> None:
    rewards, choice, _ = LARGE
    truth = chosen(rewards, choice).mean() - np.bincount(choice, minlength=3) / len(choice) @ rewards.mean(axis=0)
    gains = [gain_over_shuffled(rewards, chosen(rewards, choice), choice, ONE) for rewards, choice, _ in SMALL]
    assert 0.93 <= holds(mean_rows([({"metric": "gain_over_shuffled"}, of) for of in gains], RESAMPLES), float(truth)) <= 0.97


def test_gain_over_shuffled_confidences_within_two_benchmarks() -> None:
    """On the one of 220 queries the router knows what suits; on the one of 80 it asks the models in turn."""
    benchmark = np.repeat([0, 1], [220, 80])
    resamples = Resamples(benchmark.astype(str).tolist(), DRAWS, 0)
    turns = np.arange(QUERIES) % 3
    gains = []
    for rewards, choice, _ in SMALL:
        choices = np.where(benchmark == 0, choice, turns)
        gains.append(gain_over_shuffled(rewards, chosen(rewards, choices), choices, benchmark))
    rewards, choice, _ = LARGE
    known = chosen(rewards, choice).mean() - np.bincount(choice, minlength=3) / len(choice) @ rewards.mean(axis=0)
    rows = mean_rows([({"metric": "gain_over_shuffled_within_benchmark"}, of) for of in gains], resamples)
    assert 0.93 <= holds(rows, float(known * 220 / QUERIES)) <= 0.97


def test_brier_score_of_a_router_and_the_difference_of_two() -> None:
    """One says the chance, the other its square; a query's answers are resampled together."""
    rewards, _, chances = LARGE
    two = [((chances - rewards) ** 2).mean(axis=1), ((chances**2 - rewards) ** 2).mean(axis=1)]
    brier, difference = float(two[1].mean()), float((two[1] - two[0]).mean())
    figures = []
    for rewards, _, chances in SMALL:
        two = [((chances - rewards) ** 2).mean(axis=1), ((chances**2 - rewards) ** 2).mean(axis=1)]
        figures += [Figure("brier", two[1]), Figure("brier", two[1] - two[0])]
    rows = rows_of(average(Scope(None, None, EVERYWHERE), figures, RESAMPLES))
    assert 0.93 <= holds(rows[::2], brier) <= 0.97
    assert 0.93 <= holds(rows[1::2], difference) <= 0.97


@pytest.mark.parametrize("off", [0.0, 0.02, 0.1])
def test_calibration_error_of_confidences_that_are_right_or_too_high(off: float) -> None:
    """Right ones have no error: the interval has one end only that can miss the truth, in one of forty data sets."""

    def said(chances: FloatArray) -> FloatArray:
        return np.clip(chances + off, 0, 1)

    half = Resamples(["one"] * QUERIES, DRAWS // 2, 0)  # as many as a run has take seconds longer and change nothing
    truth = calibration_error(said(LARGE[2]), LARGE[0])[0]["value"] if off else 0.0
    rows = [_errors(said(chances), rewards, half, SIGNS)[0] for rewards, _, chances in SMALL]
    assert 0.93 <= holds(rows, truth) <= (0.97 if off else 0.99)


def test_which_of_two_is_right() -> None:
    """By a confidence that is higher where the first one's chance is."""

    def leanings(rewards: FloatArray, chances: FloatArray) -> tuple[FloatArray, FloatArray]:
        leaning, first = chances[:, 2] - chances[:, 1], rewards[:, 2] - rewards[:, 1]
        return leaning[first > 0], leaning[first < 0]

    truth = area(*leanings(LARGE[0], LARGE[2]))[0]
    ends = np.array([area(*leanings(rewards, chances)) for rewards, _, chances in SMALL])
    assert 0.93 <= float(((ends[:, 1] <= truth) & (truth <= ends[:, 2])).mean()) <= 0.97


def test_intervals_of_all_that_are_compared_hold_all_at_once() -> None:
    """The router, and each of the two lesser models, against the best one."""

    def gains(rewards: FloatArray, choice: IntArray) -> FloatArray:
        return np.column_stack([chosen(rewards, choice), rewards[:, 0], rewards[:, 1]]) - rewards[:, [2]]

    truth = gains(*LARGE[:2]).mean(axis=0)
    held = []
    for rewards, choice, _ in SMALL:
        named = [({"metric": "gain", "setting": str(column)}, of) for column, of in enumerate(gains(rewards, choice).T)]
        rows = [row for row in compared_rows(named, RESAMPLES) if row["metric"] == "gain"]
        held.append(all(row["ci_low"] <= truth[int(row["setting"])] <= row["ci_high"] for row in rows))
    assert 0.93 <= np.mean(held) <= 0.97


def test_the_interval_is_scipys() -> None:
    rewards, choice, _ = SMALL[0]
    gains = (chosen(rewards, choice) - rewards[:, 2])[:, None]
    low, high = interval(Resamples(["one"] * QUERIES, 20_000, 1).means(gains, EVERYWHERE), mean(gains)[1])
    theirs = bootstrap((gains[:, 0],), np.mean, n_resamples=20_000, method="percentile", batch=1000, rng=np.random.default_rng(2))
    assert (low[0], high[0]) == pytest.approx(tuple(theirs.confidence_interval), abs=0.004)  # one query is 0.0033


def test_the_bins_are_scikit_learns() -> None:
    rewards, _, chances = world(2000, 5)
    found = {row["metric"]: row for row in _errors(chances, rewards, Resamples(["one"] * 2000, 10, 0), random_signs(2000, 0))}
    observed, expected = calibration_curve(rewards.ravel(), chances.ravel(), n_bins=10)
    bins = [number for number in range(10) if f"reliability_reward_{number}" in found]
    assert [found[f"reliability_reward_{number}"]["value"] for number in bins] == pytest.approx(observed.tolist())
    assert [found[f"reliability_confidence_{number}"]["value"] for number in bins] == pytest.approx(expected.tolist())
    n = np.array([found[f"reliability_reward_{number}"]["n"] for number in bins])
    assert found["calibration_error"]["value"] == pytest.approx(float((np.abs(observed - expected) * n).sum() / n.sum()))
