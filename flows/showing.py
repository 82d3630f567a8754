"""`manyminds show`: one query, with what each model saw and said, how that was read, and where routers send it.

manyminds show --lake lakes/demo "capital is Nem?"
"""

from typing import Any

import polars as pl

from flows.finding import find_queries
from flows.terminal import print_json
from tasks.errors import UserError
from tasks.lake.buckets import Bucket, parse_bucket
from tasks.lake.files import Lake, open_lake, read_table
from tasks.lake.generations import query_generations
from tasks.lake.tables import GENERATIONS, ROUTES, SCORES, VOTES
from tasks.voting.answers.equivalence import right, unite
from tasks.voting.answers.refusal import refuses
from tasks.voting.vote import read, with_gold

_BRIEF = ("query_id", "source_id", "benchmark", "split", "subject", "question")
_VOTER = ["model", "recipe"]


def print_query(url: str, wanted: str, as_json: bool = False) -> None:
    """Print the query that `wanted` (an id, its beginning, or text) names, or a list of those that it may mean.

    Raises UserError if there is none.
    """
    from flows.query_page import print_matches, print_page

    document = query_document(url, wanted)
    if as_json:
        print_json(document)
    elif document["query"] is None:
        print_matches(document["matches"], wanted)
    else:
        print_page(document)


def query_document(url: str, wanted: str) -> dict[str, Any]:
    """What the lake knows of a query, as `manyminds show --json` prints it. What is not known is null.

    `lake`, `wanted`: as given.
    `matches`: the queries that `wanted` may mean, with `query_id`, `source_id`, `benchmark`, `split`, `subject`, `question`. Is it more
        than one, then `query` is null and the lists after it are empty.
    `query`: its row of the table.
    `models`: for each model and recipe, sorted:
        `model`, `recipe`
        `prompt`: `text`, and `remark` on what that leaves out; null where the samples were imported
        `vote`: its row of `votes` (without `answers`), and `votes` (samples that voted for the majority), `tied`; null: not voted yet
        `candidates`: the answers, those with most votes first: `answer` (null: unreadable), `votes`, `right`, `samples` (their numbers)
        `samples`: the other columns of `generations`, and `answer` (as the reader reads it today), `unreadable` (why there is none),
            `right` (null: gold is not known), `counts` (false: beyond the k that vote)
        `is_read_otherwise`: the vote in the lake rests on other readings; `manyminds label` would bring it up to date
    `routers`: for each router, sorted: `router`, `is_baseline`,
        `confidences`: `model`, `confidence`, `cost` (expected), `correct` (of its vote), the highest confidence first
        `routes`: `policy`, `model`, `confidence`, `correct`, `spent_usd`, `spent_s`, `spent_tokens`
    """
    lake = open_lake(url)
    matches = find_queries(lake, wanted)
    document: dict[str, Any] = {"lake": url, "wanted": wanted, "matches": matches.select(_BRIEF).to_dicts()}
    if matches.height > 1:
        return document | {"query": None, "models": [], "routers": []}
    query = matches.row(0, named=True)
    votes = read_table(lake, VOTES, where=pl.col("query_id") == query["query_id"])
    return document | {"query": query, "models": _models(lake, matches, votes), "routers": _routers(lake, query["query_id"], votes)}


def _models(lake: Lake, query: pl.DataFrame, votes: pl.DataFrame) -> list[dict[str, Any]]:
    samples = _samples(lake, query, votes)
    named = pl.concat([samples.select(_VOTER), votes.select(_VOTER)]).unique().sort(_VOTER)
    return [_model(lake, query.row(0, named=True), one, votes, samples) for one in named.iter_rows(named=True)]


def _model(lake: Lake, query: dict[str, Any], named: dict[str, str], votes: pl.DataFrame, samples: pl.DataFrame) -> dict[str, Any]:
    is_mine = pl.all_horizontal(pl.col(name) == value for name, value in named.items())
    mine = samples.filter(is_mine)
    vote = next(votes.filter(is_mine).iter_rows(named=True), None)
    read_before = vote["answers"] if vote else None
    counted = mine.filter("counts").select("sample", "answer", "right")
    if mine.is_empty() and vote and read_before:  # the samples are elsewhere
        counted = pl.DataFrame({"answer": read_before}, schema={"answer": pl.String}).with_row_index("sample")
        counted = counted.with_columns(right=pl.when(pl.col("answer") == vote["majority"]).then(vote["correct"]))
    return named | {
        "prompt": _prompt(lake, query, named["recipe"]),
        "vote": _vote(vote) if vote else None,
        "candidates": _candidates(counted),
        "samples": [_sample(row) for row in mine.drop("query_id", "bucket", *_VOTER).iter_rows(named=True)],
        "is_read_otherwise": not mine.is_empty() and read_before is not None and read_before != counted["answer"].to_list(),
    }


