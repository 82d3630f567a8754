"""Verdicts on real answers of four models to GSM8K, against those of their publisher."""

from pathlib import Path

import polars as pl

from tasks.voting.answers import number

# (model, end of the text) → why a reader of the row would side with us. There is none: all 1,200 verdicts are the publisher's.
SIDED_WITH_US: dict[tuple[str, str], str] = {}


def test_no_verdict_differs_from_the_publishers_but_where_a_reader_would_side_with_us(real_data: Path) -> None:
    rows = pl.read_parquet(real_data / "gsm8k" / "solutions-dev.parquet")
    rows = rows.with_columns(answer=number.read(rows), wanted=number.gold(rows))
    differ = rows.filter((pl.col("answer") == pl.col("wanted")).fill_null(False) != pl.col("is_correct"))
    assert rows.height == 1200
    unexplained = [
        (model, text[-120:], answer, wanted)
        for model, text, answer, wanted in differ.select("model", "text", "answer", "wanted").iter_rows()
        if not any(model == known and text.endswith(end) for known, end in SIDED_WITH_US)
    ]
    assert not unexplained


def test_the_last_sentence_of_a_solution_says_what_its_marker_says(real_data: Path) -> None:
    """Of GSM8K's own solutions, without their last line "#### 18": 99 % are read as if it were there."""
    rows = pl.read_ndjson(real_data / "gsm8k" / "test.jsonl").with_columns(
        text=pl.col("answer").str.replace(r"\n####.*$", ""), gold=pl.col("answer").str.extract("#### (.*)$")
    )
    assert (number.read(rows) == number.gold(rows)).mean() > 0.985
