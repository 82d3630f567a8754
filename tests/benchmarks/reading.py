r"""How fast answers are read and voted on, from Parquet of generations to Parquet of votes, against lm-evaluation-harness.

    .venv-readers/bin/python tests/benchmarks/reading.py      # make bench-readers
    "…\n#### 72", "…\n#### $72", "… the answer is **70**."  →  votes: 72, 72, 70  →  right

Both read the same files, which have numbers and multiple choice (see texts.py), one model after the other, and write a file of votes.
Of lm-evaluation-harness run its own classes, as its tasks `gsm8k` and `mmlu_flan_cot_zeroshot` set them, with `majority_vote` as in
`gsm8k_cot_self_consistency`: `strict-match` looks for the marker, `flexible-extract` through the whole text. Its metric is asked about
the majority only, and also about each sample, which is what `success_rate` in our votes takes. What the harness does besides (templates of
targets, logging of samples, standard errors) is left out. Time is that of all threads, without imports, so that what else the machine
does does not count; the median of the rounds.
"""

import re
import resource
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
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
# As they stand in the harness's gsm8k.yaml and _mmlu_flan_cot_zeroshot_template_yaml: settings of the metric, and filter → kind → its own.
METRIC: dict[str, dict[str, Any]] = {
    "number": {"ignore_case": True, "regexes_to_ignore": [",", "\\$", "(?s).*#### ", "\\.$"]},
    "choice": {"ignore_case": True, "ignore_punctuation": True},
}
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
        "choice": ("multi_choice_regex", {"group_select": -1, "regex_pattern": "(\\([A-Z]\\))", **METRIC["choice"]}),
    },
}


def main(rounds: int = 3) -> None:
    """Print the times, and whether the labels are the same: where all texts end with a marker, and in a mix of endings."""
    for words, endings in (("All texts end with a marker", texts.MARKED), ("A mix of endings", texts.ENDINGS)):
        print(f"\n{words}: ", end="")  # noqa: T201
        _measure(rounds, endings)


def _measure(rounds: int, endings: Mapping[str, Mapping[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(folder)
        samples = _write(lake, endings)
        runs: dict[str, Callable[[], object]] = {"manyminds": lambda: _ours(lake)}
        for name in FILTERS:
            runs[f"lm-eval, {name}, majority"] = lambda name=name: _theirs(lake, name, each=False)
            runs[f"lm-eval, {name}, majority and each sample"] = lambda name=name: _theirs(lake, name, each=True)
        runs["Polars, length of the texts alone"] = lambda: _texts(lake)
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(rounds):
            for name, run in runs.items():
                began = _cpu_seconds()
                run()
                seconds[name].append(_cpu_seconds() - began)
        ours = statistics.median(seconds["manyminds"])
        print("| | CPU-seconds | generations per CPU-second | ours is faster by |\n| --- | ---: | ---: | ---: |")  # noqa: T201
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


def _write(lake: Lake, endings: Mapping[str, Mapping[str, int]]) -> int:
    """Fill the lake as sampling does, chunk by chunk, and say with what; returns the number of generations."""
    queries, generations = texts.tables(MODELS, K, endings)
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
            rows = read_table(lake, QUERIES, queries, where=bucket.holds())
            vote_shard(lake, generation_files(lake, f"model-{model}", "r0", bucket), rows, f"model-{model}/{bucket.label}/", K)


def _theirs(lake: Lake, name: str, each: bool) -> None:
    """Labels by a filter of lm-evaluation-harness, in `FILTER.parquet`."""
    rows = []
    for model in range(MODELS):
        for kind, instances in _instances(lake, model).items():
            build_filter_ensemble(name, [FILTERS[name][kind], *VOTE]).apply(instances)
            if each:
                build_filter_ensemble("each", [FILTERS[name][kind]]).apply(instances)
            for instance in instances:
                said = instance.filtered_resps[name]
                rate = sum(_is_right(instance, kind, answer) for answer in instance.filtered_resps["each"]) / K if each else None
                rows.append((instance.doc["query_id"], f"model-{model}", said, _is_right(instance, kind, said), rate))
    columns = ["query_id", "model", "majority", "correct", "success_rate"]
    pl.DataFrame(rows, schema=columns, orient="row").write_parquet(lake.location(f"{name}.parquet"))


def _is_right(instance: Instance, kind: str, answer: str) -> bool:
    """As the harness's `process_results` asks its metric."""
    return bool(exact_match_fn(references=[instance.doc["target"]], predictions=[answer], **METRIC[kind])["exact_match"])


def _texts(lake: Lake) -> None:
    pl.scan_parquet(lake.location("generations/**/*.parquet")).select(pl.col("text").str.len_bytes().sum()).collect()


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
    found, examples = Counter[str](), []
    for model in range(MODELS):
        for kind, instances in _instances(lake, model).items():
            build_filter_ensemble(name, [FILTERS[name][kind]]).apply(instances)
            for instance in instances:
                vote, label = (table[instance.doc["query_id"], f"model-{model}"] for table in (votes, labels))
                theirs = instance.filtered_resps[name]
                pairs = zip(vote["answers"], theirs, instance.resps, strict=True)
                other = [pair for pair in pairs if _value(kind, pair[0]) != _value(kind, pair[1])]
                found["samples"] += K
                found["other"] += len(other)
                examples += other[:1]
                if not other:
                    spelt_apart = len(set(theirs)) > len(set(vote["answers"]))
                    why = "invalid" if label["majority"] == "[invalid]" else "spelling" if spelt_apart else "without a reason"
                    found["alike"] += 1
                    found[why] += vote["correct"] != label["correct"]
    same = found["samples"] - found["other"]
    print(  # noqa: T201
        f"\n{name} reads the same answer as ours, or none as ours, from {same:,} of {found['samples']:,} samples "
        f"({same / found['samples']:.1%}). Of {found['alike']:,} votes with all {K} samples read the same, the label is another one in "
        f"{found['invalid']} in which the harness lets '[invalid]' win, {found['spelling']} in which it counts spellings of one number "
        f"apart, and {found['without a reason']} others. Read differently (ours, theirs, the end of the text), for instance:"
    )
    for our, their, text in examples[:: len(examples) // 6 or 1][:6]:
        print(f"  {our!r}, {their!r}, …{text[-60:]!r}")  # noqa: T201


def _value(kind: str, answer: str | None) -> object:
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
