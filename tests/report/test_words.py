"""Sentences that a newcomer reads say what the figures say."""

import polars as pl
import pytest
from planted_tables import Tables, decided_early, hand_tables, pool_tables, query_rows

from tasks.evaluation.evaluate import evaluate
from tasks.evaluation.studies import Tables as Studied
from tasks.evaluation.studies import make_study
from tasks.report.alarm_words import NOT_YET
from tasks.report.figures import between, dollars, percent, seconds, signed
from tasks.report.markdown import escape_markdown, markdown
from tasks.report.systems import summary_table
from tasks.report.words import verdict_sentences


def metrics_of(tables: Tables) -> pl.DataFrame:
    """Of the evaluation, and of the study that raises alarms."""
    parts = (tables.queries, tables.votes, tables.scores, tables.routes)
    metrics = evaluate(*parts, {}, 400, 0)
    return pl.concat([metrics, make_study("health", {}, Studied(*parts, metrics), 400, 0)])


def halves(count: int = 240) -> tuple[dict[str, list[float | None]], list[str | None], pl.DataFrame]:
    """fox is right on two thirds of the queries, owl on the others; half of them validation, half test."""
    fox = [float(number % 3 != 0) for number in range(count)]
    queries = pl.concat([query_rows(count // 2, split="validation"), query_rows(count // 2, split="test", first=count // 2)])
    return {"fox": [*fox], "owl": [1 - value for value in fox]}, ["fox" if value else "owl" for value in fox], queries


def test_a_router_that_beats_the_best_single_model_makes_routing_worth_it() -> None:
    rates, chosen, queries = halves(480)
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("perfect", "argmax"): chosen}, queries=queries)))
    assert verdicts.answer == "Yes"
    assert "perfect with argmax beats the best single model, fox, by 33.3 points (95 % interval " in verdicts.headline
    assert "on 240 test questions" in verdicts.headline
    assert [verdict.value for verdict in verdicts.routers] == [1]
    assert not [alarm for alarm in verdicts.alarms if "constant" in alarm or "Too few" in alarm or "best single model" in alarm]


def test_a_router_that_is_worse_says_no() -> None:
    rates, chosen, queries = halves()
    bad: list[str | None] = ["owl" if model == "fox" else "fox" for model in chosen]
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("bad", "argmax"): bad}, queries=queries)))
    assert verdicts.answer == "No"
    assert "bad with argmax loses to the best single model, fox, by 66.7 points" in verdicts.headline


@pytest.mark.parametrize(
    ("right", "said"), [(0, "no model is ever right (240 test questions)"), (6, "the best, fox, is right on 2.5 % of them")]
)
def test_a_pool_that_knows_nothing_is_told_so_and_not_that_its_router_ties(right: int, said: str) -> None:
    _, chosen, queries = halves(480)
    rates: dict[str, list[float | None]] = {"fox": [float(number % 240 < right) for number in range(480)], "owl": [0.0] * 480}
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("hopeless", "argmax"): chosen}, queries=queries)))
    assert verdicts.answer == "No"
    assert "cannot answer these questions" in verdicts.headline
    assert said in verdicts.headline


def test_a_router_that_is_shown_to_gain_is_worth_it_even_where_right_answers_are_rare() -> None:
    _, _, queries = halves(2400)
    fox, owl = ([float(number % 24 == place) for number in range(2400)] for place in (0, 1))
    perfect: list[str | None] = ["owl" if value else "fox" for value in owl]
    verdicts = verdict_sentences(metrics_of(hand_tables({"fox": [*fox], "owl": [*owl]}, {("perfect", "argmax"): perfect}, queries=queries)))
    assert verdicts.answer == "Yes"


def test_a_copy_of_the_best_single_model_is_named_a_constant() -> None:
    rates, _, queries = halves()
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("copy", "argmax"): ["fox"] * 240}, queries=queries)))
    assert verdicts.answer == "Not shown"
    assert "exactly as good as" in verdicts.headline
    said = "copy with argmax is a constant: it sends at least 98 % of the questions to fox, the best single model. That needs no router."
    assert said in verdicts.alarms


