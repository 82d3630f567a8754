"""Sample logs of lm-evaluation-harness: what `lm_eval --log_samples --output_path results` writes for each model and task.

    results/google__gemma-7b/samples_gsm8k_2026-11-25T18-21-06.803452.jsonl

    {"doc_id": 0, "doc": {"question": "Janet’s ducks lay 16 eggs per day. …", "answer": "Janet sells … #### 18"},
     "target": "Janet sells … #### 18", "arguments": {"gen_args_0": {"arg_0": "Question: Janet’s ducks …\\nAnswer:", …}},
     "resps": [["She has 9 eggs left. #### 18", "That is 13 dollars."]], "filtered_resps": ["18"],
     "filter": "strict-match", "metrics": ["exact_match"], "exact_match": 1.0, …}

As generations: query "0" of benchmark "gsm8k" with gold "18", and two samples of the model "google/gemma-7b". As outcomes: its
score by the metric "exact_match,strict-match". A row is there once for each filter, with the same samples. Tasks that compare
log-likelihoods say nothing that could be read: they give outcomes only.
"""

import re
import string
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

import polars as pl

from tasks.benchmarks.reading import Field, check_ending, parse_json, read_bytes, stem, typed
from tasks.config import Import
from tasks.errors import UserError

Sample = dict[str, Any]

# Where tasks keep what they ask, and what has to be read before it; keys of a `doc` in lower case.
_QUESTION = ("question", "query", "input", "problem")
_PASSAGE = ("passage", "context", "article")
# Keys of a row that are no metrics, for logs of older versions, which do not list theirs.
_KEYS = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash"}


def generations(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """Each repeat of each request as a sample. Raises UserError for a task of log-likelihoods."""
    samples = _read(file)
    model = _model(file, entry)
    first_filter = samples[0][1]["filter"]
    rows = [
        {"row": row, **_query(file, row, sample), "gold": _gold(file, row, sample), "model": model, "sample": number, "text": text}
        for row, sample in samples
        if sample["filter"] == first_filter
        for number, text in enumerate(_texts(file, row, sample))
    ]
    return _typed(file, rows, fields), []


def outcomes(file: str, entry: Import, fields: Mapping[str, Field]) -> tuple[pl.DataFrame, list[str]]:
    """The score of each query by `entry.metric`, or by the only one there is. Raises UserError where there are several."""
    samples = _read(file)
    model = _model(file, entry)
    metric, filter_name = _metric(file, samples, entry.metric)
    rows = [
        {"row": row, **_query(file, row, sample), "model": model, "score": _score(file, row, sample, metric)}
        for row, sample in samples
        if sample["filter"] == filter_name
    ]
    return _typed(file, rows, fields), []


def _read(file: str) -> list[tuple[int, Sample]]:
    """The rows with their numbers, from 1."""
    check_ending(file, (".jsonl",), "expected samples_….jsonl, as lm_eval --log_samples writes it")
    samples = []
    for row, line in enumerate(read_bytes(file).split(b"\n"), 1):
        if not line.strip():
            continue
        sample = parse_json(line, f"{file}: row {row}")
        if isinstance(sample, dict):
            sample = {"filter": "none", "metrics": sorted(sample.keys() - _KEYS), **sample}
        for key, kind in (("doc_id", int | str), ("doc", dict), ("resps", list), ("filter", str), ("metrics", list)):
            if not isinstance(sample, dict) or not isinstance(sample.get(key), kind):
                raise UserError(f"{file}: row {row}: has no {key!r}; expected a sample log, as lm_eval --log_samples writes it")
        samples.append((row, sample))
    if not samples:
        raise UserError(f"{file}: has no rows")
    return samples


def _model(file: str, entry: Import) -> str:
    """The folder's name, in which the harness writes "__" for the characters that a folder cannot have in its name."""
    folder = PurePosixPath(file).parent.name
    if not entry.model and not folder:
        raise UserError(f"{file}: lies in no folder that is named for its model; expected model = (its name)")
    return entry.model or folder.replace("__", "/")


def _query(file: str, row: int, sample: Sample) -> Sample:
    doc = {str(key).lower(): value for key, value in sample["doc"].items()}
    asked = [doc[key] for key in _QUESTION if isinstance(doc.get(key), str) and doc[key].strip()]
    passages = [doc[key] for key in _PASSAGE if isinstance(doc.get(key), str) and doc[key].strip()]
    question = "\n\n".join([*passages, asked[0]]) if asked else _prompt(file, row, sample)
    subject = doc.get("subject")
    return {
        "benchmark": re.sub(r"^samples_|_\d{4}-\d\d-\d\d(?:T[\d.:-]+)?$", "", stem(file)),
        "query_id": str(sample["doc_id"]),
        "question": question,
        "choices": _choices(doc),
        "subject": subject if isinstance(subject, str) else None,
    }


def _prompt(file: str, row: int, sample: Sample) -> str:
    """What the model was sent, for a task that keeps its question under a name of its own."""
    arguments = sample.get("arguments")
    requests = list(arguments.values()) if isinstance(arguments, dict) else arguments
    if isinstance(requests, list) and requests:
        sent = list(requests[0].values()) if isinstance(requests[0], dict) else requests[0]
        if isinstance(sent, list) and sent and isinstance(sent[0], str):
            return sent[0]
    raise UserError(f"{file}: row {row}: has neither a question in 'doc' ({', '.join(_QUESTION)}) nor a prompt in 'arguments'")


def _choices(doc: Sample) -> list[str] | None:
    """The options of MMLU (`["0", "4"]`), ARC (`{"text": ["frost", "dew"], "label": ["A", "B"]}`) or MMLU-Pro (`options`)."""
    for options in (doc.get("choices"), doc.get("options")):
        texts = options.get("text") if isinstance(options, dict) else options
        if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts):
            return texts
    return None


