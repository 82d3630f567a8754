"""Which questions are shown to be read, and which texts stand beside them."""

from pathlib import Path

import polars as pl
from planted_tables import Tables, hand_tables, query_rows
from report_pages import EVIL, page_of

from tasks.evaluation.evaluate import evaluate
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, write_table
from tasks.lake.generations import generation_folder
from tasks.lake.tables import GENERATIONS
from tasks.report.examples import LONGEST, SHOWN, examples, read_texts
from tasks.report.page import render


def tables_of(subjects: dict[str, int], *, k: int | None = 10) -> Tables:
    """Questions by subject; the router chooses fox, which is right on all but the last of each subject, and owl, the best, is not."""
    counts = list(subjects.items())
    queries = pl.concat(query_rows(count, subject=subject, first=100 * number) for number, (subject, count) in enumerate(counts))
    last = [place == count - 1 for _, count in counts for place in range(count)]
    fox, owl = ([0.0 if is_last is wrong else 1.0 for is_last in last] for wrong in (True, False))
    return hand_tables({"fox": fox, "owl": owl}, {("domains", "argmax"): ["fox"] * len(last)}, best="owl", queries=queries, k=k)


def metrics_of(tables: Tables) -> pl.DataFrame:
    found = evaluate(tables.queries, tables.votes, tables.scores, tables.routes, {}, 100, 0)
    best = dict.fromkeys(found.columns) | {
        "study": "evaluation",
        "split": "test",
        "model": "owl",
        "metric": "best_single",
        "value": 1.0,
    }
    return pl.concat([found.filter(pl.col("metric") != "best_single"), pl.DataFrame([best], schema=found.schema)])


def groups_of(tables: Tables, texts: pl.DataFrame | None = None) -> dict[bool, list[dict[str, object]]]:
    parts = (tables.queries, tables.votes, tables.routes, metrics_of(tables))
    return {group["won"]: group["questions"] for group in examples(*parts, texts)}


def keep_samples(lake: Lake, tables: Tables, text: str = "{} says {}") -> None:
    """What each vote's answers were read from, written twice; "sample 3 says 12"."""
    for model, votes in tables.votes.partition_by("model", as_dict=True).items():
        rows = [
            dict.fromkeys(GENERATIONS.columns)
            | {"query_id": query_id, "model": model[0], "recipe": "r1", "bucket": "00-of-01", "sample": sample}
            | {"text": text.format(f"sample {sample}", answer)}
            for query_id, answers in votes.select("query_id", "answers").iter_rows()
            for sample, answer in enumerate(answers)
        ]
        folder = generation_folder(str(model[0]), "r1").removeprefix("generations/")
        frame = pl.DataFrame(rows, schema=GENERATIONS.schema)
        write_table(lake, GENERATIONS, frame, f"{folder}/bucket={Bucket(0, 1).label}/")
        write_table(lake, GENERATIONS, frame.head(40), f"{folder}/bucket={Bucket(0, 1).label}/")


def voted(tables: Tables) -> Tables:
    """The same, with ten answers in each vote: nine for the majority, the first for something else."""
    said = pl.concat_list(pl.lit("7"), *[pl.col("majority")] * 9)
    return Tables(
        tables.queries,
        tables.votes.with_columns(answers=said, agreement=pl.lit(0.9), valid=pl.lit(10, pl.Int32)),
        tables.scores,
        tables.routes,
    )


def test_one_of_each_subject_comes_before_a_second_of_any() -> None:
    groups = groups_of(tables_of({"birds": 9, "fish": 3, "frogs": 2}))
    assert sorted(str(question["place"]) for question in groups[True]) == ["birds", "fish", "frogs"]
    assert sorted(str(question["place"]) for question in groups[False]) == ["birds", "fish", "frogs"]
    few = groups_of(tables_of({"birds": 9, "fish": 2}))
    assert sorted(str(question["place"]) for question in few[True]) == ["birds", "birds", "fish"]


def test_of_a_subject_the_question_is_shown_on_which_the_samples_agree_most() -> None:
    tables = tables_of({"birds": 9, "fish": 9})
    clear = tables.queries["query_id"][4], tables.queries["query_id"][13]
    agreement = pl.when(pl.col("query_id").is_in(clear)).then(0.8).otherwise(0.6)
    torn = Tables(tables.queries, tables.votes.with_columns(agreement=agreement), tables.scores, tables.routes)
    assert {question["query_id"] for question in groups_of(torn)[True][:2]} == set(clear)
    reverse = Tables(torn.queries.reverse(), torn.votes.reverse(), torn.scores, torn.routes.reverse())
    assert groups_of(torn) == groups_of(reverse)


