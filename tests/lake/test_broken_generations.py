"""A file of samples that cannot be read stops nobody, and is never deleted."""

import random
from pathlib import Path

import polars as pl
import pytest

from flows.command_line import main
from tasks.lake.files import Lake, write_table
from tasks.lake.generations import generation_folder, read_generations, set_aside
from tasks.lake.tables import GENERATIONS, QUERIES

WORDS = random.Random(0)


def rows(*query_ids: str) -> pl.DataFrame:
    texts = [" ".join(str(WORDS.random()) for _ in range(200)) for _ in query_ids]
    known = {"query_id": list(query_ids), "model": "m", "recipe": "r1", "bucket": "00-of-01", "sample": 0, "text": texts}
    return pl.DataFrame(known | {name: None for name in GENERATIONS.columns if name not in known}, schema=GENERATIONS.schema)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake of two files of samples, one of them damaged in the middle, where the texts are; its footer is whole."""
    lake = Lake(str(tmp_path / "lake"))
    folder = f"{generation_folder('m', 'r1')}/bucket=00-of-01".removeprefix("generations/")
    for name, query_ids in (("damaged", ("00", "01")), ("whole", ("02", "03"))):
        write_table(lake, GENERATIONS, rows(*query_ids), f"{folder}/{name}.parquet")
    file = lake.files("generations")[0]
    content = bytearray(lake.read(file))
    middle = len(content) // 3
    content[middle : middle + 400] = bytes(400)
    lake.write(file, bytes(content))
    return lake


def test_what_is_damaged_in_the_middle_is_found_by_who_reads_the_texts(lake: Lake) -> None:
    damaged, whole = lake.files("generations")
    assert sorted(read_generations(lake, [damaged, whole], ["query_id"])["query_id"]) == ["00", "01", "02", "03"]
    assert sorted(read_generations(lake, [damaged, whole], mend=True)["query_id"]) == ["02", "03"]
    assert lake.files("generations") == [whole]
    assert lake.files(".set-aside") == [f".set-aside/{damaged}"]


def test_what_somebody_else_has_mended_by_now_is_left_alone(lake: Lake) -> None:
    damaged, whole = lake.files("generations")
    set_aside(lake, [damaged])
    set_aside(lake, [damaged, whole])
    assert lake.files("generations") == [whole]


def test_commands_that_only_read_name_it_and_change_nothing(
    lake: Lake, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    query = {name: "02" if name == "query_id" else "x" for name in QUERIES.columns} | {"choices": None}
    write_table(lake, QUERIES, pl.DataFrame([query], schema=QUERIES.schema), "x/")
    lake.write(lake.files("generations")[0], b"cut off")
    before = lake.changed("", "")
    assert main(["show", "--lake", lake.url, "02"]) == 0
    assert main(["status", "--lake", lake.url]) == 0
    assert "damaged.parquet cannot be read: its samples count as missing" in caplog.text
    assert "cannot be read" in capsys.readouterr().out
    assert lake.changed("", "") == before
