r"""How fast answers are read and voted on, from Parquet of generations to Parquet of votes, against lm-evaluation-harness.

    .venv-readers/bin/python tests/benchmarks/reading.py      # make bench-readers
    "…\n#### 72", "…\n#### $72", "… the answer is **70**."  →  votes: 72, 72, 70  →  right

Both read the same files, which have numbers and multiple choice (see texts.py), one model after the other, and write a file of votes.
Of lm-evaluation-harness run its own classes, as its tasks `gsm8k` and `mmlu_flan_cot_zeroshot` set them, with `majority_vote` as in
`gsm8k_cot_self_consistency`: `strict-match` looks for the marker, `flexible-extract` through the whole text. What it does besides
(templates of targets, logging of samples, standard errors) is left out. Time is that of all threads, without imports, so that what else
the machine does does not count; the median of the rounds.
"""

import re
import resource
import statistics
import sys
import tempfile
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl
import texts
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import exact_match_fn
from lm_eval.filters import build_filter_ensemble

from tasks.lake.buckets import buckets
from tasks.lake.files import Lake, read_table, write_table
from tasks.lake.generations import generation_files
from tasks.lake.tables import GENERATIONS, QUERIES, VOTES
from tasks.voting.shard import vote_shard

MODELS, K, BUCKETS, CHUNK = 2, 10, 4, 2000
VOTE = [("majority_vote", None), ("take_first", None)]
# Filter → kind → its settings, and those of the metric, as they stand in the harness's gsm8k.yaml and _mmlu_flan_cot_zeroshot_template_yaml.
NUMBER = {"ignore_case": True, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]}
CHOICE = {"ignore_case": True, "ignore_punctuation": True}
FILTERS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "strict-match": {
        "number": ("regex", {"regex_pattern": "#### (\\-?[0-9\\.\\,]+)"}),
        "choice": (
            "regex",
            {
                "regex_pattern": "((?<=The answer is )(.*)(?=.)|(?<=answer is )(.*)(?=.)|(?<=The answer: )(.*)(?=.)"
                "|(?<=The final answer: )(.*)(?=.))"
            },
        ),
    },
    "flexible-extract": {
        "number": ("regex", {"group_select": -1, "regex_pattern": "(-?[$0-9.,]{2,})|(-?[0-9]+)"}),
        "choice": ("multi_choice_regex", {"group_select": -1, "regex_pattern": "(\\([A-Z]\\))", **CHOICE}),
    },
}


def main(rounds: int = 3) -> None:
    """Print the times, and whether the labels are the same."""
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        samples = _write(lake)
        runs: dict[str, Callable[[], object]] = {"manyminds": lambda: _ours(lake)}
        runs |= {f"lm-eval, {name}": lambda name=name: _theirs(lake, name) for name in FILTERS}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                began = _cpu_seconds()
                run()
                seconds[name].append(_cpu_seconds() - began)
        ours = statistics.median(seconds["manyminds"])
        print("| | CPU-seconds | generations per CPU-second | ours is faster by |\n| --- | --- | ---: | ---: |")  # noqa: T201
        for name, measured in seconds.items():
            middle = statistics.median(measured)
            spread = ", ".join(f"{second:.2f}" for second in measured)
            print(f"| {name} | {spread} | {samples / middle:,.0f} | {middle / ours:.1f} |")  # noqa: T201
        for name in FILTERS:
            _compare(lake, name)


