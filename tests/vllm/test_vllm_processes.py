"""vLLM in processes of its own, as it is run for good: killed, it is started again; and it does not outlive the one who started it."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.sampling.engines import Request, open_sampler

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
OWNER = """
import os, time
from tasks.config import Model, Sampling
from tasks.sampling.engines import Request, open_sampler

if __name__ == "__main__":
    with open_sampler(Model(name="ledger", path={path!r}), Sampling(engine="vllm", max_new_tokens=20)) as sampler:
        print(len(list(sampler.sample([Request("sum", 0, "What is 2 plus 2?\\n", 0)]))), flush=True)
        time.sleep(600)
"""


def engines_of(process: psutil.Process) -> list[psutil.Process]:
    """The processes below this one in which vLLM runs, the engine and its workers."""
    children = [one for one in process.children(recursive=True) if one.status() != psutil.STATUS_ZOMBIE]
    return [one for one in children if "VLLM::" in " ".join(one.cmdline())]


def test_an_engine_that_is_killed_fails_what_was_under_way_and_is_started_again(ledger: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    requests = [Request(f"sum {number}", 0, f"What is {number % 50} plus 2?\n", number) for number in range(3000)]
    with open_sampler(ledger, Sampling(engine="vllm", max_new_tokens=40)) as sampler:
        drawn = sampler.sample(requests)
        first = next(drawn)
        killed = engines_of(psutil.Process())
        assert killed
        for process in killed:
            process.kill()
        with pytest.raises(RuntimeError, match="model 'ledger': vLLM failed"):
            list(drawn)
        (again,) = sampler.sample([one for one in requests if one.query_id == first.query_id])
        assert again.text == first.text
    psutil.wait_procs(killed, timeout=60)
    assert not engines_of(psutil.Process())


def test_no_process_of_the_engine_outlives_its_owner(ledger: Model, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(OWNER.format(path=ledger.path))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "VLLM_ENABLE_V1_MULTIPROCESSING": "1"}
    owner = subprocess.Popen([sys.executable, str(script)], env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert owner.stdout is not None and owner.stdout.readline().strip() == "1"
        engines = engines_of(psutil.Process(owner.pid))
        assert len(engines) >= 1
    finally:
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    end = time.monotonic() + 60
    while any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in engines) and time.monotonic() < end:
        time.sleep(0.1)
    assert not [one for one in engines if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_what_an_engine_dies_of_is_told_once_and_without_its_traceback(
    ledger: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "1")
    folder = Path(shutil.copytree(ledger.path, tmp_path / "model"))
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])  # which is found out in the engine's own process
    model = ledger.model_copy(update={"path": str(folder)})
    with (
        pytest.raises(ModelUnusable, match=r"cannot be loaded by vLLM: .*[Ss]afetensor"),
        open_sampler(model, Sampling(engine="vllm")) as sampler,
    ):
        list(sampler.sample([Request("sum", 0, "What is 2 plus 2?\n", 0)]))
    assert "Traceback" not in capfd.readouterr().err
