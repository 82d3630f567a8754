"""The engine on vLLM, in this process, on the embedded models: what it says, counts and measures; and when memory runs out."""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tasks.config import Model, Sampling
from tasks.errors import ModelUnusable
from tasks.sampling.engines import Completion, Failure, Request
from tasks.sampling.engines.vllm import VllmEngine

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("in_process")]
Prompts = Callable[[int], list[str]]
K = 4
TOKENS = 40


def requests_for(prompts: Sequence[str], k: int = K) -> list[Request]:
    return [Request(prompt, sample, prompt, 2**62 + 1000 * number + sample) for number, prompt in enumerate(prompts) for sample in range(k)]


def answers(engine: VllmEngine, requests: Sequence[Request]) -> dict[tuple[str, int], Completion]:
    """Everything that the engine says to these, handed to it as it has room."""
    waiting, found = list(requests), {}
    while len(found) < len(requests):
        room = engine.room()
        engine.add(waiting[:room])
        waiting = waiting[room:]
        for one in engine.step():
            assert isinstance(one, Completion), one
            found[one.query_id, one.sample] = one
    return found


def greedy_of_transformers(model: Model, prompts: Sequence[str]) -> dict[str, Completion]:
    from tasks.sampling.engines.decoding import Decoder

    decoder = Decoder(model, Sampling(temperature=0, max_new_tokens=TOKENS), "cpu")
    found = [one for batch in decoder.sample(requests_for(prompts, 1)) for one in batch]
    return {one.query_id: one for one in found if isinstance(one, Completion)}


def greedy_of_vllm(model: Model, prompts: Sequence[str]) -> dict[str, Completion]:
    engine = VllmEngine(model, Sampling(temperature=0, max_new_tokens=TOKENS))
    try:
        return {query_id: one for (query_id, _), one in answers(engine, requests_for(prompts, 1)).items()}
    finally:
        engine.close()


@pytest.fixture(scope="module")
def engine(in_process: None, ledger: Model) -> Iterator[VllmEngine]:
    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def drawn(engine: VllmEngine, prompts: Prompts) -> dict[tuple[str, int], Completion]:
    return answers(engine, requests_for(prompts(60)))


def test_a_seed_says_the_same_in_any_company_and_order(
    engine: VllmEngine, prompts: Prompts, drawn: dict[tuple[str, int], Completion]
) -> None:
    requests = requests_for(prompts(60))[::-1]
    again: dict[tuple[str, int], Completion] = {}
    for start, end in ((0, 1), (1, 3), (3, 60), (60, len(requests))):
        again |= answers(engine, requests[start:end])
    # Rounding depends on the batch, so a text that hangs on the last bits of a logit may differ.
    assert sum(again[key].text != one.text for key, one in drawn.items()) <= 0.01 * len(drawn)


def test_siblings_differ(prompts: Prompts, drawn: dict[tuple[str, int], Completion]) -> None:
    distinct = [len({drawn[prompt, sample].text for sample in range(K)}) for prompt in prompts(60)]
    assert sum(distinct) > 2 * len(distinct)


def test_each_sample_has_its_own_counts_and_times(ledger: Model, drawn: dict[tuple[str, int], Completion]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(ledger.path)
    assert {one.finish_reason for one in drawn.values()} == {"stop", "length"}
    for one in drawn.values():
        assert one.prompt_tokens == len(tokenizer(one.query_id)["input_ids"])
        said = len(tokenizer(one.text, add_special_tokens=False)["input_ids"])
        assert one.completion_tokens == TOKENS if one.finish_reason == "length" else said < one.completion_tokens <= TOKENS
        assert one.first_token_s is not None and 0 < one.first_token_s <= one.latency_s
    assert len({one.latency_s for one in drawn.values()}) > 10  # samples of a batch end in steps that they share


def test_siblings_read_their_prompt_once(engine: VllmEngine) -> None:
    prompt = "".join(f"What is {step} plus {step}?\n#### {2 * step}\n" for step in range(30, 45))
    cached: list[int] = []
    step = engine._engine.step

    def noting() -> list[Any]:
        outputs: list[Any] = step()
        cached.extend(output.num_cached_tokens for output in outputs)
        return outputs

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine._engine, "step", noting)
        found = answers(engine, requests_for([prompt], 10))
    length = found[prompt, 0].prompt_tokens
    assert length > 100
    assert sorted(cached)[0] == 0
    assert all(length - count <= 32 for count in sorted(cached)[1:])  # all but what is left beside whole blocks


