"""Which queries a model is asked: all of them, or those of a table, for a new model that few can be paid for.

    [[models]]
    name = "newcomer"
    only = "onboarding.parquet"      # has a column query_id, as `manyminds onboard` writes it

On all other queries the model has no vote: a hole, like those of imported outcomes.
"""

import polars as pl

from tasks.benchmarks.reading import Field, read_files
from tasks.config import Model
from tasks.errors import UserError


def asked(queries: pl.DataFrame, model: Model) -> pl.DataFrame:
    """Those of `queries` (all of the run) that the model is asked. Raises UserError if the table is bad or none of them stands in it."""
    if model.only is None:
        return queries
    wanted = read_files([model.only], {}, {"query_id": Field(required=True)})["query_id"].unique()
    found = queries.filter(pl.col("query_id").is_in(wanted.to_list()))
    if found.is_empty():
        raise UserError(
            f"{model.only}: model {model.name!r} is asked only these {len(wanted):,} queries, but none of them is one of this run; "
            "expected a table that `manyminds onboard` made of a lake with the same benchmarks"
        )
    return found
