r"""MATH: problems of mathematics competitions, seven subjects and five levels (Hendrycks et al., arXiv 2103.03874; MIT).

    {"problem": "If $x = 2$ and $y = 5$, then what is the value of $\\frac{x^4+2y^2}{6}$ ?", "level": "Level 1", "type": "Algebra",
     "solution": "We have \\[\\frac{x^4 + 2y^2}{6} = \\frac{2^4 + 2(5^2)}{6} = … = \\frac{66}{6} = \\boxed{11}.\\]"}

The gold is what the solution's last `\boxed{…}` holds: "11"; the subject is "algebra, level 1". 7,500 train and 5,000 test
problems; validation is cut out of train. The original download has a file for each problem; one line for each does here:
`jq -c . MATH/train/*/*.json > train.jsonl`.
"""

import re
from collections.abc import Mapping, Sequence

import polars as pl

from tasks.benchmarks.hub import Dataset, fetch
from tasks.benchmarks.queries import split_of_files
from tasks.benchmarks.reading import Field, read_files

GOLD = r"a solution with its answer in \boxed{}"
_SUBJECTS = ("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory", "prealgebra", "precalculus")
HUB = Dataset(
    "EleutherAI/hendrycks_math",
    "21a5633873b6a120296cce3e2df9d5550074f4a3",
    tuple(f"{subject}/{split}-00000-of-00001.parquet" for split in ("train", "test") for subject in _SUBJECTS),
)
_FIELDS = {
    "problem": Field(required=True, blank=True),
    "solution": Field(required=True, blank=True),
    "type": Field(),
    "level": Field(),
    "split": Field(),
    "source_id": Field(),
}


def load(files: Sequence[str], columns: Mapping[str, str]) -> pl.DataFrame:
    """Rows for `load_benchmark`, from the hub or from files in the original shape; `gold` is null where there is none.

    A file without a column `split` is of the split in its name ("test.jsonl"). Raises UserError.
    """
    rows = read_files(files or fetch(HUB), columns, _FIELDS)
    level = pl.concat_str(pl.lit("level "), pl.col("level").str.extract(r"(\d|\?)"))  # a few are "Level ?"
    subject = pl.concat_str(pl.col("type").str.strip_chars().str.to_lowercase(), level, separator=", ", ignore_nulls=True)
    return rows.with_columns(
        split=pl.coalesce("split", split_of_files(rows)),
        question="problem",
        gold=pl.Series([last_boxed(solution or "") for solution in rows["solution"]], dtype=pl.String),
        subject=pl.when(subject != "").then(subject),
        answer_kind=pl.lit("math"),
        choices=pl.lit(None, pl.List(pl.String)),
    )


def last_boxed(solution: str) -> str | None:
    r"""What the last `\boxed{…}` or `\fbox{…}` holds, or the token after a `\boxed` without braces; None where there is none."""
    *_, last = [None, *re.finditer(r"\\(?:boxed|fbox)(?![a-zA-Z])\s*", solution)]
    if last is None:
        return None
    if solution[last.end() : last.end() + 1] != "{":
        token = re.match(r"[^\s$]+", solution[last.end() :])
        return token[0] if token else None
    depth = 0
    for mark in re.finditer(r"\\.|[{}]", solution[last.end() :], re.DOTALL):  # an escaped brace is no brace
        depth += {"{": 1, "}": -1}.get(mark[0], 0)
        if depth == 0 and mark[0] == "}":
            return solution[last.end() + 1 : last.end() + mark.start()].strip()
    return None