def test_a_constant_that_beats_what_looked_best_in_training_is_not_routing() -> None:
    rates, _, queries = halves()
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("copy", "argmax"): ["fox"] * 240}, best="owl", queries=queries)))
    assert [verdict.value for verdict in verdicts.routers] == [1]
    assert verdicts.answer == "No"
    assert "it asks fox whatever the question, which needs no router" in verdicts.headline


def test_a_model_that_looked_best_in_training_and_is_not_is_named() -> None:
    rates, chosen, queries = halves(480)
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("perfect", "argmax"): chosen}, best="owl", queries=queries)))
    assert any(alarm.startswith("owl, the best single model on training questions, is 33.3 points below fox") for alarm in verdicts.alarms)
    assert verdicts.answer == "Yes"
    assert "Even over fox, the best single model in hindsight, it gains 33.3 points" in verdicts.headline


def test_beating_only_what_looked_best_in_training_is_not_enough() -> None:
    rates, _, queries = halves(480)
    often: list[str | None] = [("owl" if number % 20 == 0 else "fox") for number in range(480)]
    verdicts = verdict_sentences(metrics_of(hand_tables(rates, {("r", "argmax"): often}, best="owl", queries=queries)))
    assert [verdict.value for verdict in verdicts.routers] == [1]
    assert verdicts.answer == "Not yet"
    assert "not shown to beat fox, the best single model on the test questions themselves" in verdicts.headline


def test_a_few_test_questions_raise_an_alarm() -> None:
    rates, chosen, queries = halves(60)
    alarms = verdict_sentences(metrics_of(hand_tables(rates, {("r", "argmax"): chosen}, queries=queries))).alarms
    assert any("only 30 test questions" in alarm for alarm in alarms)


def test_recognising_the_benchmark_is_not_yet_routing() -> None:
    parts = [("sums", "validation"), ("sums", "test"), ("facts", "validation"), ("facts", "test")]
    queries = pl.concat([query_rows(60, benchmark=name, split=split, first=60 * number) for number, (name, split) in enumerate(parts)])
    sums = [True] * 120 + [False] * 120
    rates: dict[str, list[float | None]] = {"fox": [float(here) for here in sums], "owl": [float(not here) for here in sums]}
    chosen: list[str | None] = ["fox" if here else "owl" for here in sums]
    tables = hand_tables(rates, {("benchmark", "argmax"): chosen, ("kmeans", "argmax"): chosen}, queries=queries)
    verdicts = verdict_sentences(metrics_of(tables))
    assert verdicts.answer == "Not yet"
    assert NOT_YET in verdicts.headline
    assert any(
        alarm.startswith("kmeans is not shown to be better than a router that knows only the benchmark.") for alarm in verdicts.alarms
    )


def test_the_policy_is_chosen_on_validation_questions_not_on_test() -> None:
    rates, chosen, queries = halves()
    wrong: list[str | None] = ["owl" if model == "fox" else "fox" for model in chosen]
    good_on_test = wrong[:120] + chosen[120:]
    good_on_validation = chosen[:120] + wrong[120:]
    tables = hand_tables(rates, {("r", "argmax"): good_on_test, ("r", "random"): good_on_validation}, queries=queries)
    verdicts = verdict_sentences(metrics_of(tables))
    assert [(verdict.policy, verdict.value) for verdict in verdicts.routers] == [("random", -1)]
    assert verdicts.answer == "No"


def test_where_no_other_model_is_ever_better_there_is_nothing_to_route_for() -> None:
    rates, _, queries = halves()
    tables = hand_tables({"fox": rates["fox"], "owl": [0.0] * 240}, {("r", "argmax"): ["fox", "owl"] * 120}, queries=queries)
    verdicts = verdict_sentences(metrics_of(tables))
    assert (verdicts.answer, "nothing to route for" in verdicts.headline) == ("No", True)