def test_a_prompt_without_room_for_an_answer_is_too_long_and_the_others_go_on(engine: VllmEngine) -> None:
    long, last = "What is 2 plus 2?\n" * 200, "What is 3 plus 4?\n"
    found = answers(engine, requests_for([long, last], 1))
    assert found[long, 0].finish_reason == "prompt-too-long"
    assert (found[long, 0].text, found[long, 0].completion_tokens, found[long, 0].latency_s) == ("", 0, 0.0)
    assert found[long, 0].prompt_tokens > 512
    assert found[last, 0].finish_reason in ("stop", "length")


def test_a_sample_that_memory_has_no_room_for_fails_alone_with_a_hint(engine: VllmEngine) -> None:
    long, short = "What is 2 plus 2?\n" * 20, "What is 3 plus 4?\n"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "_fitting", 128)  # as on a device with less memory
        engine.add(requests_for([long, short], 1))
        found: list[Completion | Failure] = []
        while len(found) < 2:
            found += engine.step()
    of_query = {one.query_id: one for one in found}
    failure = of_query[long]
    assert isinstance(failure, Failure) and "memory holds 128 tokens of context" in str(failure.error)
    assert isinstance(of_query[short], Completion)


# An engine in this process takes vLLM's global state with it when it is closed: the shared one is not used below.


def test_running_out_of_memory_halves_the_batch_and_loses_nothing(
    ledger: Model, prompts: Prompts, drawn: dict[tuple[str, int], Completion]
) -> None:
    import torch

    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS))
    rows, execute, calls = engine._rows, engine._engine.model_executor.execute_model, []

    def fail_once(*arguments: Any, **keywords: Any) -> Any:
        calls.append(None)
        if len(calls) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return execute(*arguments, **keywords)

    engine._engine.model_executor.execute_model = fail_once
    try:
        found = answers(engine, requests_for(prompts(60)[:20]))
    finally:
        engine.close()
    assert engine._rows == rows // 2
    assert all(found[key].text == drawn[key].text for key in found)


def test_an_engine_that_is_closed_leaves_the_environment_to_others(ledger: Model) -> None:
    VllmEngine(ledger, Sampling(max_new_tokens=TOKENS)).close()
    assert not [name for name in ("VLLM_LOGGING_CONFIG_PATH", "MANYMINDS_VLLM_OWNER") if name in os.environ]


def test_what_it_took_to_load_is_measured_and_nothing_sleeps_on_a_cpu(ledger: Model) -> None:
    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS))
    engine.close()
    assert engine.load is not None
    assert (engine.load.engine, engine.load.device) == ("vllm", "cpu")
    assert 0.01 < engine.load.load_s < 300
    in_files = sum(file.stat().st_size for file in Path(ledger.path).glob("*.safetensors"))
    assert (
        engine.load.weights_gb is not None and 0.9 < engine.load.weights_gb * 1e9 / in_files < 2.1
    )  # float32 here, half of that in the file
    assert engine.load.sleep_s is None and engine.load.wake_s is None


def test_a_model_that_cannot_be_loaded_with_sleep_is_loaded_without(ledger: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments, asked = VllmEngine._arguments, []

    def as_on_a_gpu(engine: VllmEngine, rows: int | None) -> dict[str, Any]:
        asked.append(engine._may_sleep)
        return arguments(engine, rows) | {"enable_sleep_mode": engine._may_sleep}  # which vLLM refuses on a CPU

    monkeypatch.setattr(VllmEngine, "_arguments", as_on_a_gpu)
    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS))
    engine.close()
    assert asked == [True, False]
    assert engine.load is not None and engine.load.sleep_s is None


def test_any_other_failure_of_the_engine_is_raised(ledger: Model) -> None:
    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS))

    def fail(*_: Any, **__: Any) -> Any:
        raise ValueError("a bug")

    engine._engine.model_executor.execute_model = fail
    try:
        with pytest.raises(RuntimeError, match="model 'ledger': vLLM failed: ValueError: a bug"):
            answers(engine, requests_for(["What is 2 plus 2?\n"]))
    finally:
        engine.close()