def _cpu_seconds() -> float:
    """Of all threads, and of the processes that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _write(lake: Lake) -> int:
    """Fill the lake as sampling does, chunk by chunk, and say with what; returns the number of generations."""
    queries, generations = texts.tables(MODELS, K)
    write_table(lake, QUERIES, queries, "all/")
    for bucket in buckets(BUCKETS):
        held = generations.filter(bucket.holds()).with_columns(bucket=pl.lit(bucket.label))
        for (model,), rows in held.partition_by("model", as_dict=True).items():
            for chunk in rows.iter_slices(CHUNK):
                write_table(lake, GENERATIONS, chunk, f"model={model}/recipe=r0/bucket={bucket.label}/")
    length = generations["text"].str.len_chars()
    source = "GSM8K's training part" if texts.real_data() else "invented solutions, as there is no real data"
    print(  # noqa: T201
        f"{generations.height:,} generations ({generations['text'].n_unique() / generations.height:.1%} of the texts distinct, "
        f"{length.mean():.0f} characters on average) of {queries.height:,} queries, half of them numbers; {source}\n"
    )
    return generations.height


def _ours(lake: Lake) -> None:
    """As the step `vote` does."""
    queries = lake.files(QUERIES.name)
    for model in range(MODELS):
        for bucket in buckets(BUCKETS):
            rows = read_table(lake, QUERIES, queries).filter(bucket.holds())
            vote_shard(lake, generation_files(lake, f"model-{model}", "r0", bucket), rows, f"model-{model}/{bucket.label}/", K)


def _theirs(lake: Lake, name: str) -> None:
    """Labels by a filter of lm-evaluation-harness, in `FILTER.parquet`."""
    rows = []
    for model in range(MODELS):
        for kind, instances in _instances(lake, model).items():
            function, settings = FILTERS[name][kind]
            build_filter_ensemble(name, [(function, settings), *VOTE]).apply(instances)
            for instance in instances:
                said = instance.filtered_resps[name]
                metric = exact_match_fn(references=[instance.doc["target"]], predictions=[said], **(NUMBER if kind == "number" else CHOICE))
                rows.append((instance.doc["query_id"], f"model-{model}", said, bool(metric["exact_match"])))
    pl.DataFrame(rows, schema=["query_id", "model", "majority", "correct"], orient="row").write_parquet(lake.location(f"{name}.parquet"))


def _instances(lake: Lake, model: int) -> dict[str, list[Instance]]:
    """Per kind, one for each query, with its samples in order."""
    docs = {row["query_id"]: row for row in read_table(lake, QUERIES).to_dicts()}
    files = lake.location(f"{GENERATIONS.name}/model=model-{model}/**/*.parquet")
    samples = pl.read_parquet(files, columns=["query_id", "sample", "text"], hive_partitioning=False).sort("query_id", "sample")
    found: dict[str, list[Instance]] = {"number": [], "choice": []}
    for place, (query_id, said) in enumerate(samples.group_by("query_id", maintain_order=True).agg("text").iter_rows()):
        doc = docs[query_id]
        doc["target"] = f"({doc['gold']})" if doc["answer_kind"] == "choice" else doc["gold"]
        found[doc["answer_kind"]].append(Instance("generate_until", doc, (), place, resps=said))
    return found


def _compare(lake: Lake, name: str) -> None:
    """Print on how many samples both read the same, and whether the labels are the same where they do so on all samples of a query."""
    votes = read_table(lake, VOTES).rows_by_key(["query_id", "model"], named=True, unique=True)
    labels = pl.read_parquet(lake.location(f"{name}.parquet")).rows_by_key(["query_id", "model"], named=True, unique=True)
    samples = same = agreed = differ = 0
    examples = []
    for model in range(MODELS):
        for kind, instances in _instances(lake, model).items():
            function, settings = FILTERS[name][kind]
            ensemble = build_filter_ensemble("answers", [(function, settings)])
            ensemble.apply(instances)
            for instance in instances:
                key = (instance.doc["query_id"], f"model-{model}")
                theirs = [_canonical(kind, answer) for answer in instance.filtered_resps["answers"]]
                ours = [_canonical(kind, answer) for answer in votes[key]["answers"]]
                alike = [left == right for left, right in zip(ours, theirs, strict=True)]
                samples, same = samples + len(alike), same + sum(alike)
                if all(alike):
                    agreed += 1
                    differ += votes[key]["correct"] != labels[key]["correct"]
                elif len(examples) < 200:
                    place = alike.index(False)
                    examples.append((instance.resps[place][-60:], votes[key]["answers"][place], instance.filtered_resps["answers"][place]))
    print(  # noqa: T201
        f"\n{name}: the same answer (or none) is read from {same:,} of {samples:,} samples ({same / samples:.1%}). Where that is so for all "
        f"{K} samples of a model to a query, {agreed:,} times, the labels differ {differ} times. Read differently, for instance:"
    )
    for text, our, their in examples[:: max(len(examples) // 6, 1)][:6]:
        print(f"  …{text!r}: ours {our!r}, theirs {their!r}")  # noqa: T201


def _canonical(kind: str, answer: str | None) -> object:
    """Numbers by value, letters without brackets; None for no answer. As the harness's own metric takes them."""
    if answer is None or answer == "[invalid]":
        return None
    if kind == "choice":
        return re.sub(r"[^\w\s]", "", answer).upper()
    try:
        return Decimal(re.sub(r",|\$|\.$", "", answer))
    except InvalidOperation:
        return answer


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
