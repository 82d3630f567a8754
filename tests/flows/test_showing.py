"""What `manyminds show` says of a query, for people and for programs."""

import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from planted_tables import hand_tables

from flows import terminal
from flows.command_line import main
from flows.showing import print_query, query_document
from tasks.config import Model, Sampling
from tasks.lake.files import Lake, folder_name, keep_only, write_table
from tasks.lake.tables import GENERATIONS, QUERIES, ROUTES, SCORES, VOTES
from tasks.sampling.recipe import recipe_of
from tasks.sampling.records import keep_recipe
from tasks.voting.vote import vote

LEDGER = Path(__file__).parents[2] / "tasks" / "world" / "models" / "ledger"
QUERY = {"query_id": "q", "source_id": "q", "benchmark": "b", "split": "test", "question": "Which gate?", "answer_kind": "text"}
EGGS = {
    "query_id": "5f0c00000000aaaa",
    "source_id": "17",
    "benchmark": "sums",
    "split": "test",
    "subject": "eggs",
    "question": "How many  Eggs\nare 3 dozens?",
    "gold": "36",
    "answer_kind": "number",
}
TEXTS = ["3 * 12 is\n36, so #### 36", "It is #### 35", "#### 35", "I do not know.", "#### 36", "", "Let us see, 3 dozens are"]
FINISHED = ["stop", "stop", "stop", "stop", "stop", "stop", "length"]
HOSTILE = "\x1b[31mred\x9b2J \u202e[red]markup[/red] `a`"