def _samples(lake: Lake, query: pl.DataFrame, votes: pl.DataFrame) -> pl.DataFrame:
    """The query's samples, each once, as voting takes them, with `answer`, `right` and `counts`; sorted by model, recipe, sample."""
    query_id = query["query_id"].item()
    files = [file for file in lake.files(GENERATIONS.name) if _may_hold(file, query_id)]
    rows, _ = query_generations(lake, files, lambda rows: rows.filter(pl.col("query_id") == query_id))
    asked = with_gold(query)
    known = {name: pl.lit(asked[name].item(), pl.String) for name in ("answer_kind", "gold")}
    rows = rows.with_columns(read(rows, asked, None)["answer"], **known)
    order = [*_VOTER, "sample", "answer", "prompt_tokens", "completion_tokens", "latency_s"]
    rows = rows.sort(order, nulls_last=True).unique([*_VOTER, "sample"], keep="first", maintain_order=True)
    rows = unite(rows, _VOTER)
    rows = rows.with_columns(right=pl.when(pl.col("gold").is_not_null()).then(right(rows))).drop("answer_kind", "gold")
    rows = rows.join(votes.select(*_VOTER, "wanted"), on=_VOTER, how="left", maintain_order="left")
    return rows.with_columns(counts=(pl.col("sample") < pl.col("wanted")).fill_null(True)).drop("wanted")


def _may_hold(file: str, query_id: str) -> bool:
    """Whether a file of `generations` may hold samples of the query, by the bucket in its path."""
    label = next((part.removeprefix("bucket=") for part in file.split("/") if part.startswith("bucket=")), "")
    try:
        return Bucket(int(query_id[:8], 16), 2**32).overlaps(parse_bucket(label))
    except ValueError:  # no hash, or no bucket
        return True


def _vote(row: dict[str, Any]) -> dict[str, Any]:
    votes = None if row["agreement"] is None else round(row["agreement"] * row["valid"])
    kept = {name: value for name, value in row.items() if name not in ("query_id", "answers", *_VOTER)}
    return kept | {"votes": votes, "tied": votes is not None and votes == row["runner_up_votes"]}


def _candidates(samples: pl.DataFrame) -> list[dict[str, Any]]:
    """Of rows `sample`, `answer`, `right`: the answers, the unreadable ones last."""
    answers = samples.sort("sample").group_by("answer", maintain_order=True).agg(pl.col("right").first(), pl.col("sample").alias("samples"))
    answers = answers.with_columns(votes=pl.col("samples").list.len().cast(pl.Int32))
    ordered = answers.sort(pl.col("answer").is_null(), -pl.col("votes"), pl.col("samples").list.first())
    return ordered.select("answer", "votes", "right", "samples").to_dicts()


def _sample(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"unreadable": _why_unreadable(row["text"], row["finish_reason"]) if row["answer"] is None else None}


def _why_unreadable(text: str, finish_reason: str | None) -> str:
    if finish_reason == "prompt-too-long":
        return "nothing was generated: the prompt is too long for the model"
    if finish_reason == "content-filter":
        return "stopped by the server’s content filter"
    if not text.strip():
        return "it is empty"
    if finish_reason == "length":
        return "cut off at the length limit, with no answer until then"
    return "it says that it has no answer" if refuses(text.rstrip()) else "no answer found in it"


def _prompt(lake: Lake, query: dict[str, Any], recipe: str) -> dict[str, str] | None:
    from tasks.sampling.records import shown_prompt

    try:
        shown = shown_prompt(lake, recipe, query["question"], query["choices"], query["subject"])
    except UserError as error:
        return {"text": "", "remark": f"cannot be rendered: {error}"}
    except (ValueError, KeyError, TypeError) as error:
        return {"text": "", "remark": f"{lake.location(f'recipes/{recipe}.json')} cannot be read: {error}"}
    return None if shown is None else {"text": shown.text, "remark": shown.remark}


def _routers(lake: Lake, query_id: str, votes: pl.DataFrame) -> list[dict[str, Any]]:
    from tasks.report.figures import BASELINES

    is_here = pl.col("query_id") == query_id
    scores, routes = (read_table(lake, table, where=is_here) for table in (SCORES, ROUTES))
    correct = dict(votes.select("model", "correct").iter_rows())

    def of(router: str, rows: pl.DataFrame, order: pl.Expr | str) -> list[dict[str, Any]]:
        mine = rows.filter(pl.col("router") == router).sort(order, "model").drop("query_id", "router")
        mine = mine.with_columns(pl.col("confidence").cast(pl.Float64).round(6))
        return [row | {"correct": correct.get(row["model"])} for row in mine.iter_rows(named=True)]

    names = sorted({*scores["router"], *routes["router"]})
    return [
        {
            "router": name,
            "is_baseline": name in BASELINES,
            "confidences": of(name, scores, -pl.col("confidence")),
            "routes": of(name, routes, "policy"),
        }
        for name in names
    ]
