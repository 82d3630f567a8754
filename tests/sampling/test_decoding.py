"""The decode loop: each ending of a text, agreement with `generate`, and independence of the company that a sample is in."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from tasks.config import Model, Sampling
from tasks.errors import UserError
from tasks.sampling.engines import Completion, Failure, Request, decoding
from tasks.sampling.engines.decoding import Decoder
from tasks.sampling.engines.tokens import encode

PROMPTS = ["red", "the sun is", "one two three cat dog sun moon is not the a of", "blue ?", "a cat is not a dog .", "green green"]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterable[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def requests_for(prompts: Sequence[str], k: int) -> list[Request]:
    return [Request(prompt, sample, prompt, seed=1000 * number + sample) for number, prompt in enumerate(prompts) for sample in range(k)]


def completions(decoder: Decoder, requests: Sequence[Request]) -> dict[tuple[str, int], Completion]:
    found = [completion for batch in decoder.sample(requests) for completion in batch if isinstance(completion, Completion)]
    assert sorted((one.query_id, one.sample) for one in found) == sorted((one.query_id, one.sample) for one in requests)
    return {(one.query_id, one.sample): one for one in found}


def texts(decoder: Decoder, requests: Sequence[Request]) -> dict[tuple[str, int], str]:
    return {key: one.text for key, one in completions(decoder, requests).items()}


def test_greedy_agrees_with_generate(tiny_model: Model) -> None:
    decoder = Decoder(tiny_model, Sampling(temperature=0, max_new_tokens=30), "cpu")
    found = completions(decoder, requests_for(PROMPTS, 2))
    for prompt in PROMPTS:
        ids = decoder.tokenizer(prompt, return_tensors="pt")
        expected = decoder.model.generate(**ids, do_sample=False, max_new_tokens=30)[0, ids["input_ids"].shape[1] :]
        for sample in range(2):
            assert found[prompt, sample].text == decoder.tokenizer.decode(expected, skip_special_tokens=True)
            assert found[prompt, sample].completion_tokens == len(expected)
            assert found[prompt, sample].prompt_tokens == ids["input_ids"].shape[1]


def test_greedy_with_a_repetition_penalty_agrees_with_generate(tiny_model: Model) -> None:
    decoder = Decoder(tiny_model, Sampling(temperature=0, repetition_penalty=1.3, max_new_tokens=20), "cpu")
    found = texts(decoder, requests_for(PROMPTS, 1))
    for prompt in PROMPTS:
        ids = decoder.tokenizer(prompt, return_tensors="pt")
        expected = decoder.model.generate(**ids, do_sample=False, repetition_penalty=1.3, max_new_tokens=20)[0, ids["input_ids"].shape[1] :]
        assert found[prompt, 0] == decoder.tokenizer.decode(expected, skip_special_tokens=True)


ARCHITECTURES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},  # learnt positions
    "mistral": {"num_key_value_heads": 1, "sliding_window": 8, "max_position_embeddings": 64},
    "gemma2": {"num_key_value_heads": 1, "head_dim": 16, "sliding_window": 8, "max_position_embeddings": 64},  # every other layer slides
    "bloom": {"n_layer": 2, "n_head": 2},  # no positions
    "mamba": {},
}


def untrained(kind: str, like: Model, folder: Path) -> Model:
    """A model of another architecture with random weights and the tokenizer of `like`."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    common = {"vocab_size": 22, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0, "initializer_range": 0.3}
    own = ARCHITECTURES[kind]
    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **common, **(size if "n_embd" not in own else {}), **own)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(like.path).save_pretrained(folder)
    return Model(name=kind, path=str(folder))


