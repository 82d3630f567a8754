"""Writes `infra/guides/tables.md` from the tables' schemas: `make tables`."""

from pathlib import Path

import polars as pl

from tasks.lake import tables
from tasks.lake.tables import TABLES, Table

FILE = Path(__file__).parent / "guides" / "tables.md"

ONE_ROW = {
    "queries": "a question of a benchmark",
    "generations": "one sampled answer",
    "votes": "what the samples of one model for one query come to",
    "scores": "a router's confidence that one model can answer one query",
    "routes": "a policy's choice for one query",
    "metrics": "one figure, with its interval",
    "embeddings": "what an encoder makes of one query",
    "evidence": "what can be seen of a query by looking at some samples of one model",
    "trials": "the confidence of a router that a study had trained on something else",
    "clusters": "the cluster that one query is in",
    "growth": "a vote of the first so many samples",
    "endings": "how the samples of one model on one benchmark ended",
    "loads": "one time that a model was loaded",
}
AUXILIARY = [tables.EMBEDDINGS, tables.EVIDENCE, tables.TRIALS, tables.CLUSTERS, tables.GROWTH, tables.ENDINGS, tables.LOADS]

HEAD = """# The tables: every column

<!-- `make tables` writes this page from tasks/lake/tables.py. -->

Everything that the system knows is in Parquet files below the lake, `LAKE/<table>/**/*.parquet`. Each table is made from those before it:

    queries → generations → votes → scores → routes → metrics

Polars, DuckDB, pyarrow and pandas read them with no code of ours:

```python
import polars as pl

votes = pl.read_parquet("lakes/demo/votes/**/*.parquet")
print(votes.group_by("model").agg(right=pl.col("correct").mean(), agreement=pl.col("agreement").mean()).sort("model"))
```

```python
import duckdb

print(duckdb.sql("SELECT model, avg(completion_tokens) FROM 'lakes/demo/generations/**/*.parquet' GROUP BY model ORDER BY model"))
```

On S3 it is the same with `s3://bucket/prefix` in front; [notebooks](../../notebooks) show more. What to know first:

- `query_id` joins all tables but `metrics`; it is a hash of what is asked, so the same question has the same id in every lake.
- A column that is *in the path* (`model=ledger/`) is no column of the files: readers add it from the path ("hive partitioning").
- Shares are 0 … 1, times are seconds, money is US dollars; `metrics` has shares too, which reports show as per cent and points.
- *Optional* columns are null where it is said, or where the thing is not known. All others are never null.
- Texts of questions and answers are as they came: do not trust them with markup, formulas or shell commands.
- Between the first and the last file of a run a table may hold new rows beside old ones: read when no run is under way.
"""

BETWEEN = """
## Auxiliary tables

They save computing twice, or are made for studies. All but `loads`, which is measured, are made again where they are gone.
"""

FOOT = """
## What else is in a lake

| place | what |
|---|---|
| `report.html` | the report |
| `routers/`, `encoders/`, `policies/`, `costs/` | what was learned: JSON and safetensors, no pickles; `manyminds route` reads it |
| `recipes/` | what each recipe hash stands for |
| `looks/` | how often the test questions were looked at |

Which metrics there are says the head of [evaluate.py](../../tasks/evaluation/evaluate.py), for a study the head of its file in
[studies](../../tasks/evaluation/studies); how to read them: [verdict.md](verdict.md).
"""


def page() -> str:
    """The page, in Markdown."""
    main, auxiliary = ("\n".join(_section(table) for table in group) for group in (TABLES.values(), AUXILIARY))
    return f"{HEAD}\n{main}{BETWEEN}\n{auxiliary}{FOOT}"


def _section(table: Table) -> str:
    lines = [f"## {table.name}", "", f"One row is {ONE_ROW[table.name]}. Its key: {', '.join(f'`{name}`' for name in table.key)}."]
    if table.hive:
        lines.append(f"In the path: {', '.join(f'`{name}`' for name in table.hive)}.")
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    for name, column in table.columns.items():
        kind = _kind(column.dtype) + (", optional" if column.nullable else "")
        lines.append(f"| `{name}` | {kind} | {column.meaning.replace('|', chr(92) + '|')} |")
    return "\n".join([*lines, ""])


def _kind(dtype: pl.DataType | type[pl.DataType]) -> str:
    """ "text", "whole number (32 bits)", "list of texts" """
    if isinstance(dtype, pl.List):
        inner = _kind(dtype.inner)
        return f"list of {inner}s" if inner == "text" else f"list of {inner}"
    names = {
        pl.String: "text",
        pl.Boolean: "true or false",
        pl.Int32: "int32",
        pl.Int64: "int64",
        pl.Float32: "float32",
        pl.Float64: "float64",
    }
    return names[dtype]  # type: ignore[index]


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
