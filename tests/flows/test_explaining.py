"""What `manyminds explain` prints beside the confidence."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from flows import explaining
from tasks.lake.files import Lake
from tasks.routers.costs import Costs


@pytest.mark.parametrize(("base", "told"), [([0.0000345, 0.0], "0.0000345"), ([0.002, np.nan], "0.002"), ([np.nan, np.nan], None)])
def test_expected_costs_are_printed_where_they_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: list[float], told: str | None
) -> None:
    def choose(queries: pl.DataFrame) -> tuple[list[str], Any]:
        return ["fox"] * queries.height, np.array([[0.9, 0.4]])

    guide = SimpleNamespace(
        lake=Lake(str(tmp_path)),
        router_name="r",
        policy_name="argmax",
        models=["fox", "owl"],
        costs=Costs(np.array(base), np.zeros(2)),
        choose=choose,
    )
    monkeypatch.setattr(explaining, "Guide", lambda *_: guide)
    explaining.print_explanation(str(tmp_path), "What is 1 + 1?", None, None)
    shown = capsys.readouterr().out
    assert ("expected cost" in shown) == (told is not None)
    assert told is None or told in shown
    assert "nan" not in shown and "chosen" in shown