def test_a_stop_string_ends_the_text_and_is_not_in_it(ledger: Model, prompts: Prompts, drawn: dict[tuple[str, int], Completion]) -> None:
    engine = VllmEngine(ledger, Sampling(max_new_tokens=TOKENS, stop_strings=["####"]))
    try:
        found = answers(engine, requests_for(prompts(60)))
    finally:
        engine.close()
    stopped = [key for key, one in drawn.items() if "####" in one.text]
    assert len(stopped) > 20
    agree = [found[key].text == drawn[key].text.partition("####")[0] for key in stopped]
    assert sum(agree) >= 0.99 * len(agree)
    assert all(found[key].finish_reason == "stop" and found[key].completion_tokens < drawn[key].completion_tokens for key in stopped)


@pytest.mark.parametrize("chat", [False, True])
def test_greedy_texts_agree_with_transformers(ledger: Model, prompts: Prompts, tmp_path: Path, chat: bool) -> None:
    folder = Path(shutil.copytree(ledger.path, tmp_path / "model"))
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["chat_template"] = "{{ bos_token }}{% for message in messages %}Well. {{ message.content }}{% endfor %}"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    model = ledger.model_copy(update={"path": str(folder), "chat": chat})
    ours, theirs = greedy_of_vllm(model, prompts(60)), greedy_of_transformers(model, prompts(60))
    assert [ours[prompt].prompt_tokens for prompt in prompts(60)] == [theirs[prompt].prompt_tokens for prompt in prompts(60)]
    assert sum(ours[prompt].text == theirs[prompt].text for prompt in prompts(60)) >= 57
    assert sum(ours[prompt].completion_tokens == theirs[prompt].completion_tokens for prompt in prompts(60)) >= 57


def test_an_adapter_says_what_the_merged_weights_say(ledger: Model, prompts: Prompts, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file

    torch.manual_seed(0)
    weights = load_file(Path(ledger.path) / "model.safetensors")
    adapter: dict[str, torch.Tensor] = {}
    for layer in range(3):
        for name in ("q_proj", "v_proj"):
            at = f"model.layers.{layer}.self_attn.{name}"
            into, out = torch.randn(4, 96) * 0.3, torch.randn(96, 4) * 0.03
            adapter |= {f"base_model.model.{at}.lora_A.weight": into, f"base_model.model.{at}.lora_B.weight": out}
            weights[f"{at}.weight"] = weights[f"{at}.weight"].float() + 2 * out @ into  # alpha / r is 2
    merged = Path(shutil.copytree(ledger.path, tmp_path / "merged"))
    save_file({name: one.float().contiguous() for name, one in weights.items()}, merged / "model.safetensors", {"format": "pt"})
    (tmp_path / "adapter").mkdir()
    save_file(adapter, tmp_path / "adapter" / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "v_proj"], "bias": "none"}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings | {"task_type": "CAUSAL_LM"}))
    ours = greedy_of_vllm(ledger.model_copy(update={"lora": str(tmp_path / "adapter")}), prompts(40))
    theirs = greedy_of_transformers(ledger.model_copy(update={"path": str(merged)}), prompts(40))
    bare = greedy_of_transformers(ledger, prompts(40))
    assert sum(ours[prompt].text == theirs[prompt].text for prompt in prompts(40)) >= 38
    assert sum(ours[prompt].text == bare[prompt].text for prompt in prompts(40)) <= 30


@pytest.mark.parametrize(
    ("model", "sampling", "said"),
    [
        ({"path": "."}, {}, "model 'ledger': . cannot be loaded by vLLM: "),
        ({"lora": "."}, {}, "lora = '.' cannot be loaded"),
        ({"quantization": "fp9"}, {}, "fp9"),
        ({}, {"temperature": 3}, "vLLM cannot sample like this: temperature must be in"),
    ],
)
def test_what_cannot_be_loaded_or_sampled_is_the_users_error(
    ledger: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: dict[str, Any], sampling: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelUnusable) as error:
        VllmEngine(ledger.model_copy(update=model), Sampling(**sampling))
    assert said in str(error.value)
