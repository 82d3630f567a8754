"""Commands that only read a lake: plan, show, status, and the verdict after a run.

What is printed of questions, answers and model names is untrusted text: control characters are replaced, and nothing in it
is taken for markup.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import polars as pl
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

from tasks.config import Model, RunFile
from tasks.errors import UserError
from tasks.lake.files import Lake, folder_name, read_table, scan_files
from tasks.lake.tables import GENERATIONS, METRICS, QUERIES, ROUTES, SCORES, TABLES, VOTES

console = Console(highlight=False)


def plain(value: object) -> str:
    """Untrusted text for a terminal: what cannot be printed becomes a replacement character."""
    return "".join(character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}" for character in str(value))


def print_grid(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """A table; numbers to the right."""
    cells = [[value if isinstance(value, str) else _number(value) for value in cells] for cells in rows]
    grid = Grid(title=title, title_justify="left")
    for place, column in enumerate(columns):
        numeric = bool(cells) and all(
            row[place].replace(",", "").replace(".", "").strip("-–% ").isdigit() or not row[place] for row in cells
        )
        grid.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in cells:
        grid.add_row(*(Text(plain(cell)) for cell in row))
    console.print(grid)


def _number(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def print_verdict(url: str) -> None:
    """Is routing worth it: the sentences, and each router, with its best policy, beside the single models and the baselines."""
    from tasks.report.words import summary_table, system_name, verdict_sentences

    metrics = read_table(Lake(url), METRICS)
    verdicts = verdict_sentences(metrics)
    chosen = {system_name(None, verdict.router, verdict.policy) for verdict in verdicts.routers}
    rows = [row for row in summary_table(metrics) if row["kind"] != "router" or row["system"] in chosen]
    cells = [(row["system"], row["accuracy"], row["interval"], row["gain"], row["verdict"], row["latency"]) for row in rows]
    console.print()
    print_grid("On test questions", ["system", "accuracy", "95 % interval", "gain", "verdict", "latency"], cells)
    for sentence in [f"{verdicts.answer}. {verdicts.headline}", *(verdict.sentence for verdict in verdicts.routers), *verdicts.alarms]:
        console.print(Text(f"• {plain(sentence)}"))


def print_plan(run: RunFile) -> None:
    """Samples wanted, present and to draw, and what that would cost, per model. Writes nothing. Raises UserError for bad files."""
    if run.outcomes or run.generations:
        _print_imports(run)
    if not run.models:
        return
    plan = _plan(run)
    prices = [_price(run, model, to_draw) for model, _, _, to_draw in plan]
    rows = [(model.name, wanted, present, to_draw, *price) for (model, wanted, present, to_draw), price in zip(plan, prices, strict=True)]
    total = [sum(counts) for counts in zip(*((wanted, present, to_draw) for _, wanted, present, to_draw in plan), strict=True)]
    known = [None if None in column else sum(column) for column in zip(*prices, strict=True)]
    columns = ["model", "wanted", "present", "to draw", "tokens to generate", "US dollars"]
    print_grid(f"Samples of {run.name}", columns, [*rows, ("all", *total, *known)])
    if known[0] is None:
        console.print("Tokens are estimated from a model's samples in the lake; some models have none yet.")


def samples_lacking(run: RunFile) -> int:
    """How many samples the run would draw."""
    return sum(to_draw for *_, to_draw in _plan(run))


def _plan(run: RunFile) -> list[tuple[Model, int, int, int]]:
    """Per model: samples wanted, present and to draw."""
    from tasks.benchmarks.load import load_benchmark, prompt_template
    from tasks.sampling.shards import lacking, shards_of

    if not run.models:
        return []
    queries = pl.concat([load_benchmark(benchmark, run.splits, run.seed)[0] for benchmark in run.benchmarks])
    wanted = queries.height * run.sampling.k
    templates = {benchmark.name: prompt_template(benchmark) for benchmark in run.benchmarks}
    rows = []
    for model in run.models:
        shards = lacking(Lake(run.lake), shards_of(model, templates, run.sampling), queries, run.sampling.k)
        to_draw = sum(count for _, count in shards)
        rows.append((model, wanted, wanted - to_draw, to_draw))
    return rows


def _price(run: RunFile, model: Model, to_draw: int) -> tuple[int | None, float | None]:
    """Tokens to generate, and US dollars where the run file has a price, from the mean of the model's samples in the lake."""
    if not to_draw:
        return 0, 0.0 if model.price else None
    lake = Lake(run.lake)
    files = lake.files(f"{GENERATIONS.name}/model={folder_name(model.name)}")
    if not files:
        return None, None
    means = scan_files(lake, GENERATIONS, files).select(pl.col("prompt_tokens", "completion_tokens").mean()).collect().row(0)
    prompt, completion = (to_draw * (mean or 0) for mean in means)
    dollars = (prompt * model.price.prompt + completion * model.price.completion) / 1e6 if model.price else None
    return round(completion), dollars


