"""Nothing is done twice, and everything is redone that has to be."""

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from lake_contents import changed, generations, tables

from flows.refresh import refresh, relabel
from tasks.config import RunFile
from tasks.errors import ShardsFailed, UserError
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import METRICS, QUERIES, ROUTES, SCORES, TABLES, VOTES

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("server")]
MakeRun = Callable[..., RunFile]
KEYS = ["query_id", "model", "recipe", "sample"]


def untimed(generations: pl.DataFrame) -> pl.DataFrame:
    """What does not depend on how fast the machine is."""
    return generations.drop("latency_s", "first_token_s")


def test_all_six_tables_and_the_report_come_out_and_a_second_run_changes_no_file(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    assert all(tables(run).values())
    assert generations(run).height == 48 * 2 * 3
    lake = Lake(run.lake)
    assert read_table(lake, VOTES).height == 48 * 2
    assert read_table(lake, SCORES).height == 48 * 2 * 4
    assert read_table(lake, ROUTES).height == 48 * 4
    assert "<html" in lake.read("report.html").decode()
    before = changed(run)
    refresh(run)
    assert changed(run) == before


def test_the_same_run_in_another_lake_gives_the_same_tables(make_run: MakeRun, tmp_path: Path) -> None:
    one, other = make_run(lake=str(tmp_path / "one")), make_run(lake=str(tmp_path / "other"))
    for run in (one, other):
        refresh(run)
    for table in TABLES.values():
        left, right = (read_table(Lake(run.lake), table) for run in (one, other))
        timed = [name for name in ("latency_s", "first_token_s") if name in left.columns]
        if table is METRICS:
            measured = ~pl.col("metric").is_in(["latency_s", "router_seconds"])
            left, right = left.filter(measured), right.filter(measured)
        assert left.drop(timed).sort(table.key).equals(right.drop(timed).sort(table.key)), table.name


def test_more_samples_more_questions_and_another_model_cost_exactly_the_difference(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    first = generations(run)
    more = make_run(
        sampling=run.sampling.model_copy(update={"k": 4}),
        benchmarks=[{"name": "embedded", "limit": {"train": 30, "validation": 8, "test": 16}}],
        models=[*run.models, run.models[0].model_copy(update={"name": "again", "path": run.models[0].path.replace("ledger", "atlas")})],
    )
    before = changed(run)
    refresh(more)
    assert {path: at for path, at in changed(more).items() if path in before and path.startswith("generations/")} == {
        path: at for path, at in before.items() if path.startswith("generations/")
    }
    drawn = generations(more)
    assert drawn.height == 54 * 3 * 4
    assert not drawn.select(KEYS).is_duplicated().any()
    assert drawn.join(first, on=KEYS, how="semi").equals(first)


def test_another_policy_redoes_nothing_above_the_routes(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    before = changed(run)
    refresh(make_run(evaluation={"policies": ["argmax", "random"], "bootstrap": 100}))
    same = {path for path, at in changed(run).items() if before.get(path) == at}
    assert {path for path in before if path.split("/")[0] in {"queries", "generations", "votes", "scores", "routers"}} <= same
    assert set(read_table(Lake(run.lake), ROUTES).filter(pl.col("router") == "kmeans-tfidf")["policy"].unique()) == {"argmax", "random"}


@pytest.mark.parametrize("table", ["queries", "votes", "scores", "routes", "metrics", "routers", "policies"])
def test_a_table_that_was_deleted_comes_back_as_it_was(make_run: MakeRun, table: str) -> None:
    run = make_run(models=[{"name": name, "path": path} for name, path in ((m.name, m.path) for m in make_run().models)])
    refresh(run)
    before = {path: (Path(run.lake) / path).read_bytes() for path in changed(run)}
    shutil.rmtree(Path(run.lake) / table)
    refresh(run)
    after = {path: (Path(run.lake) / path).read_bytes() for path in changed(run)}
    measured = {"metrics"} if table in {"scores", "routers"} else set()  # the router's own seconds are measured again
    assert {path: at for path, at in after.items() if path.split("/")[0] not in measured} == {
        path: at for path, at in before.items() if path.split("/")[0] not in measured
    }


def test_generations_that_were_deleted_are_drawn_again_word_for_word(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    before = generations(run)
    for file in Lake(run.lake).files("generations")[:1]:
        Lake(run.lake).remove(file)
    refresh(run)
    assert untimed(generations(run)).equals(untimed(before))


def test_a_model_that_left_the_run_leaves_the_tables_but_keeps_its_samples(make_run: MakeRun) -> None:
    run = make_run()
    other = run.models[0].model_copy(update={"name": "atlas", "path": run.models[0].path.replace("ledger", "atlas")})
    refresh(make_run(models=[*run.models, other]))
    refresh(run)
    assert set(read_table(Lake(run.lake), VOTES)["model"]) == {"ledger", "scribe"}
    assert set(generations(run)["model"]) == {"ledger", "scribe", "atlas"}


def test_a_shard_that_fails_stops_no_other_is_named_and_is_all_that_the_next_run_samples(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    whole = generations(run)
    shutil.rmtree(run.lake)
    recipe = whole.filter(pl.col("model") == "ledger")["recipe"][0]
    obstacle = Path(run.lake) / "generations" / "model=ledger" / f"recipe={recipe}" / "bucket=01-of-02"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("a file where the shard's folder should be")
    with pytest.raises(ShardsFailed, match="ledger · bucket 2 of 2"):
        refresh(run)
    drawn = generations(run)
    assert untimed(drawn).equals(untimed(whole.filter((pl.col("model") == "scribe") | (pl.col("bucket") == "00-of-02"))))
    before = changed(run)
    obstacle.unlink()
    refresh(run)
    assert untimed(generations(run)).equals(untimed(whole))
    assert all(
        changed(run)[path] == at for path, at in before.items() if path.startswith("generations/model") and path.endswith(".parquet")
    )


def test_another_number_of_buckets_draws_nothing_again(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    before = {path: at for path, at in changed(run).items() if path.startswith("generations/")}
    votes = read_table(Lake(run.lake), VOTES).sort("query_id", "model")
    refresh(make_run(sampling=run.sampling.model_copy(update={"buckets": 3})))
    assert {path: at for path, at in changed(run).items() if path.startswith("generations/")} == before
    assert read_table(Lake(run.lake), VOTES).sort("query_id", "model").equals(votes)


def test_labelling_reads_the_answers_again_without_sampling(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    before = {path: (Path(run.lake) / path).read_bytes() for path in changed(run)}
    shutil.rmtree(Path(run.lake) / "votes")
    relabel(run)
    assert {path: (Path(run.lake) / path).read_bytes() for path in changed(run)} == before


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"routers": [{"name": "kmeans-tfdif"}]}, "kmeans-tfidf"),
        ({"routers": [{"name": "kmeans-tfidf", "cluster": 3}]}, "clusters"),
        ({"evaluation": {"policies": ["argmx"]}}, "argmax"),
        ({"benchmarks": [{"name": "gsm8"}]}, "gsm8k"),
    ],
)
def test_a_name_that_is_not_known_is_refused_before_anything_is_sampled(make_run: MakeRun, sections: dict[str, object], said: str) -> None:
    run = make_run(**sections)
    with pytest.raises(UserError, match=said):
        refresh(run)
    assert not Path(run.lake).joinpath("generations").exists()


def test_a_gold_that_cannot_be_read_is_refused_before_anything_is_sampled(make_run: MakeRun, tmp_path: Path) -> None:
    golds = tmp_path / "golds.csv"
    golds.write_text("question,gold\n" + "".join(f"{number} + 1?,{number + 1}\n" for number in range(40)) + "which?,$\n")
    run = make_run(benchmarks=[{"name": "sums", "files": [str(golds)], "answer_kind": "math"}])
    with pytest.raises(UserError, match=r"column 'gold' is '\$', expected an answer of kind 'math'"):
        refresh(run)
    assert not Path(run.lake).joinpath("generations").exists()


def test_queries_have_the_three_splits(make_run: MakeRun) -> None:
    run = make_run()
    refresh(run)
    counted = read_table(Lake(run.lake), QUERIES).group_by("split").len()
    assert dict(counted.iter_rows()) == {"train": 24, "validation": 8, "test": 16}


def test_a_model_that_cannot_be_loaded_is_tried_once_and_stops_no_other(make_run: MakeRun, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(make_run().models[0].path, broken)
    (broken / "model.safetensors").write_bytes(b"not weights")
    run = make_run(models=[{"name": "broken", "path": str(broken)}, *make_run().models])
    with pytest.raises(UserError, match=r"sample broken: model 'broken'.* cannot be loaded") as error:
        refresh(run)
    assert str(error.value).count("broken cannot be loaded") == 1
    assert set(generations(run)["model"]) == {"ledger", "scribe"}


def test_a_query_that_comes_from_two_sources_is_refused(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    refresh(run)
    queries = read_table(Lake(run.lake), QUERIES)
    rows = queries.select("benchmark", "split", "question", "choices").join(pl.DataFrame({"model": ["x", "y"]}), how="cross")
    rows.with_columns(score=pl.lit(1.0)).write_parquet(tmp_path / "outcomes.parquet")
    with pytest.raises(UserError, match="come from two sources"):
        refresh(make_run(outcomes=[{"files": [str(tmp_path / "outcomes.parquet")]}]))


def test_generations_made_elsewhere_are_read_and_voted_on(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    refresh(run)
    lake = Lake(run.lake)
    texts = generations(run).join(read_table(lake, QUERIES), on="query_id").rename({"query_id": "_"}).rename({"source_id": "query_id"})
    columns = ["benchmark", "split", "query_id", "question", "choices", "gold", "answer_kind", "model", "sample", "text"]
    texts.select(columns).write_parquet(tmp_path / "generations.parquet")
    sections = {"lake": str(tmp_path / "imported"), "benchmarks": [], "models": []}
    imported = make_run(generations=[{"files": [str(tmp_path / "generations.parquet")]}], **sections)
    refresh(imported)
    same = [name for name in VOTES.columns if name not in {"recipe", "wanted", "stop", "completion_tokens", "cost_usd", "latency_s"}]
    ours, theirs = (read_table(Lake(one.lake), VOTES, columns=same).sort("query_id", "model") for one in (run, imported))
    assert theirs.equals(ours)


def test_generations_imported_again_replace_those_before_and_two_recipes_of_a_model_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    def rows(models: list[str], recipes: list[str]) -> pl.DataFrame:
        questions = pl.DataFrame(
            {"question": [f"How much is {number} + 1?" for number in range(60)], "gold": [str(n + 1) for n in range(60)]}
        )
        said = pl.DataFrame({"model": models, "recipe": recipes, "text": [f"#### {number}" for number in range(len(models))]})
        return questions.join(said, how="cross").with_columns(benchmark=pl.lit("sums"), split=pl.lit("train"), sample=pl.lit(0))

    file = tmp_path / "generations.parquet"
    run = make_run(benchmarks=[], models=[], generations=[{"files": [str(file)]}])
    rows(["a", "b"], ["r1", "r1"]).write_parquet(file)
    refresh(run)
    rows(["a", "c"], ["r9", "r9"]).write_parquet(file)
    refresh(run)
    assert set(generations(run).select("model", "recipe").unique().iter_rows()) == {("a", "imported-r9"), ("c", "imported-r9")}
    before = changed(run)
    rows(["a", "a", "c"], ["r1", "r2", "r1"]).write_parquet(file)
    with pytest.raises(UserError, match=r"generations\.parquet: row \d+: column 'recipe' differs"):
        refresh(run)
    assert changed(run) == before
