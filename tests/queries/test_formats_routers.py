"""RouterDC's JSON and RouterBench's wide table, in the shapes that are published."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tasks.benchmarks.generations import read_generations
from tasks.benchmarks.outcomes import read_outcomes
from tasks.config import Import, Splits
from tasks.errors import UserError

ROUTERDC = [
    {"question": "Weng earns $12 an hour. How much?", "scores": {"org/a": 0.9, "b": 0.0}},
    {"question": "Betty has half of it. How much?", "scores": {"org/a": 1, "b": 0.4}, "cluster_id": 3},
]
PROMPT = str(["Whose 'hands'?\nA) dry\nB) \"wet\"\nAnswer:"])
ROUTERBENCH = [
    {
        "sample_id": f"arc-challenge.test.{number}",
        "prompt": PROMPT.replace("?", f" {number}?"),
        "eval_name": "arc-challenge",
        "gpt-4": 1.0,
        "org/b": score,
        "gpt-4|model_response": "['A']",
        "org/b|model_response": "['B\\n']",
        "gpt-4|total_cost": 0.005,
        "org/b|total_cost": 0.0001,
        "oracle_model_to_route_to": "org/b",
    }
    for number, score in enumerate((0.0, 1.0, 0.25, None))
]
READ = {"outcomes": read_outcomes, "generations": read_generations}


def imported(table: str, format_name: str, *files: str, splits: Splits | None = None) -> Any:
    return READ[table]([Import(files=list(files), format=format_name)], splits or Splits(), 0)


def refused(table: str, format_name: str, file: str) -> str:
    with pytest.raises(UserError) as error:
        imported(table, format_name, file)
    return str(error.value).replace(file, "FILE")


def written(file: Path, content: Any) -> str:
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return str(file)


def wide(file: Path, rows: list[dict[str, Any]] | pl.DataFrame) -> str:
    frame = pl.DataFrame(rows, infer_schema_length=None)
    {".csv": frame.write_csv, ".parquet": frame.write_parquet, ".jsonl": frame.write_ndjson}[file.suffix](file)
    return str(file)


# ── RouterDC ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "benchmark", "split"),
    [
        ("gsm8k-train", "gsm8k", "train"),
        ("arc_challenge_test", "arc_challenge", "test"),
        ("MATH_prealgebra", "MATH_prealgebra", None),
        ("latest", "latest", None),
    ],
)
def test_routerdc_files_name_their_benchmark_and_split(tmp_path: Path, name: str, benchmark: str, split: str | None) -> None:
    outcomes = imported("outcomes", "routerdc", written(tmp_path / f"{name}.json", ROUTERDC))
    assert set(outcomes.queries["benchmark"]) == {benchmark}
    assert split is None or set(outcomes.queries["split"]) - {"validation"} <= {split, "test"}
    assert outcomes.votes.sort("model", "success_rate")["success_rate"].to_list() == [0.0, 0.4, 0.9, 1.0]
    assert split is None or sorted(outcomes.queries["source_id"]) == [f"{benchmark}-{split}-0000{row}" for row in (0, 1)]


def test_shares_of_samples_are_scores_and_probabilities_count_as_one(tmp_path: Path) -> None:
    """Of the benchmarks with choices RouterDC publishes the probability of the right option where it is chosen."""
    thirds = [{"question": str(number), "scores": {"a": number / 3, "b": 1.0}} for number in range(4)]
    shares = imported("outcomes", "routerdc", written(tmp_path / "shares.json", thirds))
    assert shares.votes.filter(model="a")["success_rate"].sort().round(3).to_list() == [0.0, 0.333, 0.667, 1.0]
    chances = [{"question": str(score), "scores": {"a": score, "b": 0}} for score in (0, 0.42606812935598465, 0.9802263565521121)]
    file = written(tmp_path / "arc.json", chances)
    outcomes = imported("outcomes", "routerdc", file)
    assert outcomes.votes.filter(model="a")["success_rate"].sort().to_list() == [0.0, 1.0, 1.0]
    assert (
        outcomes.notes[0]
        == f"{file}: scores are probabilities of the right option, 0 where another one was chosen; each above 0 counts as 1"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{broken", "is not JSON: "),
        ("[]", "is no list of entries, or an empty one; expected "),
        ({"question": "?", "scores": {}}, "is no list of entries, or an empty one; expected "),
        ([*ROUTERDC, {"question": "?"}], 'row 3: expected {"question": …, "scores": {"some model": 0.9, …}}'),
        ([*ROUTERDC, "text"], 'row 3: expected {"question": …'),
        ([{"question": "?", "scores": {"a": None, "b": 1}}], "row 1: the score of 'a' is None, expected a number from 0 to 1"),
        ([*ROUTERDC, {"question": "?", "scores": {"a": 1.5}}], "row 3: the score of 'a' is 1.5, expected a number from 0 to 1"),
        ('[{"question": "\\ud800", "scores": {"a": 1}}]', "is not JSON: 'utf-8' codec can't encode"),
        ([{"question": " ", "scores": {"a": 1}}], "row 1: column 'question' is empty, expected a text"),
        ([{"question": "?", "scores": {}}], "has no scores"),
    ],
)
def test_what_is_wrong_with_routerdc_files_is_named(tmp_path: Path, content: Any, message: str) -> None:
    assert refused("outcomes", "routerdc", written(tmp_path / "a_test.json", content)).startswith(f"FILE: {message}")


def test_routerdc_has_no_generations(tmp_path: Path) -> None:
    message = "FILE: RouterDC's files hold scores and no texts; import them as [[outcomes]]"
    assert refused("generations", "routerdc", written(tmp_path / "a.json", ROUTERDC)) == message


def test_real_routerdc_outcomes_as_json_give_the_same_tables(real_data: Path, tmp_path: Path) -> None:
    table = pl.read_parquet(real_data / "routerdc" / "outcomes-train.parquet").filter(~pl.col("benchmark").str.ends_with("mmlu"))
    table.write_parquet(tmp_path / "table.parquet")
    files = []
    for (benchmark, split), part in sorted(table.partition_by("benchmark", "split", as_dict=True).items()):
        queries = part.group_by("query_id", maintain_order=True).agg(pl.col("question").first(), "model", "score").sort("query_id")
        entries = [{"question": q, "scores": dict(zip(m, s, strict=True))} for _, q, m, s in queries.iter_rows()]
        files.append(written(tmp_path / f"{benchmark}_{split}.json", entries))
    one, other = imported("outcomes", "table", str(tmp_path / "table.parquet")), imported("outcomes", "routerdc", *files)
    assert_frame_equal(one.queries, other.queries)
    assert_frame_equal(one.votes, other.votes)
    assert one.notes == other.notes


# ── RouterBench ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_routerbench_has_scores_costs_and_holes(tmp_path: Path, ending: str) -> None:
    outcomes = imported("outcomes", "routerbench", wide(tmp_path / f"routerbench_0shot.{ending}", ROUTERBENCH))
    assert outcomes.queries.height == 4 and set(outcomes.queries["benchmark"]) == {"arc-challenge"}
    assert "Whose 'hands' 2?\nA) dry\nB) \"wet\"\nAnswer:" in outcomes.queries["question"]
    assert outcomes.queries["source_id"].sort().to_list() == [row["sample_id"] for row in ROUTERBENCH]
    votes = outcomes.votes.filter(model="org/b").sort("success_rate")
    assert votes.select("success_rate", "cost_usd").rows() == [(0.0, 0.0001), (0.25, 0.0001), (1.0, 0.0001)]
    assert outcomes.votes.filter(model="gpt-4").height == 4


def test_the_parts_of_mmlu_are_subjects_of_one_benchmark(tmp_path: Path) -> None:
    rows = [row | {"eval_name": name} for row, name in zip(ROUTERBENCH, ("mmlu-anatomy", "mmlu-law", "mbpp", "mbpp"), strict=True)]
    queries = imported("outcomes", "routerbench", wide(tmp_path / "r.parquet", rows)).queries
    assert queries.sort("source_id").select("benchmark", "subject").rows() == [
        ("mmlu", "anatomy"),
        ("mmlu", "law"),
        ("mbpp", None),
        ("mbpp", None),
    ]


def test_scores_that_are_true_or_false_are_one_or_zero(tmp_path: Path) -> None:
    rows = [row | {"gpt-4": number > 1, "org/b": str(number > 2)} for number, row in enumerate(ROUTERBENCH)]
    for ending in ("csv", "parquet", "jsonl"):
        votes = imported("outcomes", "routerbench", wide(tmp_path / f"r.{ending}", rows)).votes
        assert votes.group_by("model").agg(pl.col("success_rate").sum()).sort("model").rows() == [("gpt-4", 2.0), ("org/b", 1.0)]


def test_responses_are_generations_where_golds_were_joined_to_them(tmp_path: Path) -> None:
    assert refused("generations", "routerbench", wide(tmp_path / "r.parquet", ROUTERBENCH)).startswith(
        "FILE: column 'gold' is missing: RouterBench's table has no right answers"
    )
    rows = [row | {"gold": "A", "choices": ["dry", "wet"]} for row in ROUTERBENCH]
    rows[0]["gpt-4|model_response"] = None
    made = imported("generations", "routerbench", wide(tmp_path / "g.parquet", rows))
    assert set(made.queries["answer_kind"]) == {"choice"} and set(made.queries["gold"]) == {"A"}
    assert made.generations.group_by("model", "text", "sample").len().sort("model").rows() == [("gpt-4", "A", 0, 3), ("org/b", "B\n", 0, 4)]


@pytest.mark.parametrize(
    "prompt", ["[not a list", "[1, 2]", "['a'] + ['b']", "[" * 10_000, "plain", "[__import__('os')]", "['\0']", r"['\ud83d']"]
)
def test_what_only_looks_like_a_list_stays_as_it_is(tmp_path: Path, prompt: str) -> None:
    outcomes = imported("outcomes", "routerbench", wide(tmp_path / "r.parquet", [ROUTERBENCH[0] | {"prompt": prompt}]))
    assert outcomes.queries["question"].to_list() == [prompt]


def test_a_pickle_is_refused_unread_and_the_way_out_is_told(tmp_path: Path) -> None:
    (tmp_path / "routerbench_0shot.pkl").write_bytes(b"cos\nsystem\n(S'touch broken'\ntR.")
    for table in READ:
        message = refused(table, "routerbench", str(tmp_path / "routerbench_0shot.pkl"))
        assert message.startswith("FILE: reading a pickle can run any program that it holds, so none is read here")
        assert "pandas.read_pickle('FILE.pkl').to_csv('FILE.csv', index=False)" in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"org/b": 1.5}, "row 5: column 'org/b' is 1.5, expected a number from 0 to 1"),
        ({"org/b|total_cost": -1.0}, "row 5: column 'org/b|total_cost' is -1.0, expected a number not below 0"),
        ({"prompt": "['']"}, "row 5: column 'prompt' is empty, expected a text"),
        ({"prompt": ""}, "row 5: column 'prompt' is empty, expected a text"),
        ({"eval_name": None}, "row 5: column 'eval_name' is empty"),
        ({"sample_id": None}, "row 5: column 'sample_id' is empty"),
    ],
)
def test_a_bad_cell_is_named_by_row_and_column(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    file = wide(tmp_path / "r.parquet", [*ROUTERBENCH, ROUTERBENCH[0] | {"sample_id": "new"} | change])
    assert refused("outcomes", "routerbench", file) == f"FILE: {message}"


def test_another_table_is_not_taken_for_routerbench(tmp_path: Path) -> None:
    long = wide(tmp_path / "long.parquet", [{"question": "?", "model": "m", "score": 1}])
    assert refused("outcomes", "routerbench", long).startswith("FILE: column 'sample_id' is missing")
    nested = wide(tmp_path / "nested.jsonl", [ROUTERBENCH[0] | {"prompt": [1]}])
    assert refused("outcomes", "routerbench", nested) == "FILE: column 'prompt' holds List(Int64), expected texts"
    bare = wide(tmp_path / "bare.parquet", [{"sample_id": "a", "prompt": "?", "eval_name": "e", "gpt-4": 1.0}])
    assert refused("outcomes", "routerbench", bare) == (
        "FILE: no model has both a column (model) and (model)|total_cost; expected RouterBench's wide table"
    )


def test_real_routerbench_outcomes_as_a_wide_table_give_the_same_tables(real_data: Path, tmp_path: Path) -> None:
    table = pl.read_parquet(real_data / "routerbench" / "outcomes-train.parquet")
    scores, costs = (
        table.pivot("model", index=["query_id", "benchmark", "split", "question"], values=values) for values in ("score", "cost_usd")
    )
    costs = costs.select(pl.exclude("query_id", "benchmark", "split", "question").name.suffix("|total_cost"))
    prompts = pl.Series([str([question]) for question in scores["question"]])
    rows = pl.concat([scores, costs], how="horizontal").with_columns(question=prompts)
    file = wide(tmp_path / "wide.csv", rows.rename({"query_id": "sample_id", "benchmark": "eval_name", "question": "prompt"}))
    one = imported("outcomes", "table", str(real_data / "routerbench" / "outcomes-train.parquet"))
    other = imported("outcomes", "routerbench", file)
    assert_frame_equal(one.queries, other.queries)
    assert_frame_equal(one.votes, other.votes)
