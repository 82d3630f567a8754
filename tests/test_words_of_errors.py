"""What a user is told of a mistake: what happened, where, and what to do; in one message, with the right exit code.

Each line of a table is a mistake that is really made, the exit code, and what the message has to say. An exit code of 2 asks for
something to be changed, one of 1 to be run again.
"""

import re
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from mistakes import OUTCOMES, SECRET, WORLD, Place, told

from flows.command_line import main

Mistake = tuple[Callable[[Place], list[str]], tuple[str, ...]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("HF_TOKEN", "OPENAI_API_KEY", "MANYMINDS_TEST_SECRET"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path)


# ── the command and the run file ─────────────────────────────────────────────────────────────────────────────────────

RUN_FILE: dict[str, Mistake] = {
    "no command": (lambda _: [], ("missing: a command", "`manyminds --help`")),
    "a command that there is not": (lambda _: ["rnu", "run.toml"], ("unknown command 'rnu'", "did you mean 'run'")),
    "an option that there is not": (lambda at: ["plan", at.run_file(), "--lkae", "x"], ("plan: unknown option --lkae", "'--lake'")),
    "an option that lacks": (lambda _: ["status"], ("status: missing: --lake", "`manyminds status --help`")),
    "a number that is none": (lambda _: ["onboard", "--lake", "x", "--count", "ten"], ("--count", "'ten'")),
    "--set without a value": (lambda at: ["plan", at.run_file(), "--set", "sampling.k"], ("--set sampling.k", "sampling.k=20")),
    "--set of an entry that there is not": (
        lambda at: ["plan", at.run_file(), "--set", "models.lodger.path=x"],
        ("no entry 'lodger'", "did you mean 'ledger'"),
    ),
    "no such run file": (
        lambda at: ["run", at.run_file().replace("run.toml", "rnu.toml")],
        (r"rnu\.toml: no such run file", r"did you mean '.*run\.toml'"),
    ),
    "a folder for a run file": (lambda at: ["run", str(at.folder)], ("cannot be read: Is a directory", "expected a run file")),
    "no TOML": (lambda at: ["run", at.run_file("[sampling\nk = 1\n")], (r"run\.toml: not a TOML file", r"line \d+")),
    "no text": (lambda at: ["run", at.file("run.toml", b"\xff\xfe\x00")], (r"run\.toml: not a TOML file", "UTF-8")),
    "nothing to do": (lambda at: ["run", at.file("run.toml", 'name = "x"\n')], (r"run\.toml: nothing to do", r"expected \[\[benchmarks")),
    "no models": (
        lambda at: ["run", at.file("run.toml", '[[benchmarks]]\nname = "gsm8k"\n')],
        (r"run\.toml: .*no \[\[models\]\] to sample",),
    ),
    "an unknown section": (lambda at: ["run", at.run_file("[smapling]\nk = 3\n")], (r"run\.toml: unknown key 'smapling'", "'sampling'")),
    "an unknown key": (
        lambda at: ["run", at.run_file(change=("max_new_tokens", "max_new_tokns"))],
        (r"run\.toml: unknown key 'sampling\.max_new_tokns'", "did you mean 'max_new_tokens'"),
    ),
    "an unknown key of a model": (
        lambda at: ["run", at.run_file(models='[[models]]\nname = "gemma"\npaht = "google/gemma-7b"\n')],
        (r"unknown key 'models\.gemma\.paht'", "did you mean 'path'"),
    ),
    "an unknown split": (
        lambda at: ["run", at.run_file(change=("train =", "trian ="))],
        (r"unknown key 'benchmarks\.embedded\.limit\.trian'", "did you mean 'train'"),
    ),
    "an unknown study": (lambda at: ["run", at.run_file("[studies]\npol = true\n")], (r"unknown key 'studies\.pol'", "'pool'")),
    "an unknown key of a study": (
        lambda at: ["run", at.run_file('[studies.pool]\nruoters = ["knn"]\n')],
        (r"studies\.pool: unknown key 'ruoters'", "did you mean 'routers'"),
    ),
    "a model without a path": (
        lambda at: ["run", at.run_file(models='[[models]]\nname = "gemma"\n')],
        (r"'models\.gemma\.path' is missing",),
    ),
    "single brackets": (
        lambda at: ["run", at.run_file(models='[models]\nname = "gemma"\npath = "x"\nkey = "${MANYMINDS_TEST_SECRET}"\n')],
        ("key 'models'", r"\[\[models\]\] in double brackets"),
    ),
    "a text for a number": (
        lambda at: ["run", at.run_file(change=("k = 2", 'k = "ten"'))],
        (r"key 'sampling\.k': expected a whole number, not 'ten'",),
    ),
    "a secret for a number": (
        lambda at: ["run", at.run_file(change=("k = 2", 'k = "${MANYMINDS_TEST_SECRET}"'))],
        (r"key 'sampling\.k': expected a whole number, not '\$\{MANYMINDS_TEST_SECRET\}'",),
    ),
    "no samples": (lambda at: ["run", at.run_file(change=("k = 2", "k = 0"))], (r"key 'sampling\.k': expected at least 1, not 0",)),
    "a negative temperature": (
        lambda at: ["run", at.run_file(change=("k = 2", "temperature = -0.5"))],
        (r"key 'sampling\.temperature': expected at least 0, not -0\.5",),
    ),
    "an unknown engine": (
        lambda at: ["run", at.run_file(change=("k = 2", 'engine = "vlm"'))],
        (r"key 'sampling\.engine': expected 'auto', 'vllm'.*, not 'vlm'", "did you mean 'vllm'"),
    ),
    "an unknown benchmark": (
        lambda at: ["run", at.run_file(change=('"embedded"', '"gsm8"'))],
        ("unknown benchmark 'gsm8'", "did you mean 'gsm8k'", r"files = \[\.\.\.\]"),
    ),
    "an unknown router": (
        lambda at: ["run", at.run_file(change=('"kmeans-tfidf"', '"kmeans-tfdif"'))],
        ("router 'kmeans-tfdif': unknown kind", "did you mean 'kmeans-tfidf'"),
    ),
    "an unknown key of a router": (
        lambda at: ["run", at.run_file(change=("clusters", "clustrs"))],
        ("router 'kmeans-tfidf': unknown key 'clustrs'", "did you mean 'clusters'"),
    ),
    "an unknown policy": (lambda at: ["run", at.run_file(change=('"argmax"', '"argmx"'))], ("unknown policy 'argmx'", "'argmax'")),
    "no policy": (
        lambda at: ["run", at.run_file(change=('["argmax"]', "[]"))],
        (r"key 'evaluation\.policies': expected at least 1 of them",),
    ),
    "a policy twice": (
        lambda at: ["run", at.run_file(change=('["argmax"]', '["argmax", "argmax"]'))],
        (r"evaluation\.policies: 'argmax' stands there twice",),
    ),
    "an unknown prompt": (
        lambda at: ["plan", at.run_file(change=('"embedded"\n', '"embedded"\nprompt = "gsm8"\n'))],
        ("benchmark 'embedded': prompt 'gsm8'", "did you mean 'gsm8k'"),
    ),
    "two models of one name": (
        lambda at: ["run", at.run_file(change=('"scribe"', '"ledger"'))],
        ("two entries of models are named 'ledger'", "a name of its own"),
    ),
    "a benchmark twice": (
        lambda at: ["run", at.run_file('[[benchmarks]]\nname = "embedded"\n')],
        ("two entries of benchmarks are named 'embedded'",),
    ),
    "a pool of one": (
        lambda at: ["run", at.run_file(models=f'[[models]]\nname = "ledger"\npath = "{WORLD}/models/ledger"\n')],
        ("the pool has one model, 'ledger'", "at least two", r"add another \[\[models\]\]"),
    ),
    "a variable that is not set": (
        lambda at: ["run", at.run_file(top='lake = "${MANYMINDS_TEST_NOWHERE}/lake"')],
        (r"run\.toml: environment variable MANYMINDS_TEST_NOWHERE is not set",),
    ),
    "a server's address without http": (
        lambda at: ["run", at.run_file(models='[[models]]\nname = "m"\npath = "m"\nurl = "localhost:8000"\n')],
        ("model 'm': url", "http://localhost:8000/v1"),
    ),
    "a model's folder that there is not": (
        lambda at: ["run", at.run_file(change=("models/ledger", "models/ledgr"))],
        ("model 'ledger': there is no folder .*/ledgr", "did you mean '.*/models/ledger'", "on the hub"),
    ),
    "a model's folder without a model": (
        lambda at: ["run", at.run_file(change=(f"{WORLD}/models/ledger", str(at.folder)))],
        ("model 'ledger': .* has no config.json", "folder of a Hugging Face checkpoint"),
    ),
    "a lake that is a file": (
        lambda at: ["run", at.run_file(), "--lake", at.file("x.csv", "a")],
        (r"lake .*x\.csv: is a file", "a folder"),
    ),
    "a lake without a name": (lambda at: ["run", at.run_file(), "--lake", ""], ("key 'lake': expected a text that is not empty",)),
    "a lake on what is not installed": (
        lambda at: ["status", "--lake", "gs://bucket/lake"],
        ("lake gs://bucket/lake: .*gcsfs", "s3://bucket/prefix"),
    ),
    "a bucket without a name": (lambda at: ["plan", at.run_file(), "--lake", "s3://"], ("no bucket's name", "s3://bucket/prefix")),
}


@pytest.mark.parametrize("mistake", RUN_FILE)
def test_of_the_command_and_the_run_file(mistake: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    provoke, said = RUN_FILE[mistake]
    message = told(provoke(place), capsys)
    assert all(re.search(part, message) for part in said), message
    assert "\n" not in message
    assert not (place.folder / "lake").exists()


# ── files of the user ────────────────────────────────────────────────────────────────────────────────────────────────

HEADER = "benchmark,question,model,score\n"
FILES: dict[str, Mistake] = {
    "no such file": (
        lambda at: [*at.outcomes(HEADER, "votes.csv")[:2], str(at.folder / "vote.csv"), "--lake", at.lake],
        (r"vote\.csv: no such file", r"did you mean '.*votes\.csv'"),
    ),
    "a folder": (
        lambda at: ["run", "--outcomes", str(at.folder), "--lake", at.lake],
        (r": is a folder", r"a pattern such as .*/\*\.parquet"),
    ),
    "a pattern that matches nothing": (
        lambda at: ["run", at.file("run.toml", '[[outcomes]]\nfiles = ["o*.csv"]\n')],
        (r"key 'outcomes\.0\.files': no file matches .*o\*\.csv",),
    ),
    "an unknown format": (
        lambda at: at.outcomes("x", "o.xlsx"),
        (r"o\.xlsx: unknown type of file", r"expected \.parquet, \.jsonl or \.csv"),
    ),
    "a pickle": (lambda at: at.outcomes(b"x", "o.pkl"), (r"o\.pkl: reading a pickle can run any program", "convert it")),
    "an empty file": (lambda at: at.outcomes(""), (r"outcomes\.csv: has no rows",)),
    "a column that lacks": (
        lambda at: at.outcomes("benchmark,question,modle,score\nb,q,a,1\n"),
        ("column 'model' is missing", "did you mean 'modle'", "columns = {model ="),
    ),
    "a score out of range": (lambda at: at.outcomes(HEADER + "b,q,a,1\nb,q,b,75\n"), ("row 2: column 'score' is '75'", "from 0 to 1")),
    "two scores of one answer": (
        lambda at: at.outcomes(HEADER + "b,q,a,1\nb,q,a,0\nb,q,b,0\n"),
        (r"row 2: column 'score' is 0, but row 1", "one row for each query and model"),
    ),
    "one model": (lambda at: at.outcomes(HEADER + "b,q,a,1\n"), ("column 'model' is 'a' in every row", "at least two models")),
    "nothing but test questions": (
        lambda at: at.outcomes("\n".join(line for line in OUTCOMES.splitlines() if ",train," not in line and ",validation," not in line)),
        (r"outcomes\.csv: no query of split 'train'", "expected some of train, validation and test"),
    ),
    "too few questions for a split": (
        lambda at: at.outcomes(HEADER + "b,q,a,1\nb,q,b,0\n"),
        (r"outcomes\.csv: no query of split 'train'", "too few"),
    ),
    "a row that is too long": (
        lambda at: at.outcomes(HEADER + "b,q,a,1\nb,q,b,1,3\n"),
        (r"row 2 \(line 3\): has 5 values, the header 4",),
    ),
    "semicolons": (lambda at: at.outcomes("question;model;score\nq;a;1\n"), ("its only column is 'question;model;score'", "by commas")),
    "not UTF-8": (lambda at: at.outcomes((HEADER + "b,q,a,1\nb,é,b,1\n").encode("latin-1")), ("line 3: is not in UTF-8",)),
    "UTF-16": (lambda at: at.outcomes(HEADER.encode("utf-16")), (r"is in UTF-16; expected UTF-8",)),
    "broken JSONL": (
        lambda at: at.outcomes('{"question": "q", "model": "a", "score": 1}\n{"question": "q",\n', "o.jsonl"),
        (r"o\.jsonl: row 2: is not JSONL: .*\(column 18\)",),
    ),
    "JSON for JSONL": (lambda at: at.outcomes('[{"question": "q"}]', "o.jsonl"), ("row 1: is not JSONL", "one JSON object in each line")),
    "no Parquet": (lambda at: at.outcomes("PAR1 and no more", "o.parquet"), (r"o\.parquet: is not Parquet, or is cut off",)),
    "questions without answers": (
        lambda at: [
            "plan",
            at.run_file(f'[[benchmarks]]\nname = "mine"\nfiles = ["{at.file("q.csv", "question,answr" + chr(10) + "q,1")}"]\n'),
        ],
        (r"q\.csv: column 'gold' is missing", r"columns = \{gold ="),
    ),
}


@pytest.mark.parametrize("mistake", FILES)
def test_of_files_of_the_user(mistake: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    provoke, said = FILES[mistake]
    message = told(provoke(place), capsys)
    assert all(re.search(part, message) for part in said), message
    assert "\n" not in message
    assert not (place.folder / "lake").exists()


@pytest.mark.parametrize("name", ["outcomes.jsonl", "outcomes.csv"])
def test_a_mark_of_utf_8_is_no_mistake(name: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    rows = pl.DataFrame({"question": [f"q{n}" for n in range(30)] * 2, "model": ["a"] * 30 + ["b"] * 30, "score": [1, 0] * 30})
    content = rows.write_csv() if name.endswith("csv") else rows.write_ndjson()
    assert main(place.outcomes(b"\xef\xbb\xbf" + content.encode(), name)) == 0
    assert "Outcomes of 2 models on 30 queries" in capsys.readouterr().out
    assert main(["plan", place.file("run.toml", b"\xef\xbb\xbf" + Path(place.run_file()).read_bytes())]) == 0


# ── lakes ────────────────────────────────────────────────────────────────────────────────────────────────────────────

LAKES: dict[str, Mistake] = {
    **{
        f"{command} without a lake": (
            lambda _, command=command, more=more: [command, "--lake", "nowhere", *more],
            ("lake nowhere: ", "manyminds run"),
        )
        for command, more in {"status": [], "show": ["x"], "route": ["x"], "explain": ["x"], "study": [], "onboard": []}.items()
    },
    "a report of an unfinished lake": (
        lambda at: ["report", at.run_file(), "--lake", at.lake],
        ("96 samples are still to be drawn", "manyminds run"),
    ),
    "a table with a column of another version": (
        lambda at: ["route", "--lake", at.old_table(brand_new=pl.lit(1)), "x"],
        (r"metrics/old\.parquet: cannot be read as table 'metrics' \(.*brand_new", "another version", "run again"),
    ),
    "a table with another type": (
        lambda at: ["route", "--lake", at.old_table(value=pl.lit("x")), "x"],
        (r"metrics/old\.parquet: cannot be read as table 'metrics' \(.*value", "another version", "delete it and run again"),
    ),
    "a table that is cut off": (
        lambda at: [
            "route",
            "--lake",
            Path(Path(at.old_table()) / at.file("old/metrics/old.parquet", b"PAR1 no")).parents[1].as_posix(),
            "x",
        ],
        (r"metrics/old\.parquet: cannot be read as table 'metrics'", "damaged", "delete it and run again"),
    ),
    "a router of another version": (
        lambda at: at.router('{"kind": "brand-new", "files": [], "models": ["a", "b"]}', {"argmax": {}}),
        ("router cannot be loaded", "brand-new", "another version saved it", "delete the folders routers, policies and costs"),
    ),
    "a router that is cut off": (
        lambda at: at.router("{", {"argmax": {}}),
        ("router cannot be loaded", "damaged", "delete the folders routers, policies and costs"),
    ),
    "a policy that the router does not have": (
        lambda at: at.router("{}", {"argmaxx": {}}),
        ("router 'knn' has no policy 'argmax'", "did you mean 'argmaxx'"),
    ),
    "a router that there is not": (
        lambda at: [word if word != "knn" else "kn" for word in at.router("{}", {"argmax": {}})],
        ("no router 'kn'", "did you mean 'knn'"),
    ),
    "a question or a file": (lambda _: ["route", "--lake", "nowhere"], ("expected a question or --file",)),
}


@pytest.mark.parametrize("mistake", LAKES)
def test_of_lakes(mistake: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    provoke, said = LAKES[mistake]
    message = told(provoke(place), capsys)
    assert all(re.search(part, message) for part in said), message
    assert "\n" not in message
    assert not (place.folder / "lake").exists()
    assert not (place.folder / "nowhere").exists()
