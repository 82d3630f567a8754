"""`manyminds plan`: samples wanted, present and to draw, and what that would cost in tokens, hours and dollars. Nothing is run.

    gemma-7b   100,000 wanted   40,000 present   60,000 to draw   9.1 million tokens   1.4 hours   $ 1.82

Tokens are those of the model's samples in the lake, on the mean; hours follow from the rate at which its newest files were
drawn, or from `tokens_per_second` in the run file. Of a model that was never sampled the length limit counts: "at most".
"""

from dataclasses import dataclass
from statistics import median

import polars as pl

from flows.terminal import console, print_grid
from tasks.config import Model, RunFile
from tasks.lake.files import Lake, folder_name, open_lake
from tasks.lake.generations import query_generations
from tasks.lake.tables import GENERATIONS
from tasks.lake.views import check_learnable, pool

_NEWEST = 5  # files that tell the rate


@dataclass(frozen=True)
class Plan:
    """What a model needs; None: not known."""

    model: Model
    wanted: int
    to_draw: int
    tokens: int  # to generate
    hours: float | None  # of all its replicas together, one beside the other
    dollars: float | None
    was_sampled: bool  # whether the lake has samples of the model, with their tokens, to go by

    @property
    def present(self) -> int:
        """Samples that need not be drawn: they are there, or their query's vote is decided."""
        return self.wanted - self.to_draw


def print_plan(run: RunFile) -> None:
    """Print the plan of every model and of all. Writes nothing. Raises UserError for bad files."""
    if run.outcomes or run.generations:
        _print_imports(run)
    plans = plan(run)
    if not plans:
        return
    rows = [(one.model.name, one.wanted, one.present, one.to_draw, one.tokens, one.hours, one.dollars) for one in plans]
    totals = [None if None in column else sum(column) for column in list(zip(*rows, strict=True))[1:]]
    columns = ["model", "wanted", "present", "to draw", "tokens to generate", "hours", "US dollars"]
    shown = len(columns) - all(one.model.price is None for one in plans)
    print_grid(f"Samples of {run.name}", columns[:shown], [row[:shown] for row in (*rows, ("all", *totals))])
    if run.sampling.stop == "decided":
        console.print("At most so many: sampling a query stops once its vote is decided.")
    if any(one.model.replicas > 1 for one in plans):
        console.print("Hours are those of workers, with a model's replicas side by side; in place there is one of each.")
    if new := [one.model.name for one in plans if one.to_draw and not one.was_sampled]:
        words = f"at most, with max_new_tokens = {run.sampling.max_new_tokens} each: the lake has no sample with its tokens to go by"
        console.print(f"Tokens of {', '.join(new)}: {words}.", markup=False)
    if slow := [one.model.name for one in plans if one.hours is None]:
        console.print(f"Hours of {', '.join(slow)}: not known; `tokens_per_second` in the run file would tell.", markup=False)


def plan(run: RunFile) -> list[Plan]:
    """The plan of each model, in the order of the run file."""
    from tasks.benchmarks.load import load_benchmark, prompt_template
    from tasks.benchmarks.only import asked
    from tasks.sampling.shards import lacking, shards_of
    from tasks.voting.decided import until_decided

    if not run.models:
        return []
    lake = open_lake(run.lake)
    queries = pl.concat([load_benchmark(benchmark, run.splits, run.seed)[0] for benchmark in run.benchmarks])
    if not run.outcomes and not run.generations:
        source = ", ".join(benchmark.name for benchmark in run.benchmarks)
        check_learnable(queries, [model.name for model in run.models], f"benchmark {source}")
    plans = []
    for model in run.models:
        templates = {benchmark.name: prompt_template(benchmark, model.chat) for benchmark in run.benchmarks}
        rows = asked(queries, model)
        shards = lacking(lake, shards_of(model, templates, run.sampling), rows, run.sampling.k, until_decided(run.sampling, rows))
        plans.append(_plan(run, model, rows.height * run.sampling.k, sum(count for _, count in shards)))
    return plans


def _plan(run: RunFile, model: Model, wanted: int, to_draw: int) -> Plan:
    if not to_draw:
        return Plan(model, wanted, 0, 0, 0.0, 0.0 if model.price else None, True)
    lake = Lake(run.lake)
    written = lake.changed(f"{GENERATIONS.name}/model={folder_name(model.name)}")
    counts = [pl.col("prompt_tokens", "completion_tokens").mean()]
    rows, broken = query_generations(lake, list(written), lambda rows: rows.select(counts))
    prompt, completion = rows.row(0)
    if completion is None:  # no samples, or of a server that does not count
        tokens = to_draw * run.sampling.max_new_tokens
        return Plan(model, wanted, to_draw, tokens, _hours(model, tokens, model.tokens_per_second), None, False)
    dollars = None
    if model.price is not None and prompt is not None:
        dollars = to_draw * (prompt * model.price.prompt + completion * model.price.completion) / 1e6
    newest = sorted(set(written) - set(broken), key=lambda file: written[file])[-_NEWEST:]
    rate = model.tokens_per_second or _rate(lake, newest)
    tokens = round(to_draw * completion)
    return Plan(model, wanted, to_draw, tokens, _hours(model, tokens, rate), dollars, True)


def _hours(model: Model, tokens: float, rate: float | None) -> float | None:
    return tokens / rate / 3600 / model.replicas if rate else None


def _rate(lake: Lake, files: list[str]) -> float | None:
    """Tokens per second of one replica when these files were drawn; None where they do not say, as imported ones."""
    from tasks.sampling.sample import TOKENS_PER_SECOND

    notes = [pl.read_parquet_metadata(lake.location(file), **lake.scan_options) for file in files]
    rates = [float(note.get(TOKENS_PER_SECOND, 0)) for note in notes]
    return median(rate for rate in rates if rate) if any(rates) else None


def _print_imports(run: RunFile) -> None:
    """Read what would be imported, which finds what is wrong with it."""
    from tasks.benchmarks.generations import read_generations
    from tasks.benchmarks.outcomes import read_outcomes

    if run.outcomes:
        outcomes = read_outcomes(run.outcomes, run.splits, run.seed)
        models = outcomes.votes["model"].n_unique()
        if not run.models and not run.generations:
            check_learnable(outcomes.queries, pool(outcomes.votes), run.outcomes[0].files[0])
        console.print(f"Outcomes of {models} models on {outcomes.queries.height:,} queries would be imported; nothing of them is sampled.")
    if run.generations:
        made = read_generations(run.generations, run.splits, run.seed)
        models = made.generations["model"].n_unique()
        console.print(f"{made.generations.height:,} generations of {models} models would be imported.")