def _gold(file: str, row: int, sample: Sample) -> str:
    """The target: of a worked solution what follows `####`; for ARC's labels "1", "2" … the letter of the option."""
    target = sample.get("target", "")
    if isinstance(target, list | dict):
        expected = "expected one right answer; with several, import the log's scores as [[outcomes]]"
        raise UserError(f"{file}: row {row}: 'target' is {target!r:.60}; {expected}")
    target = str(target).rpartition("####")[2].strip()
    options = sample["doc"].get("choices")
    labels = options.get("label") if isinstance(options, dict) else None
    return string.ascii_uppercase[labels.index(target)] if isinstance(labels, list) and target in labels else target


def _texts(file: str, row: int, sample: Sample) -> list[str]:
    requests = sample["resps"]
    if requests and isinstance(requests[0], list) and any(isinstance(response, list) for response in requests[0]):
        raise UserError(f"{file}: row {row}: 'resps' holds log-likelihoods and no texts; the task gives [[outcomes]] only")
    if len(requests) != 1 or not isinstance(requests[0], list) or not requests[0] or not all(isinstance(text, str) for text in requests[0]):
        raise UserError(f"{file}: row {row}: 'resps' is {requests!r:.60}; expected one request, with a list of texts")
    return list(requests[0])


def _metric(file: str, samples: list[tuple[int, Sample]], wanted: str | None) -> tuple[str, str]:
    """The metric and the filter whose scores count."""
    there = {
        (name, sample["filter"])
        for _, sample in samples
        for name in sample["metrics"]
        if isinstance(name, str) and isinstance(sample.get(name), int | float)
    }
    names = {(f"{name},{filter_name}" if filter_name != "none" else name): (name, filter_name) for name, filter_name in sorted(there)}
    chosen = [pair for pair in names.values() if wanted in (None, pair[0], ",".join(pair))]
    if len(chosen) != 1:
        problem = "has several metrics" if wanted is None else f"metric = {wanted!r} is {'ambiguous' if chosen else 'not there'}"
        raise UserError(f"{file}: {problem}; expected metric = one of {', '.join(repr(name) for name in names) or '(there are none)'}")
    return chosen[0]


def _score(file: str, row: int, sample: Sample, metric: str) -> float:
    score = sample.get(metric)
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise UserError(f"{file}: row {row}: {metric!r} is {score!r:.60}, expected a number from 0 to 1")
    return float(score)


def _typed(file: str, rows: list[Sample], fields: Mapping[str, Field]) -> pl.DataFrame:
    content = pl.DataFrame(rows, schema_overrides={"choices": pl.List(pl.String), "subject": pl.String})
    return typed(file, content, fields, rows=content["row"])