def _print_imports(run: RunFile) -> None:
    """Read what would be imported, which finds what is wrong with it."""
    from tasks.benchmarks.generations import read_generations
    from tasks.benchmarks.outcomes import read_outcomes

    if run.outcomes:
        outcomes = read_outcomes(run.outcomes, run.splits, run.seed)
        models = outcomes.votes["model"].n_unique()
        console.print(f"Outcomes of {models} models on {outcomes.queries.height:,} queries would be imported; nothing of them is sampled.")
    if run.generations:
        made = read_generations(run.generations, run.splits, run.seed)
        models = made.generations["model"].n_unique()
        console.print(f"{made.generations.height:,} generations of {models} models would be imported.")


def print_query(url: str, wanted: str) -> None:
    """A query with its samples, votes, confidences and routes."""
    lake = Lake(url)
    queries = read_table(lake, QUERIES)
    if queries.is_empty():
        raise UserError(f"lake {url}: no queries; expected a lake in which `manyminds run` has been started")
    named = queries.filter((pl.col("query_id") == wanted) | (pl.col("source_id") == wanted))
    found = named if not named.is_empty() else queries.filter(pl.col("question").str.contains(wanted, literal=True))
    if found.is_empty():
        raise UserError(f"lake {url}: no query with id or text {wanted!r}")
    if found.height > 1:
        listed = [(row["query_id"], row["split"], row["question"][:80]) for row in found.head(20).iter_rows(named=True)]
        print_grid(f"{found.height} queries; name one by its id", ["query_id", "split", "question"], listed)
        return
    query = found.row(0, named=True)
    for name in ("query_id", "source_id", "benchmark", "split", "subject", "question", "choices", "gold", "answer_kind"):
        if query[name] is not None:
            console.print(Text(f"{name:>12}  {plain(query[name])}"))
    here = pl.col("query_id") == query["query_id"]
    votes = read_table(lake, VOTES).filter(here).sort("model")
    columns = ["model", "k", "majority", "agreement", "runner_up", "valid", "correct", "success_rate"]
    print_grid("Votes", columns, [[row[name] for name in columns] for row in votes.iter_rows(named=True)])
    scores = read_table(lake, SCORES).filter(here).sort("router", "model")
    if not scores.is_empty():
        wide = scores.pivot(on="model", index="router", values="confidence")
        print_grid("Confidences", wide.columns, wide.iter_rows())
    routes = read_table(lake, ROUTES).filter(here).sort("router", "policy")
    print_grid("Routes", ["router", "policy", "model"], routes.select("router", "policy", "model").iter_rows())
    files = lake.files(GENERATIONS.name)
    if files:
        samples = scan_files(lake, GENERATIONS, files).filter(here).unique(GENERATIONS.key, keep="first").collect().sort("model", "sample")
        print_grid("Samples", ["model", "sample", "text", "ended"], samples.select("model", "sample", "text", "finish_reason").iter_rows())


def print_status(url: str) -> None:
    """Rows and age of each table, samples per model, the verdict."""
    lake = Lake(url)
    rows = []
    for table in TABLES.values():
        files = lake.files(table.name)
        counted = scan_files(lake, table, files).select(pl.len()).collect().item() if files else 0
        changed = max((lake.filesystem.modified(lake.location(file)) for file in files), default=None)
        rows.append((table.name, len(files), counted, _ago(changed) if changed else ""))
    if not any(row[1] for row in rows):
        raise UserError(f"lake {url}: nothing there; expected a lake in which `manyminds run` has been started")
    print_grid(f"Lake {url}", ["table", "files", "rows", "last changed"], rows)
    files = lake.files(GENERATIONS.name)
    if files:
        drawn = (
            scan_files(lake, GENERATIONS, files).unique(GENERATIONS.key).group_by("model", "recipe").len().collect().sort("model", "recipe")
        )
        print_grid("Samples", ["model", "recipe", "samples"], drawn.iter_rows())
    if lake.files(METRICS.name):
        print_verdict(url)


def _ago(moment: datetime) -> str:
    seconds = (datetime.now(UTC) - moment.astimezone(UTC)).total_seconds()
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length:.0f} {unit} ago"
    return f"{seconds:.0f} seconds ago"
