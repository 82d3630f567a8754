"""The run file: defaults, paths, environment, and what is said of mistakes."""

import re
from pathlib import Path

import pytest

from tasks.checking import wanted_studies
from tasks.config import RunFile, load_run
from tasks.errors import UserError

SHORT = """
name = "short"
[[benchmarks]]
name = "gsm8k"
[[models]]
name = "a"
path = "google/gemma-7b"
[[models]]
name = "b"
path = "./b"
"""


@pytest.fixture
def write(tmp_path: Path):
    (tmp_path / "b").mkdir()

    def write(text: str) -> Path:
        file = tmp_path / "run.toml"
        file.write_text(text)
        return file

    return write


def test_ten_lines_do_something_sensible(write, tmp_path: Path) -> None:
    run = load_run(write(SHORT))
    assert (run.sampling.k, run.sampling.temperature, run.lake) == (10, 0.7, str(tmp_path / "lake"))
    assert [router.name for router in run.routers] == ["auto", "kmeans-tfidf"]
    assert [model.path for model in run.models] == ["google/gemma-7b", str(tmp_path / "b")]


def test_paths_are_relative_to_the_run_file(write, tmp_path: Path) -> None:
    run = load_run(write(SHORT.replace('name = "gsm8k"', 'name = "mine"\nfiles = ["q.jsonl", "s3://bucket/q.parquet"]')))
    assert run.benchmarks[0].files == [str(tmp_path / "q.jsonl"), "s3://bucket/q.parquet"]


def test_settings_of_the_command_line_count_as_if_they_stood_in_the_file(write, tmp_path: Path) -> None:
    run = load_run(write(SHORT), settings=["sampling.k=20", "models.b.path=google/other", "name=other", 'sampling.stop_strings=["x"]'])
    assert (run.sampling.k, run.models[1].path, run.name, run.sampling.stop_strings) == (20, "google/other", "other", ["x"])


def test_texts_are_filled_from_the_environment(write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", "s3://bucket")
    assert load_run(write('lake = "${WHERE}/lake"\n' + SHORT)).lake == "s3://bucket/lake"


def test_outcomes_alone_make_a_run(tmp_path: Path) -> None:
    run = load_run(None, outcomes=["a.parquet"], lake=str(tmp_path / "lake"))
    assert run.outcomes[0].files == [str(Path.cwd() / "a.parquet")]
    assert run.routers


def test_a_run_file_survives_json(write) -> None:
    run = load_run(write(SHORT + '[[routers]]\nname = "r"\nkind = "kmeans-tfidf"\nclusters = 5\n'))
    again = RunFile.model_validate_json(run.model_dump_json())
    assert again == run
    assert again.routers[0].settings == {"clusters": 5}


@pytest.mark.parametrize(
    ("text", "settings", "said"),
    [
        (SHORT + "[sampling]\ntemprature = 1\n", [], "unknown key 'sampling.temprature'; did you mean 'temperature'"),
        (SHORT + "[smapling]\nk = 1\n", [], "unknown key 'smapling'; did you mean 'sampling'"),
        (SHORT.replace('path = "./b"', 'pth = "./b"'), [], "unknown key 'models.b.pth'; did you mean 'path'?"),
        (SHORT + "[sampling]\nk = 0\n", [], "key 'sampling.k': expected at least 1, not 0"),
        (SHORT + '[sampling]\nk = "ten"\n', [], "sampling.k"),
        (SHORT + '[sampling]\nengine = "magic"\n', [], "sampling.engine"),
        (SHORT.replace('"b"', '"a"'), [], "two entries of models are named 'a'"),
        (SHORT.replace('"./b"', '"./nowhere"'), [], "model 'b': there is no folder"),
        (SHORT.replace('"./b"', '"${NOT_SET_ANYWHERE}"'), [], "environment variable NOT_SET_ANYWHERE is not set"),
        ("name = 'x'\n", [], "nothing to do"),
        (SHORT.replace('name = "gsm8k"', 'name = "gsm8k"\nlimit = {train = -3}'), [], "limit.train"),
        (SHORT + "[sampling]\ntemperature = inf\n", [], "sampling.temperature"),
        (SHORT + "[studies]\ncalibraton = {bins = 1}\n", [], "unknown key 'studies.calibraton'"),
        (SHORT + "[studies]\npool = 3\n", [], "key 'studies.pool': expected true, false or a section with settings"),
        (SHORT, ["lake="], "key 'lake'"),
        (SHORT, ["lake=${NOT_SET_ANYWHERE}"], "environment variable NOT_SET_ANYWHERE is not set"),
        (SHORT + '[[routers]]\nname = "oracle"\n', [], "cannot be named 'oracle'"),
        ("[[benchmarks]]\nname = 'gsm8k'\n", [], "no [[models]]"),
        ("[[models]]\nname = 'a'\npath = 'x/y'\n", [], "no [[benchmarks]]"),
        ("name = \n", [], "not a TOML file"),
        (SHORT, ["sampling"], "expected key=value"),
        (SHORT, ["models.c.path=x"], "no entry 'c'; expected one of a, b"),
        (SHORT, ["name.first=x"], "'name' is a value"),
    ],
)
def test_a_mistake_is_named_with_its_place(write, text: str, settings: list[str], said: str) -> None:
    with pytest.raises(UserError) as error:
        load_run(write(text), settings=settings)
    assert said in str(error.value)
    assert "\n" not in str(error.value).replace(said, "") or "TOML" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["labels.rule=at-least"], "at_least"),
        (["labels.at_least=8"], "at_least"),
        (["labels.rule=at-least", "labels.at_least=11"], "sampling.k = 10"),
        (["labels.rule=success-rate", "sampling.stop=decided"], "sampling.stop"),
        (["labels.rule=at-least", "labels.at_least=8", "outcomes=[{files = ['o.csv']}]"], "[[outcomes]]"),
        (["labels.rule=at-lest"], "at-least"),
    ],
)
def test_labels_that_cannot_be_had_are_refused(write, settings: list[str], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)):
        load_run(write(SHORT), settings=settings)