def query_rows(*queries: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame([EGGS | query for query in queries], schema=QUERIES.schema)


def sample_rows(model: str, texts: list[str] = TEXTS, **columns: Any) -> pl.DataFrame:
    rows = [
        {"query_id": EGGS["query_id"], "model": model, "recipe": "r1", "bucket": "00-of-01", "sample": sample, "text": text}
        | {"finish_reason": FINISHED[sample] if texts is TEXTS else "stop"}
        | columns
        for sample, text in enumerate(texts)
    ]
    return pl.DataFrame(rows, schema=GENERATIONS.schema)


def fill(lake: Lake, samples: pl.DataFrame, k: int | None = None, queries: pl.DataFrame | None = None) -> None:
    """A lake with these samples, and what they vote for."""
    queries = query_rows({}) if queries is None else queries
    write_table(lake, QUERIES, queries, "sums/")
    for (model,), part in samples.partition_by("model", as_dict=True).items():
        write_table(lake, GENERATIONS, part, f"model={folder_name(str(model))}/recipe=r1/bucket=00-of-01/")
    if k is not None:
        write_table(lake, VOTES, vote(samples, queries, k), "r1/")


def sampled(lake: Lake, model: Model, template: str, text: str) -> str:
    """A sample of the model by this prompt, with its recipe; returns the recipe's id."""
    recipe = recipe_of(model, template, Sampling())
    keep_recipe(lake, recipe, model)
    row = {"query_id": "q", "model": model.name, "recipe": recipe.id, "bucket": "00-of-01", "sample": 0, "seed": 1, "text": text}
    folder = f"model={model.name}/recipe={recipe.id}/bucket=00-of-01/"
    write_table(lake, GENERATIONS, pl.DataFrame([row], schema=GENERATIONS.schema), folder)
    return recipe.id


def shown(lake: Lake, wanted: str, capsys: pytest.CaptureFixture[str]) -> str:
    print_query(lake.url, wanted)
    return capsys.readouterr().out


def test_it_says_how_each_sample_was_read_and_what_the_vote_came_to(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    fill(lake, sample_rows("owl"), k=7)
    (owl,) = query_document(lake.url, "17")["models"]
    assert [sample["answer"] for sample in owl["samples"]] == ["36", "35", "35", None, "36", None, None]
    assert [sample["right"] for sample in owl["samples"]] == [True, False, False, False, True, False, False]
    reasons = [sample["unreadable"] for sample in owl["samples"]]
    assert reasons[:3] == [None, None, None]
    assert "has no answer" in reasons[3] and "empty" in reasons[5] and "cut off" in reasons[6]
    assert owl["candidates"] == [
        {"answer": "36", "votes": 2, "right": True, "samples": [0, 4]},
        {"answer": "35", "votes": 2, "right": False, "samples": [1, 2]},
        {"answer": None, "votes": 3, "right": False, "samples": [3, 5, 6]},
    ]
    said = owl["vote"]
    assert (said["majority"], said["correct"], said["votes"], said["runner_up_votes"]) == ("36", True, 2, 2)
    assert said["tied"] and said["ambiguous"] and said["valid"] == 4
    assert not owl["is_read_otherwise"]


def test_samples_beyond_those_that_vote_are_set_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(str(tmp_path))
    fill(lake, sample_rows("owl"), k=3)
    (owl,) = query_document(lake.url, "17")["models"]
    assert [sample["counts"] for sample in owl["samples"]] == [True] * 3 + [False] * 4
    assert [(one["answer"], one["votes"]) for one in owl["candidates"]] == [("35", 2), ("36", 1)]
    assert not owl["is_read_otherwise"]
    page = shown(lake, "17", capsys)
    assert page.index("beyond the samples that vote") < page.index("I do not know.")


def test_a_vote_that_rests_on_other_readings_is_said_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, samples = Lake(str(tmp_path)), sample_rows("owl")
    fill(lake, samples)
    old = pl.lit(["99", *[None] * 6], pl.List(pl.String))
    write_table(lake, VOTES, vote(samples, query_rows({}), 7).with_columns(answers=old, majority=pl.lit("99"), correct=False), "r1/")
    assert query_document(lake.url, "17")["models"][0]["is_read_otherwise"]
    assert "`manyminds label`" in " ".join(shown(lake, "17", capsys).replace("│", " ").split())


def test_a_sample_that_was_written_twice_is_shown_once_as_voting_takes_it(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    twice = [sample_rows("owl", ["#### 36", "#### 35"]), sample_rows("owl", ["#### 7", "#### 35"])]
    for rows in twice:
        write_table(lake, GENERATIONS, rows, "model=owl/recipe=r1/bucket=00-of-01/")
    write_table(lake, QUERIES, query_rows({}), "sums/")
    write_table(lake, VOTES, vote(pl.concat(twice), query_rows({}), 2), "r1/")
    (owl,) = query_document(lake.url, "17")["models"]
    assert [sample["answer"] for sample in owl["samples"]] == ["36", "35"]
    assert not owl["is_read_otherwise"]


@pytest.mark.parametrize("width", [80, 120])
def test_the_page_fits_and_has_the_first_text_of_each_answer_whole(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr(terminal.console, "width", width)
    lake, long = Lake(str(tmp_path)), "And then there was one more egg, which was not counted.\n" * 8
    fill(lake, pl.concat([sample_rows(name, [f"{long}#### 36", f"{long}{long}#### 36", "#### 36"]) for name in ("owl", "a" * 40)]), k=3)
    page = shown(lake, "17", capsys)
    assert max(map(len, page.splitlines())) <= width
    assert page.count("one more egg") == 2 * 8 + 2 * (page.count("… ") // 2 > 0)  # of each model one text whole; of the second its end
    assert page.count("36 ×3") == 4  # in the votes and above the samples


def test_routes_and_confidences_say_which_of_the_models_are_right(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(str(tmp_path))
    fill(lake, pl.concat([sample_rows("fox", ["#### 36"]), sample_rows("owl", ["#### 3"])]), k=1)
    scores = [
        {"query_id": EGGS["query_id"], "router": "knn", "model": name, "confidence": value} for name, value in (("fox", 0.25), ("owl", 0.7))
    ]
    write_table(lake, SCORES, pl.DataFrame(scores, schema=SCORES.schema), "knn/")
    routes = [
        {"query_id": EGGS["query_id"], "router": router, "policy": policy, "model": name, "confidence": 0.5}
        for router, policy, name in (("knn", "argmax", "owl"), ("knn", "budget", "fox"), ("best-single", "argmax", "fox"))
    ]
    write_table(lake, ROUTES, pl.DataFrame(routes, schema=ROUTES.schema), "knn/")
    best, knn = query_document(lake.url, "17")["routers"]
    assert best["is_baseline"] and not knn["is_baseline"]
    assert [(one["model"], one["confidence"], one["correct"]) for one in knn["confidences"]] == [("owl", 0.7, False), ("fox", 0.25, True)]
    assert [(one["policy"], one["model"], one["correct"]) for one in knn["routes"]] == [("argmax", "owl", False), ("budget", "fox", True)]
    page = shown(lake, "17", capsys)
    assert "0.70 ✗ owl" in page and "0.25 ✓ fox" in page
    assert page.index("knn") < page.index("best single")  # what is compared with comes last


def test_a_query_is_found_by_its_ids_their_beginning_and_its_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(str(tmp_path))
    other = {"query_id": "77aa000000000000", "benchmark": "mmlu", "question": "how many eggs are 3 dozens? And 5f0c?"}
    third = {"query_id": "77ab000000000000", "source_id": "x9", "question": "Colour of the sky"}
    write_table(lake, QUERIES, query_rows({}, other, third), "sums/")

    def found(wanted: str) -> list[str]:
        document = query_document(lake.url, wanted)
        assert (document["query"] is None) == (len(document["matches"]) > 1)
        return [match["query_id"] for match in document["matches"]]

    eggs = EGGS["query_id"]
    assert found("17") == [eggs, other["query_id"]]  # the same id in two benchmarks
    assert found(str(eggs)) == [eggs]
    assert found("HOW many eggs are 3 dozens?") == [eggs]  # the whole text, before those that it is a part of
    assert found("eggs ARE") == [eggs, other["query_id"]]
    assert found("77ab") == found("x9") == found("colour") == [third["query_id"]]
    assert found("5f0c") == [eggs, other["query_id"]]  # the beginning of an id, or a text
    page = shown(lake, "17", capsys)
    assert "2 queries may be meant" in page and "mmlu" in page and str(eggs) in page


def test_without_a_query_it_is_an_error_with_the_nearest_ones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_table(Lake(str(tmp_path)), QUERIES, query_rows({}, {"query_id": "77ab", "source_id": "row-19", "question": HOSTILE}), "sums/")
    for wanted, nearest in (
        ("how much are three dozzens", EGGS["query_id"]),
        ("row-18", "row-19"),
        ("markup red", "77ab"),
        ("  ", "an id"),
    ):
        assert main(["show", "--lake", str(tmp_path), wanted, "--json"]) == 2
        out, err = capsys.readouterr()
        assert out == "" and nearest in err
        assert err.rstrip("\n").isprintable()
    assert main(["show", "--lake", str(tmp_path / "nothing"), "row"]) == 2
    assert "has `manyminds run` been started?" in capsys.readouterr().err


def test_text_that_is_hostile_to_a_terminal_is_shown_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(str(tmp_path))
    queries = query_rows({"question": HOSTILE, "subject": HOSTILE, "source_id": HOSTILE})
    fill(lake, sample_rows(HOSTILE, [HOSTILE, f"{HOSTILE}\n#### 36", "\ttab\u00a0and space\r\n"]), k=3, queries=queries)
    page = shown(lake, str(EGGS["query_id"]), capsys)
    assert page.replace("\n", "").isprintable()
    assert page.count("[red]markup[/red]") > 5 and "tab and space" in page
    print_query(lake.url, str(EGGS["query_id"]), as_json=True)
    document = capsys.readouterr().out
    assert document.replace("\n", "").isprintable()
    parsed = json.loads(document)
    assert parsed["query"]["question"] == HOSTILE
    assert parsed["models"][0]["samples"][0]["text"] == HOSTILE


def test_outcomes_that_were_made_elsewhere_have_a_score_and_no_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, tables = Lake(str(tmp_path)), hand_tables({"fox": [1.0, 0.4], "owl": [0.0, None]}, {}, k=None)
    write_table(lake, QUERIES, tables.queries, "sums/")
    write_table(lake, VOTES, tables.votes, "imported/")
    fox, _ = query_document(lake.url, "0")["models"]
    assert fox["vote"]["success_rate"] == 1 and fox["candidates"] == fox["samples"] == [] and fox["prompt"] is None
    page = shown(lake, "0", capsys)
    assert "✓ score 1" in page and "✗ score 0" in page
    assert "Samples" not in page and "Prompts" not in page
    (fox,) = query_document(lake.url, "1")["models"]  # a hole is no row


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(str(tmp_path))
    fill(lake, sample_rows("owl"), k=7)
    lake.write("recipes/r1.json", b"{")
    assert "r1.json cannot be read" in query_document(lake.url, "17")["models"][0]["prompt"]["remark"]
    lake.write(lake.files("generations")[0], b"PAR1")
    (owl,) = query_document(lake.url, "17")["models"]
    assert owl["samples"] == [] and [one["answer"] for one in owl["candidates"]] == ["36", "35", None]  # the vote has the answers still
    lake.write("votes/r1/bad.parquet", b"PAR1")
    assert main(["show", "--lake", lake.url, "17", "--json"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and "votes/r1/bad.parquet" in err
    keep_only(lake, "votes", [])
    assert query_document(lake.url, "17")["models"] == []


def test_samples_of_one_model_by_two_recipes_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, model = Lake(str(tmp_path)), Model(name="ledger", path=str(LEDGER))
    write_table(lake, QUERIES, pl.DataFrame([QUERY], schema=QUERIES.schema), "b/")
    recipes = [sampled(lake, model, f"{said} {{{{ question }}}}", f"{said} it is") for said in ("Once", "Twice")]
    sampled(lake, Model(name="other", path=str(LEDGER)), "Once {{ question }}", "The north one")
    page = "".join(shown(lake, "q", capsys).split())
    assert all(page.count(recipe) == 3 for recipe in recipes)  # with its vote, its prompt and its samples
    assert "other" in page and "otherby" not in page


def test_a_chat_template_that_fails_leaves_the_rest_to_be_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lake, folder = Lake(str(tmp_path / "lake")), tmp_path / "model"
    shutil.copytree(LEDGER, folder)
    (folder / "chat_template.jinja").write_text("{{ raise_exception('no users here') }}", encoding="utf-8")
    write_table(lake, QUERIES, pl.DataFrame([QUERY], schema=QUERIES.schema), "b/")
    sampled(lake, Model(name="ledger", path=str(folder), chat=True), "{{ question }}", "The north one")
    page = shown(lake, "q", capsys)
    assert "cannot be used" in " ".join(page.split()) and page.count("Which gate?") == 2 and "The north one" in page