@pytest.mark.parametrize("kind", ["gpt2", "mistral", "gemma2", "bloom"])
def test_other_architectures_agree_with_generate_too(tiny_model: Model, tmp_path: Path, kind: str) -> None:
    decoder = Decoder(untrained(kind, tiny_model, tmp_path), Sampling(temperature=0, max_new_tokens=15), "cpu")
    found = texts(decoder, requests_for(PROMPTS, 2))
    for prompt in PROMPTS:
        ids = decoder.tokenizer(prompt, return_tensors="pt")
        expected = decoder.model.generate(**ids, do_sample=False, max_new_tokens=15)[0, ids["input_ids"].shape[1] :]
        assert found[prompt, 1] == decoder.tokenizer.decode(expected, skip_special_tokens=True)


def test_a_recurrent_model_is_the_users_error(tiny_model: Model, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="model 'mamba': the engine 'transformers' samples models with attention only"):
        Decoder(untrained("mamba", tiny_model, tmp_path), Sampling(), "cpu")


@pytest.mark.parametrize("settings", [{}, {"top_k": 5}, {"top_p": 0.9}, {"repetition_penalty": 1.2}, {"temperature": 0.2}])
def test_a_text_does_not_depend_on_the_batch(tiny_model: Model, settings: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = Decoder(tiny_model, Sampling(max_new_tokens=40, **settings), "cpu")  # type: ignore[arg-type]
    requests = requests_for(PROMPTS, 12)
    whole = texts(decoder, requests)
    pieces: dict[tuple[str, int], str] = {}
    for start in range(0, len(requests), 7):
        pieces |= texts(decoder, requests[::-1][start : start + 7])
    assert pieces == whole
    monkeypatch.setattr(decoding, "_ROWS", 3)
    assert texts(decoder, requests) == whole
    assert len(set(whole.values())) > len(whole) // 2


def test_samples_on_the_edge_are_decided_alone(tiny_model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    requests = requests_for(PROMPTS, 10)
    decoder = Decoder(tiny_model, Sampling(max_new_tokens=20), "cpu")
    usual = texts(decoder, requests)
    decoder.tolerance = 1e9  # every token is on the edge
    assert texts(decoder, requests) == usual


def test_the_length_limit_ends_a_text(tiny_model: Model) -> None:
    found = completions(Decoder(tiny_model, Sampling(max_new_tokens=3), "cpu"), requests_for(PROMPTS, 20))
    assert {one.finish_reason for one in found.values()} == {"length", "stop"}
    assert all(one.completion_tokens == 3 for one in found.values() if one.finish_reason == "length")
    assert all(one.completion_tokens <= 3 and one.latency_s > 0 for one in found.values())


def test_an_empty_answer_is_an_empty_text(tiny_model: Model) -> None:
    found = completions(Decoder(tiny_model, Sampling(temperature=3, max_new_tokens=3), "cpu"), requests_for(PROMPTS, 60))
    empty = [one for one in found.values() if one.completion_tokens == 1 and one.finish_reason == "stop"]
    assert empty
    assert {one.text for one in empty} == {""}


def test_an_over_long_prompt_is_recorded_and_a_long_one_gets_what_room_there_is(tiny_model: Model) -> None:
    # 64 positions, one of them for the token that begins a text.
    fits, full, over = ("red " * words for words in (60, 62, 63))
    found = completions(Decoder(tiny_model, Sampling(max_new_tokens=20), "cpu"), requests_for([fits, full, over, "red"], 8))
    for (prompt, _), one in found.items():
        if prompt == over:
            assert (one.text, one.finish_reason, one.completion_tokens, one.prompt_tokens) == ("", "prompt-too-long", 0, 64)
        elif prompt == "red":
            assert one.completion_tokens <= 20
        else:
            assert 1 <= one.completion_tokens <= 64 - one.prompt_tokens
            assert one.finish_reason in ("stop", "length")


def test_a_stop_string_ends_the_text_and_is_no_part_of_it(tiny_model: Model) -> None:
    free = completions(Decoder(tiny_model, Sampling(max_new_tokens=40), "cpu"), requests_for(PROMPTS, 20))
    stopped = completions(
        Decoder(tiny_model, Sampling(max_new_tokens=40, stop_strings=["STOP", "is not"]), "cpu"), requests_for(PROMPTS, 20)
    )
    cut = 0
    for key, one in free.items():
        ends = [one.text.find(stop) for stop in ("STOP", "is not") if stop in one.text]
        if ends:
            cut += 1
            assert stopped[key].text == one.text[: min(ends)]
            assert stopped[key].finish_reason == "stop"
            assert stopped[key].completion_tokens <= one.completion_tokens
        else:
            assert stopped[key].text == one.text
    assert cut > 10


def test_a_stop_string_that_is_a_special_token_ends_the_text(tiny_model: Model) -> None:
    found = completions(
        Decoder(tiny_model, Sampling(max_new_tokens=40, stop_strings=["<unk>"], temperature=3), "cpu"), requests_for(PROMPTS, 40)
    )
    free = completions(Decoder(tiny_model, Sampling(max_new_tokens=40, temperature=3), "cpu"), requests_for(PROMPTS, 40))
    assert sum(one.completion_tokens for one in found.values()) < sum(one.completion_tokens for one in free.values())


def test_a_chat_prompt_goes_through_the_template_once(tiny_model: Model) -> None:
    chat = tiny_model.model_copy(update={"chat": True})
    decoder = Decoder(chat, Sampling(max_new_tokens=5), "cpu")
    (ids,) = encode(decoder.tokenizer, ["red sun"], chat=True, name="babbler")
    assert decoder.tokenizer.convert_ids_to_tokens(ids) == ["<bos>", "red", "sun", ".", "the"]


def test_chat_without_a_template_is_the_users_error(tiny_model: Model) -> None:
    decoder = Decoder(tiny_model.model_copy(update={"chat": True}), Sampling(), "cpu")
    decoder.tokenizer.chat_template = None
    with pytest.raises(UserError, match="model 'babbler': chat = true"):
        list(decoder.sample(requests_for(["red"], 1)))


def test_a_folder_that_is_no_checkpoint_is_the_users_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=rf"model 'm': {tmp_path} cannot be loaded: the folder is no complete checkpoint"):
        Decoder(Model(name="m", path=str(tmp_path)), Sampling(), "cpu")


def test_a_hub_model_that_cannot_be_reached_is_the_users_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError, match="model 'm': no-such-organisation/no-such-model cannot be loaded: it is no folder here"):
        Decoder(Model(name="m", path="no-such-organisation/no-such-model"), Sampling(), "cpu")


