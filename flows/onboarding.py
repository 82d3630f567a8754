"""`manyminds onboard`: the training queries that a new model should be sampled on first, where not all can be paid for.

    manyminds onboard --lake lakes/pool --count 50 --out onboarding.parquet

The table has `query_id`, `benchmark`, `question` and `choices`. With `only = "onboarding.parquet"` at the model in the run file it is
sampled on these; what routers are to expect of it elsewhere is estimated. See `tasks/routers/onboarding.py`.
"""

import io
from pathlib import Path

import polars as pl

from flows.terminal import console, print_grid
from tasks.errors import UserError
from tasks.lake.files import open_lake, read_table
from tasks.lake.tables import QUERIES, VOTES


def print_onboarding(url: str, count: int, out: str) -> None:
    """Write the chosen queries to `out` and print how many they are of each benchmark. Raises UserError."""
    chosen, trained_on = queries_to_ask(url, count)
    write(chosen, out)
    sizes = dict(trained_on.group_by("benchmark").len().iter_rows())
    taken = dict(chosen.group_by("benchmark").len().iter_rows())
    rows = [(name, sizes[name], taken.get(name, 0)) for name in sorted(sizes)]
    print_grid("To ask a new model first", ["benchmark", "training queries", "chosen"], rows)
    place = out if "://" in out else str(Path(out).resolve())
    console.print(f'Written. In the run file, at the new model of [[models]]: only = "{place}"', markup=False, soft_wrap=True)


def queries_to_ask(url: str, count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The chosen queries of a lake, and all training queries that they are chosen from. Raises UserError."""
    from tasks.lake.views import examples
    from tasks.routers.onboarding import choose_queries

    if count < 1:
        raise UserError(f"--count {count}: expected at least 1")
    lake = open_lake(url)
    queries, votes = read_table(lake, QUERIES), read_table(lake, VOTES)
    if votes.is_empty():
        raise UserError(f"lake {url}: no votes; expected a lake in which `manyminds run` has finished with the models that are there")
    train = examples(queries, votes, "train")
    chosen = train.queries[choose_queries(train, count)]
    return chosen.select("query_id", "benchmark", "question", "choices"), train.queries


def write(queries: pl.DataFrame, out: str) -> None:
    """Write Parquet or JSONL, as the name ends. Raises UserError."""
    import fsspec

    content = io.BytesIO()
    if out.endswith(".parquet"):
        queries.write_parquet(content)
    elif out.endswith(".jsonl"):
        queries.write_ndjson(content)
    else:
        raise UserError(f"--out {out}: expected a name that ends in .parquet or .jsonl")
    try:
        with fsspec.open(out, "wb") as file:
            file.write(content.getvalue())
    except OSError as error:
        raise UserError(f"--out {out}: cannot be written: {error.strerror or error}") from error
