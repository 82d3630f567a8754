"""The six tables: every column with its type, unit and meaning, in this one place, checked at every write.

    queries → generations → votes → scores → routes → metrics

One row of `votes`: query 5f0c…, model "ledger", `answers` ["11", "11", "12", …], `majority` "11", `agreement` 0.8,
`correct` true. A new column goes here first; nothing else knows the schemas.
"""

from dataclasses import dataclass

import polars as pl

TEXTS = pl.List(pl.String)


@dataclass(frozen=True)
class Column:
    """One column: its Polars type, whether it may be null, and what it means (with its unit)."""

    dtype: pl.DataType | type[pl.DataType]
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its columns in order, and the columns whose values together name a row."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    hive: tuple[str, ...] = ()  # columns that stand in the path (`model=ledger/`) and not in the file

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column name → Polars type, with the columns of the path."""
        return {name: column.dtype for name, column in self.columns.items()}


QUERIES = Table(
    "queries",
    {
        "query_id": Column(pl.String, "content hash of benchmark, question and choices: 16 hexadecimal digits"),
        "source_id": Column(pl.String, "the id that the query came with"),
        "benchmark": Column(pl.String, "name of the benchmark"),
        "split": Column(pl.String, "train, validation or test"),
        "subject": Column(pl.String, "subject inside the benchmark", nullable=True),
        "question": Column(pl.String, "what is asked"),
        "choices": Column(TEXTS, "the options, in order of their letters; null where there are none", nullable=True),
        "gold": Column(pl.String, "the right answer: a number, a letter, an expression or a text", nullable=True),
        "answer_kind": Column(pl.String, "number, choice, math or text: how answers are read; null for imported outcomes", nullable=True),
    },
    key=("query_id",),
)

GENERATIONS = Table(
    "generations",
    {
        "query_id": Column(pl.String, "the query"),
        "model": Column(pl.String, "the model, as named in the run file"),
        "recipe": Column(pl.String, "hash of all that changes what the model would say"),
        "bucket": Column(pl.String, "the slice of the queries under which the file was written"),
        "sample": Column(pl.Int32, "number of the sample, 0 … k-1"),
        "seed": Column(pl.Int64, "seed of the sample", nullable=True),
        "text": Column(pl.String, "the completion, without the prompt; untrusted"),
        "finish_reason": Column(
            pl.String,
            "stop, length (cut off), prompt-too-long (nothing generated), content-filter (of a server), or as imported",
            nullable=True,
        ),
        "prompt_tokens": Column(pl.Int32, "tokens in the prompt", nullable=True),
        "completion_tokens": Column(pl.Int32, "tokens generated", nullable=True),
        "latency_s": Column(pl.Float64, "seconds from the start of work on the sample to its last token", nullable=True),
        "first_token_s": Column(pl.Float64, "seconds from the start of work on the sample to its first token", nullable=True),
    },
    key=("query_id", "model", "recipe", "sample"),
    hive=("model", "recipe", "bucket"),
)

# "Censored": where sampling stopped early, of the samples drawn; those that were not drawn might have changed it, but not the majority.
VOTES = Table(
    "votes",
    {
        "query_id": Column(pl.String, "the query"),
        "model": Column(pl.String, "the model"),
        "recipe": Column(pl.String, "hash of the recipe; 'imported' for outcomes made elsewhere"),
        "k": Column(pl.Int32, "samples drawn; null for imported outcomes", nullable=True),
        "wanted": Column(pl.Int32, "samples that were to be drawn at most; null for imports", nullable=True),
        "stop": Column(
            pl.String,
            "why no more were drawn: all (as many as wanted), decided (no other answer could win any more), incomplete (it could); "
            "null for imports",
            nullable=True,
        ),
        "answers": Column(TEXTS, "what was read from each sample, in order; null where nothing could be read", nullable=True),
        "majority": Column(pl.String, "the most frequent answer; ties go to the one seen first; null if none could be read", nullable=True),
        "agreement": Column(pl.Float64, "share of the valid samples that voted for the majority, 0 … 1; censored", nullable=True),
        "runner_up": Column(pl.String, "the second most frequent answer", nullable=True),
        "runner_up_votes": Column(pl.Int32, "valid samples that voted for the runner-up; null where there is none", nullable=True),
        "valid": Column(pl.Int32, "samples from which an answer could be read", nullable=True),
        "correct": Column(pl.Boolean, "the majority equals gold (imported outcomes: score above one half)"),
        "success_rate": Column(pl.Float64, "share of all samples equal to gold (imported outcomes: the score), 0 … 1; censored"),
        "label": Column(
            pl.Float64,
            "what the answer counts for, 0 … 1, by the run file's [labels]: the majority is right, at least m samples are, or success_rate",
        ),
        "ambiguous": Column(pl.Boolean, "the majority did not win outright: tied, or below half of the valid samples; censored"),
        "completion_tokens": Column(pl.Float64, "mean tokens generated for one sample", nullable=True),
        "cost_usd": Column(pl.Float64, "mean cost of one sample, US dollars", nullable=True),
        "latency_s": Column(pl.Float64, "mean latency of one sample, seconds", nullable=True),
    },
    key=("query_id", "model", "recipe"),
)

SCORES = Table(
    "scores",
    {
        "query_id": Column(pl.String, "the query"),
        "router": Column(pl.String, "the router, as named in the run file"),
        "model": Column(pl.String, "the model"),
        "confidence": Column(pl.Float32, "the router's confidence that the model can answer the query, 0 … 1"),
        "cost": Column(
            pl.Float64,
            "expected cost of the model on the query, in the unit of the run file's [cost], learned from training queries; "
            "null where costs are not known",
            nullable=True,
        ),
    },
    key=("query_id", "router", "model"),
)

ROUTES = Table(
    "routes",
    {
        "query_id": Column(pl.String, "the query"),
        "router": Column(pl.String, "the router"),
        "policy": Column(pl.String, "the policy that chose"),
        "model": Column(pl.String, "the model that was chosen"),
        "confidence": Column(pl.Float32, "the router's confidence in the chosen model, 0 … 1"),
        "spent_usd": Column(
            pl.Float64, "US dollars spent on samples of any model before this one was chosen; null: no samples", nullable=True
        ),
        "spent_s": Column(pl.Float64, "seconds spent on samples of any model before this one was chosen; null: no samples", nullable=True),
        "spent_tokens": Column(pl.Float64, "tokens generated before this model was chosen; null: no samples", nullable=True),
    },
    key=("query_id", "router", "policy"),
)

METRICS = Table(
    "metrics",
    {
        "study": Column(pl.String, "what the figure belongs to: 'evaluation', or a study's name"),
        "benchmark": Column(pl.String, "the benchmark; null: all of them", nullable=True),
        "subject": Column(pl.String, "the subject; null: all of them", nullable=True),
        "split": Column(pl.String, "the split whose queries were counted", nullable=True),
        "model": Column(pl.String, "the model, where the figure is about one", nullable=True),
        "router": Column(pl.String, "the router or baseline", nullable=True),
        "policy": Column(pl.String, "the policy", nullable=True),
        "setting": Column(pl.String, "what a study varied: '25 %', 'without atlas', '3 samples'; null: nothing", nullable=True),
        "metric": Column(pl.String, "what was measured"),
        "value": Column(pl.Float64, "the figure", nullable=True),
        "ci_low": Column(pl.Float64, "lower end of its 95 % interval", nullable=True),
        "ci_high": Column(pl.Float64, "upper end of its 95 % interval", nullable=True),
        "n": Column(pl.Int64, "queries behind the figure", nullable=True),
    },
    key=("study", "benchmark", "subject", "split", "model", "router", "policy", "setting", "metric"),
)

TABLES = {table.name: table for table in (QUERIES, GENERATIONS, VOTES, SCORES, ROUTES, METRICS)}

# Not one of the six: it says nothing that `queries` does not say, and saves computing it twice.
EMBEDDINGS = Table(
    "embeddings",
    {
        "query_id": Column(pl.String, "the query"),
        "encoder": Column(pl.String, "the encoder, as named in the run file, and how many tokens of a query it reads"),
        "embedding": Column(pl.List(pl.Float32), "the text's vector, of length 1"),
    },
    key=("query_id", "encoder"),
)

# Nor is this one of the six: it says of samples what a router that looks at them may see, and nothing of what is right.
EVIDENCE = Table(
    "evidence",
    {
        "query_id": Column(pl.String, "the query"),
        "model": Column(pl.String, "the model whose samples are looked at"),
        "looks": Column(pl.Int32, "samples that are looked at, from the first; 1 or more"),
        "readable": Column(pl.Float64, "share of these from which an answer could be read, 0 … 1"),
        "agreement": Column(pl.Float64, "share of these that say what most of them say, 0 … 1; 0 where none can be read"),
        "tokens": Column(pl.Float64, "mean tokens of these", nullable=True),
        "cut_off": Column(pl.Float64, "share of these that were cut off at the length limit, 0 … 1", nullable=True),
    },
    key=("query_id", "model"),
)

# What follows is made for studies only, from the tables above it; nothing but a study reads it.
TRIALS = Table(
    "trials",
    {
        "query_id": Column(pl.String, "the query"),
        "router": Column(pl.String, "the router, as named in the run file"),
        "setting": Column(pl.String, "what it was trained on in place of the training split as it is"),
        "model": Column(pl.String, "the model"),
        "confidence": Column(pl.Float32, "the confidence of the router so trained that the model can answer the query, 0 … 1"),
    },
    key=("query_id", "router", "setting", "model"),
)

CLUSTERS = Table(
    "clusters",
    {
        "query_id": Column(pl.String, "the query"),
        "features": Column(pl.String, "what was clustered: words (TF-IDF), or an encoder's name"),
        "clusters": Column(pl.Int32, "how many clusters were wanted"),
        "seed": Column(pl.Int64, "seed of KMeans"),
        "cluster": Column(pl.Int32, "number of the cluster that the query is in, from 0"),
    },
    key=("query_id", "features", "clusters", "seed"),
)

GROWTH = Table(
    "growth",
    {
        "query_id": Column(pl.String, "the query"),
        "model": Column(pl.String, "the model"),
        "samples": Column(pl.Int32, "how many samples voted, from the first; 1 or more"),
        "correct": Column(pl.Boolean, "the majority of these equals gold"),
        "flip": Column(
            pl.Float64,
            "of as many new samples, drawn from what all samples said, the chance that they vote for another label, 0 … 1; "
            "null but for all samples",
            nullable=True,
        ),
    },
    key=("query_id", "model", "samples"),
)

ENDINGS = Table(
    "endings",
    {
        "benchmark": Column(pl.String, "the benchmark"),
        "model": Column(pl.String, "the model"),
        "samples": Column(pl.Int64, "samples that the votes rest on and of which it is known how they ended"),
        "cut_off": Column(pl.Int64, "of these, cut off at the length limit"),
    },
    key=("benchmark", "model"),
)

LOADS = Table(
    "loads",
    {
        "model": Column(pl.String, "the model"),
        "engine": Column(pl.String, "the engine that loaded it"),
        "device": Column(pl.String, "what it was loaded onto"),
        "load_s": Column(pl.Float64, "seconds from nothing to ready for the first request"),
        "weights_gb": Column(pl.Float64, "memory that its weights take there, in 10⁹ bytes", nullable=True),
        "sleep_s": Column(pl.Float64, "seconds to put it to sleep, where the engine can", nullable=True),
        "wake_s": Column(pl.Float64, "seconds to wake it again", nullable=True),
    },
    key=("model", "engine", "device", "load_s"),
)


def check(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Return `frame` with the table's columns, in order and of the right types.

    Raises ValueError (a defect of ours, not of the user's) for a missing or unknown column, a type that cannot be
    cast without loss, a null where none may be, a share outside 0 … 1, or two rows with the same key.
    """
    missing, unknown = set(table.columns) - set(frame.columns), set(frame.columns) - set(table.columns)
    if missing or unknown:
        raise ValueError(f"table {table.name}: missing columns {sorted(missing)}, unknown columns {sorted(unknown)}")
    frame = frame.select(pl.col(name).cast(column.dtype, strict=True) for name, column in table.columns.items())
    for name, column in table.columns.items():
        if not column.nullable and frame[name].null_count():
            raise ValueError(f"table {table.name}: column {name!r} has nulls")
        if "0 … 1" in column.meaning and not frame.filter((pl.col(name) < 0) | (pl.col(name) > 1) | pl.col(name).is_nan()).is_empty():
            raise ValueError(f"table {table.name}: column {name!r} is outside 0 … 1")
    double = frame.select(table.key).is_duplicated()
    if double.any():
        row = frame.filter(double).row(0, named=True)
        raise ValueError(f"table {table.name}: two rows for { ({key: row[key] for key in table.key}) }")
    return frame


def empty(table: Table) -> pl.DataFrame:
    """The table without a row."""
    return pl.DataFrame(schema=table.schema)