def runs_out_above(decoder: Decoder, rows: int) -> list[int]:
    """A GPU with room for so many rows, at the edge where the model is called; returns the sizes that were tried."""
    forward, tried = decoder.model.forward, []

    @functools.wraps(forward)
    def limited(**inputs: Any) -> Any:
        tried.append(len(inputs["input_ids"]))
        if tried[-1] > rows:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(**inputs)

    decoder.model.forward = limited
    return tried


def test_where_memory_runs_out_batches_are_halved_and_texts_stay(tiny_model: Model) -> None:
    requests = requests_for(PROMPTS, 8)
    expected = texts(Decoder(tiny_model, Sampling(max_new_tokens=20), "cpu"), requests)
    decoder = Decoder(tiny_model, Sampling(max_new_tokens=20), "cpu")
    tried = runs_out_above(decoder, 13)
    assert texts(decoder, requests) == expected
    assert decoder.most_rows <= 13
    again = len(tried)
    assert texts(decoder, requests) == expected
    assert max(tried[again:]) <= 13, "the size that memory has room for is not learnt again"


def test_a_sample_that_does_not_fit_alone_fails_alone_and_says_what_to_do(tiny_model: Model) -> None:
    decoder = Decoder(tiny_model, Sampling(max_new_tokens=20), "cpu")
    runs_out_above(decoder, 0)
    found = [one for batch in decoder.sample(requests_for(PROMPTS, 2)) for one in batch]
    assert len(found) == 2 * len(PROMPTS) and all(isinstance(one, Failure) for one in found)
    assert "max_new_tokens" in str(found[0].error)  # type: ignore[union-attr]