def test_beside_each_answer_stands_the_first_sample_that_says_it(tmp_path: Path) -> None:
    tables, lake = voted(tables_of({"birds": 4, "fish": 3})), Lake(str(tmp_path))
    keep_samples(lake, tables)
    texts = read_texts(lake, tables.queries, tables.votes, tables.routes, metrics_of(tables))
    assert texts.height == 5 * 2 * 10  # two models on the three and the two that are shown; each sample once
    for won, questions in groups_of(tables, texts).items():
        for question in questions:
            chosen, best = question["answers"]  # type: ignore[misc]
            assert (chosen["model"], best["model"]) == ("fox", "owl")
            assert (chosen["reward"], best["reward"]) == ((1.0, 0.0) if won else (0.0, 1.0))
            for answer in (chosen, best):
                assert answer["text"] == {"start": f"sample 1 says {answer['says']}", "whole": None, "left_out": 0}
                assert (answer["votes"], answer["k"]) == (9, 10)


def test_where_samples_are_missing_no_text_is_shown_for_another(tmp_path: Path) -> None:
    tables, lake = voted(tables_of({"birds": 4})), Lake(str(tmp_path))
    keep_samples(lake, tables)
    texts = read_texts(lake, tables.queries, tables.votes, tables.routes, metrics_of(tables)).filter(pl.col("sample") != 0)
    assert all(answer["text"] is None for question in groups_of(tables, texts)[True] for answer in question["answers"])  # type: ignore[attr-defined]


def test_imported_outcomes_have_examples_without_a_word_on_samples(tmp_path: Path) -> None:
    tables = tables_of({"birds": 4}, k=None)
    assert read_texts(Lake(str(tmp_path)), tables.queries, tables.votes, tables.routes, metrics_of(tables)).is_empty()
    page = render("demo", tables.queries, tables.votes, tables.scores, tables.routes, metrics_of(tables), [], {})
    part = page[page.index("Examples to read</h2>") :]
    part = part[: part.index("<h2")]
    assert "The router was right" in part
    assert "samples" not in part and "manyminds show" not in part


def test_what_a_model_says_is_text_on_the_page_and_a_long_one_is_cut(tmp_path: Path) -> None:
    tables, lake = voted(tables_of({"birds": 4})), Lake(str(tmp_path))
    text = f"{EVIL}\n" + "la " * LONGEST + "THE VERY END"
    keep_samples(lake, tables, text.replace("{", "{{").replace("}", "}}"))
    metrics = metrics_of(tables)
    texts = read_texts(lake, tables.queries, tables.votes, tables.routes, metrics)
    page = render("demo", tables.queries, tables.votes, tables.scores, tables.routes, metrics, [], {}, texts=texts)
    assert "<img src=x" not in page and page.count("&lt;img src=x") >= 8
    assert "THE VERY END" not in page and "more characters are not shown" in page
    shown = groups_of(tables, texts)[True][0]["answers"][0]["text"]  # type: ignore[index]
    assert len(shown["start"]) <= SHOWN + 2 and len(shown["whole"]) == LONGEST
    assert shown["left_out"] == len(text) - LONGEST


def test_a_choice_is_shown_with_its_options_text() -> None:
    tables = tables_of({"birds": 4})
    queries = tables.queries.with_columns(choices=pl.lit(["red", "blue"]), gold=pl.lit("B"), answer_kind=pl.lit("choice"))
    votes = tables.votes.with_columns(majority=pl.when(pl.col("correct")).then(pl.lit("B")).otherwise(pl.lit("A")))
    question = groups_of(Tables(queries, votes, tables.scores, tables.routes))[True][0]
    assert question["choices"] == [("A", "red"), ("B", "blue")]
    assert (question["gold"], [answer["says"] for answer in question["answers"]]) == ("B, blue", ["B, blue", "A, red"])  # type: ignore[attr-defined]
    assert "B, blue" in page_of(Tables(queries, votes, tables.scores, tables.routes))
