"""What it took to load a model: measured by the engine, told by the sampler, kept in the lake; and how vLLM's memory is counted."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.lake.files import Lake, read_table
from tasks.lake.tables import LOADS
from tasks.sampling.engines import Load, Request, open_sampler, vllm_memory
from tasks.sampling.loads import keep_loads


@pytest.mark.slow
def test_a_model_that_was_sampled_has_a_row_for_each_time_that_it_was_loaded(tiny_model: Model, lake: Lake) -> None:
    for _ in range(2):
        with open_sampler(tiny_model, Sampling(engine="transformers", max_new_tokens=1)) as sampler:
            assert len(list(sampler.sample([Request("q", 0, "the cat", 1)]))) == 1
        keep_loads(lake, "org/babbler", sampler.loads)
    rows = read_table(lake, LOADS)
    assert rows.select("model", "engine", "device").rows() == [("org/babbler", "transformers", "cpu")] * 2
    assert rows["load_s"].is_between(0.001, 60).all() and rows["sleep_s"].is_null().all()
    parameters = 22 * 32 * 2 + 2 * (32 * (32 + 16 + 16 + 32) + 3 * 32 * 64 + 2 * 32) + 32
    assert rows["weights_gb"].to_list() == pytest.approx([4 * parameters / 1e9] * 2, rel=0.01)
    assert all(path.startswith("loads/org%2Fbabbler/") for path in lake.files("loads"))


def test_who_samples_nothing_loads_nothing_and_keeps_nothing(tiny_model: Model, lake: Lake) -> None:
    with open_sampler(tiny_model, Sampling(engine="transformers")) as sampler:
        pass
    keep_loads(lake, "babbler", sampler.loads)
    assert lake.files("loads") == []


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_has_no_row(tmp_path: Path) -> None:
    with open_sampler(Model(name="none", path=str(tmp_path)), Sampling(engine="transformers")) as sampler, pytest.raises(ModelUnusable):
        list(sampler.sample([Request("q", 0, "the cat", 1)]))
    assert sampler.loads == []


def test_a_lake_that_cannot_be_written_fails_no_sampling(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "loads").write_text("no folder")
    keep_loads(Lake(str(tmp_path)), "fox", [Load("vllm", "H100", 30.0)])
    assert "is not kept" in caplog.text


def test_weights_are_counted_in_the_files_that_hold_them(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(10, 10), "b": torch.zeros(5, dtype=torch.float16)}, tmp_path / "one.safetensors")
    save_file({"c": torch.zeros(100)}, tmp_path / "two.safetensors")
    model, half = Model(name="fox", path=str(tmp_path)), SimpleNamespace(quantization=None, dtype=torch.bfloat16)
    assert vllm_memory.weights_gb(model, half) == pytest.approx(2 * 205 / 1e9)
    quantised = SimpleNamespace(quantization="awq", dtype=torch.float16)
    assert vllm_memory.weights_gb(model, quantised) == pytest.approx((4 * 200 + 2 * 5) / 1e9)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "one.safetensors"}}))
    assert vllm_memory.weights_gb(model, half) == pytest.approx(2 * 105 / 1e9)
    (tmp_path / "one.safetensors").write_bytes(b"cut off")
    assert vllm_memory.weights_gb(model, half) is None


class Sleeper:
    """What vLLM's engine has for sleep."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.did = error, []  # type: tuple[Exception | None, list[str]]

    def sleep(self, level: int) -> None:
        self.did.append(f"sleep {level}")

    def wake_up(self) -> None:
        self.did.append("wake")
        if self.error is not None:
            raise self.error


def test_sleep_is_timed_and_its_failure_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vllm_memory, "_free_gb", lambda: 100.0)
    well, ill = Sleeper(), Sleeper(RuntimeError("CUDA error"))
    sleep_s, wake_s = vllm_memory.doze(well, 14.5)
    assert sleep_s is not None and wake_s is not None and well.did == ["sleep 1", "wake"]
    assert vllm_memory.doze(ill, 14.5) == (None, None)
    large = Sleeper()
    assert vllm_memory.doze(large, 60.0) == vllm_memory.doze(large, None) == (None, None)
    assert large.did == []