def test_a_run_file_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"nowhere\.toml: no such run file"):
        load_run("nowhere.toml")


@pytest.mark.parametrize("key", ["revision", "quantization", "lora"])
def test_what_a_server_serves_is_not_said_again(tmp_path: Path, key: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(f'[[benchmarks]]\nname = "gsm8k"\n[[models]]\nname = "m"\npath = "m"\nurl = "http://localhost:8000/v1"\n{key} = "x"\n')
    with pytest.raises(UserError, match=f"model 'm': {key} and url"):
        load_run(file)


def test_a_key_in_the_name_of_the_lake_is_refused_and_not_repeated() -> None:
    with pytest.raises(UserError, match="expected s3://bucket/prefix") as error:
        load_run(None, outcomes=["outcomes.parquet"], lake="s3://AKIA:SECRET@bucket/x")
    assert "SECRET" not in str(error.value)


def test_the_name_that_a_server_gave_a_model_is_no_path(tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    file = tmp_path / "run.toml"
    file.write_text('[[benchmarks]]\nname = "gsm8k"\n[[models]]\nname = "m"\npath = "served"\nurl = "http://localhost:8000/v1"\n')
    assert load_run(file).models[0].path == "served"


@pytest.mark.parametrize(
    ("studies", "said"),
    [
        ("[studies.switching]\nseconds = {nobody = 3}\n", "studies.switching: seconds: unknown model 'nobody'"),
        ("[studies.labels]\nat_least = 20\n", "studies.labels: at_least is 20, but only 10 samples are drawn"),
    ],
)
def test_what_a_study_cannot_have_is_said_before_anything_is_sampled(write, studies: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        wanted_studies(load_run(write(SHORT + studies)))


def test_studies_are_named_as_in_the_report_and_can_be_turned_off(write) -> None:
    text = SHORT + "[studies]\npool = true\nhealth = false\n[studies.training-size]\ndraws = 3\n"
    assert load_run(write(text)).studies.wanted == {"training-size": {"draws": 3}, "pool": {}, "contamination": {}}