def test_nothing_to_route_for_on_a_part_of_the_questions_is_said_to_be_of_that_part() -> None:
    rates: dict[str, list[float | None]] = {"fox": [1.0] * 60 + [None] * 180, "owl": [0.0] * 240}
    tables = hand_tables(rates, {("r", "argmax"): ["fox"] * 240}, best="fox")
    verdicts = verdict_sentences(metrics_of(tables))
    said = "nothing to route for. This counts only the 60 of 240 test questions to which fox has a known answer."
    assert verdicts.headline.endswith(said), verdicts.headline


def test_nothing_to_compare_is_said_and_not_fatal() -> None:
    rates, _, queries = halves()
    assert verdict_sentences(metrics_of(hand_tables(rates, {}, queries=queries))).answer == "Cannot be told"
    assert verdict_sentences(metrics_of(pool_tables(12)).clear()).answer == "Cannot be told"
    tables = hand_tables(rates, {("r", "argmax"): ["fox"] * 240}, queries=queries)
    unknown = Tables(tables.queries, tables.votes, tables.scores, tables.routes.filter(pl.col("router") != "best-single"))
    assert "cannot be compared" in verdict_sentences(metrics_of(unknown)).headline


def test_a_tie_names_time_and_cost_where_they_are_known() -> None:
    tables = pool_tables(60)
    only = Tables(tables.queries, tables.votes, tables.scores, tables.routes.filter(pl.col("router") != "kmeans-tfidf"))
    headline = verdict_sentences(metrics_of(only)).headline
    assert "2.4 s per question against 2.4 s" in headline


def test_what_stopping_early_leaves_out_is_said_in_words() -> None:
    tables = pool_tables(60)
    assert verdict_sentences(metrics_of(tables)).censored is None
    early = Tables(tables.queries, decided_early(tables.votes, 1.0), tables.scores, tables.routes)
    verdicts = verdict_sentences(metrics_of(early))
    assert verdicts.censored is not None and verdicts.censored.startswith("Success rates and agreement are censored")
    assert "(100.0 % of the votes on test questions, which saved 40.0 % of their samples)" in verdicts.censored
    assert escape_markdown(verdicts.censored) in markdown("demo", metrics_of(early), [])
    assert verdicts.alarms == [alarm for alarm in verdict_sentences(metrics_of(tables)).alarms if not alarm.startswith("Samples")]


def test_votes_that_lack_samples_are_an_alarm() -> None:
    tables = pool_tables(60)
    short = tables.votes.with_columns(k=pl.lit(7, pl.Int32), stop=pl.lit("incomplete")).filter(pl.col("model") == "small")
    votes = pl.concat([tables.votes.filter(pl.col("model") != "small"), short])
    alarms = verdict_sentences(metrics_of(Tables(tables.queries, votes, tables.scores, tables.routes))).alarms
    assert any("another answer that could still win: small 300. Run again." in alarm for alarm in alarms)


def test_the_summary_has_every_system_once_and_best_first() -> None:
    table = summary_table(metrics_of(pool_tables(60)))
    systems = [row["system"] for row in table]
    assert systems[0] == "oracle"
    assert len(set(systems)) == len(systems) == 5 + 5 + 5
    assert "general (best single)" in systems
    assert {row["verdict"] for row in table} <= {"beats", "ties", "loses", "–"}


def test_without_latency_and_cost_the_summary_shows_dashes() -> None:
    assert {(row["latency"], row["cost"]) for row in summary_table(metrics_of(pool_tables(12, measured=False)))} == {("–", "–")}


def test_markdown_shows_names_as_they_are() -> None:
    evil = "<script>alert(1)</script>|[x](javascript:y)`*\n# z"
    rates, chosen, queries = halves()
    tables = hand_tables(
        {evil: rates["fox"], "owl": rates["owl"]},
        {("r", "argmax"): [evil if model == "fox" else model for model in chosen]},
        best=evil,
        queries=queries,
    )
    text = markdown("run <b>", metrics_of(tables), ["a | note"])
    assert "<script" not in text
    assert "<b>" not in text
    assert "\\[x\\](javascript:y)" in text
    assert "\n# z" not in text
    columns = {line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")}
    assert columns == {8}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (percent(0.7161), "71.6 %"),
        (percent(None), "–"),
        (percent(-0.0), "0.0 %"),
        (signed(-0.062), "−6.2"),
        (signed(0.0), "+0.0"),
        (seconds(0.00023), "0.23 ms"),
        (seconds(0.000001), "1 µs"),
        (seconds(1234.5), "1,234 s"),
        (dollars(0.000345), "$0.345"),
        (between(None), "–"),
        (escape_markdown("a*b & <c>"), "a\\*b &amp; &lt;c&gt;"),
    ],
)
def test_figures_are_written_as_people_read_them(written: str, expected: str) -> None:
    assert written == expected


@pytest.mark.parametrize(
    ("count", "said"), [(None, None), (1, "the first look"), (2, "the 2nd look"), (11, "the 11th look"), (23, "23rd"), (101, "101st")]
)
def test_looks_at_the_test_questions_are_counted_and_from_the_second_on_it_is_said_why(count: int | None, said: str | None) -> None:
    rates, chosen, queries = halves()
    tables = hand_tables(rates, {("r", "argmax"): chosen}, queries=queries)
    metrics = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0, looks=count)
    told = verdict_sentences(metrics).looks
    assert (told is None) == (said is None)
    assert said is None or (told is not None and said in told)
    assert ("better than it will be on new questions" in (told or "")) == (count is not None and count > 1)
    assert told is None or told in markdown("demo", metrics, [])


def test_an_interval_is_said_to_be_corrected_where_several_routers_are_compared() -> None:
    rates, chosen, queries = halves(480)
    one = verdict_sentences(metrics_of(hand_tables(rates, {("r", "argmax"): chosen}, queries=queries)))
    both = verdict_sentences(metrics_of(hand_tables(rates, {("r", "argmax"): chosen, ("s", "argmax"): ["fox"] * 480}, queries=queries)))
    assert "corrected" not in one.headline
    assert "The interval is corrected for the 2 pairs of router and policy that are compared." in both.headline


def test_the_default_router_is_judged_by_the_policy_that_is_its_default() -> None:
    rates, chosen, queries = halves()
    wrong: list[str | None] = ["owl" if model == "fox" else "fox" for model in chosen]
    tables = hand_tables(rates, {("auto", "argmax"): wrong, ("auto", "random"): chosen}, queries=queries)
    assert [verdict.policy for verdict in verdict_sentences(metrics_of(tables)).routers] == ["argmax"]


def test_of_many_policies_each_routers_leading_one_is_in_the_main_table() -> None:
    rates, chosen, queries = halves()
    policies = {(router, policy): chosen for router in ("r", "s") for policy in ("argmax", "budget", "random")}
    metrics = metrics_of(hand_tables(rates, policies, queries=queries))
    table = summary_table(metrics)
    assert {row["system"] for row in table if row["rank"] == "more"} == {
        f"{router} · {policy}" for router in "rs" for policy in ("budget", "random")
    }
    shown = markdown("demo", metrics, [])
    assert "r · argmax" in shown and "r · budget" not in shown


def test_constants_of_the_same_model_are_one_alarm() -> None:
    rates, _, queries = halves()
    tables = hand_tables(rates, {("r", "argmax"): ["fox"] * 240, ("s", "argmax"): ["fox"] * 240}, queries=queries)
    alarms = [alarm for alarm in verdict_sentences(metrics_of(tables)).alarms if "constant" in alarm]
    said = "r with argmax, s with argmax are constants: they send at least 98 % of the questions to fox, the best single model."
    assert alarms == [f"{said} That needs no router."]
