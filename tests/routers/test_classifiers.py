import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import safetensors.numpy
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from router_examples import COOKING, MODELS, SPACE, none, other_models_order, planted, queries, router, shuffled, with_holes
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel
from transformers.models.roberta.modeling_roberta import RobertaLayer

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import classifier, load_router, training
from tasks.routers.embeddings import embedding_column, encoders_of
from tasks.routers.encoders import Encoder, load_pretrained, seeded
from tasks.routers.settings import ClassifierSettings
from tasks.routers.training import Part, benchmark_weights
from tasks.routers.trunks import EncoderTrunk, Inputs

KINDS = ["roberta-multi-label", "roberta-separate"]
PROBES = queries(["boil soup salt oven bread", "launch solar probe star orbit"])


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """An untrained RoBERTa of two layers that knows the words of the planted examples."""

    words = ["<s>", "<pad>", "</s>", "<unk>", *COOKING, *SPACE]
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    folder = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>", model_max_length=32).save_pretrained(folder)
    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=len(words),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=34,
        type_vocab_size=1,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    RobertaModel(config).to(torch.bfloat16).save_pretrained(folder)
    return str(folder)


def fitted(kind, encoder, train, validation=None, **own):
    chosen = {"epochs": 6, "learning_rate": 5e-3, "batch_size": 16} | own
    return router(kind, encoder=encoder, **chosen).fit(train, planted(40, seed=9) if validation is None else validation)


@pytest.mark.parametrize("kind", KINDS)
def test_the_best_model_of_each_topic_is_found(kind, encoder):
    confidences = fitted(kind, encoder, planted(160)).confidences(PROBES)
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]
    assert confidences.dtype == np.float32 and confidences.min() >= 0 and confidences.max() <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_holes_do_not_hide_the_topics(kind, encoder):
    holed = with_holes(planted(200))
    confidences = fitted(kind, encoder, holed, with_holes(planted(40, seed=9))).confidences(PROBES)
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_epoch_it_is_the_best_single_model(kind, encoder):
    examples = planted(60)
    confidences = fitted(kind, encoder, examples, epochs=0).confidences(PROBES)
    assert confidences == pytest.approx(np.tile(np.clip(examples.labels.mean(axis=0), 0.001, 0.999), (2, 1)), abs=1e-6)


def test_labels_without_a_pattern_leave_it_near_the_best_single_model(encoder):
    random = np.random.default_rng(0)
    rare = Examples(planted(300).queries, (random.random((300, 3)) < [0.9, 0.5, 0.1]).astype(np.float32), MODELS)
    checked = Examples(planted(100).queries, (random.random((100, 3)) < [0.9, 0.5, 0.1]).astype(np.float32), MODELS)
    confidences = fitted("roberta-multi-label", encoder, rare, checked).confidences(planted(100).queries)
    assert confidences.mean(axis=0) == pytest.approx([0.9, 0.5, 0.1], abs=0.08)  # weights for balance do not distort confidences


def test_a_fraction_of_right_answers_is_learned_as_such(encoder):
    examples = planted(160, noise=0)
    soft = Examples(examples.queries, np.where(examples.labels == 1, 0.7, 0.2).astype(np.float32), MODELS)
    confidences = fitted("roberta-multi-label", encoder, soft, soft, epochs=12).confidences(soft.queries)
    assert confidences == pytest.approx(soft.labels, abs=0.15)


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_rows_changes_no_bit(kind, encoder):
    examples, validation = with_holes(planted(60)), planted(40, seed=9)
    expected = fitted(kind, encoder, examples, validation, epochs=2).confidences(examples.queries)
    again = fitted(kind, encoder, shuffled(examples), shuffled(validation), epochs=2)
    assert (again.confidences(examples.queries) == expected).all()
    assert (again.confidences(examples.queries[::-1]) == expected[::-1]).all()


@pytest.mark.parametrize("kind", KINDS)
def test_order_of_models_changes_no_confidence(kind, encoder):
    examples, validation, order = planted(60), planted(40, seed=9), [2, 0, 1]
    expected = fitted(kind, encoder, examples, validation, epochs=2).confidences(examples.queries)
    renamed = fitted(kind, encoder, other_models_order(examples, order), other_models_order(validation, order), epochs=2)
    assert renamed.confidences(examples.queries) == pytest.approx(expected[:, order], abs=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_classifier_is_json_and_safetensors_and_loads_bit_for_bit(kind, encoder):
    examples = planted(60)
    model = fitted(kind, encoder, examples, epochs=1)
    files = model.save()
    for name, content in files.items():
        if name.endswith(".json"):
            json.loads(content)
        else:
            assert name.endswith(".safetensors") and safetensors.numpy.load(content)
    loaded = load_router(kind, files)
    assert loaded.models == MODELS
    assert (loaded.confidences(examples.queries) == model.confidences(examples.queries)).all()
    assert loaded.confidences(examples.queries.clear()).shape == (0, 3)
    assert loaded.save() == files


def test_where_the_encoder_lies_is_not_saved(encoder, tmp_path):
    examples = planted(40)
    shutil.copytree(encoder, tmp_path / "moved")
    here, there = (fitted("roberta-multi-label", folder, examples, epochs=1).save() for folder in (encoder, str(tmp_path / "moved")))
    assert here == there


def test_code_that_a_saved_configuration_points_at_is_not_executed(encoder, tmp_path):
    examples = planted(40)
    files = fitted("roberta-multi-label", encoder, examples, epochs=0).save()
    mark = tmp_path / "executed"
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(mark)!r}, 'w')\nclass Model: ...\n")
    config = json.loads(files["config.json"]) | {"auto_map": {"AutoModelForSequenceClassification": f"{tmp_path}--evil.Model"}}
    load_router("roberta-multi-label", files | {"config.json": json.dumps(config).encode()}).confidences(examples.queries)
    assert not mark.exists()


def test_training_stops_when_validation_no_longer_gets_better(encoder, caplog):
    caplog.set_level("INFO", logger="tasks.routers.training")
    examples, contrary = planted(60, noise=0), planted(40, noise=0)
    contrary = Examples(contrary.queries, contrary.labels[:, ::-1].copy(), MODELS)
    confidences = fitted("roberta-multi-label", encoder, examples, contrary, epochs=50, patience=2).confidences(PROBES)
    assert len(caplog.records) < 10
    assert np.ptp(confidences[:, 0]) < 0.2  # the epoch that was kept has learned nothing that validation contradicts


@pytest.mark.parametrize("kind", KINDS)
def test_no_validation_queries_and_a_model_without_rewards_are_survived(kind, encoder):
    examples = planted(60)
    examples.labels[:, 1] = np.nan
    confidences = fitted(kind, encoder, examples, none(examples)).confidences(PROBES)
    assert not np.isnan(confidences).any() and confidences[:, 1] == pytest.approx([0, 0], abs=0.01)


def test_without_training_queries_nothing_can_be_trained(encoder):
    with pytest.raises(UserError, match="no training queries"):
        fitted("roberta-multi-label", encoder, none(planted(10)))


# ── What is trained, and on what ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layers", [0, 1])
def test_the_last_layers_or_the_head_alone_find_the_topics_and_load_bit_for_bit(kind, layers, encoder):
    chosen = {"layers": layers, "seeds": 2, "epochs": 3, "learning_rate": [0.1, 1e-2][layers]}
    model = fitted(kind, encoder, with_holes(planted(200)), **chosen)
    confidences = model.confidences(PROBES)
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]
    files = model.save()
    loaded = load_router(kind, files)
    assert (loaded.confidences(PROBES) == confidences).all() and loaded.save() == files


def test_layers_that_are_not_trained_stay_as_they_are_run_once_and_are_saved_once(encoder, monkeypatch):
    runs = []
    layer = RobertaLayer.forward
    monkeypatch.setattr(RobertaLayer, "forward", lambda self, *rest, **named: runs.append(self.training) or layer(self, *rest, **named))
    examples, validation = planted(60, noise=0), planted(40, seed=9, noise=0)
    models = {}
    passes = {}
    for epochs in (1, 3):
        runs.clear()
        models[epochs] = fitted("roberta-separate", encoder, examples, validation, layers=1, epochs=epochs, patience=9, learning_rate=1e-2)
        passes[epochs] = Counter(runs)
    # 60 queries are 4 batches of 16 for each of three models and each epoch: the second layer only.
    assert passes[1][True] == 3 * 4 and passes[3][True] == 3 * 3 * 4
    # What is not trained is run before all else: two layers once for 60 queries, once for 40, once to see what is to be trained. The 40
    # validation queries go through the second layer for each model before the first epoch and after each.
    assert passes[1][False] == 2 * 3 + 3 * 2 and passes[3][False] == 2 * 3 + 3 * 4
    before = load_pretrained(encoder, 128).network.state_dict()
    shares = [models[3].networks_[model].state_dict() for model in (0, 2)]  # the other model is never right: there is nothing to learn
    name = "encoder.layer.{}.output.dense.weight"
    for weights in shares:
        assert (weights["roberta." + name.format(0)] == before[name.format(0)]).all()
        assert (weights["roberta." + name.format(1)] != before[name.format(1)]).any()
    frozen, again = ([file for file in model.save() if file.startswith("encoder/")] for model in models.values())
    assert len(frozen) == 1 and frozen == again  # named by its content, which is the same
    sizes = {file: len(content) for file, content in models[3].save().items()}
    assert sizes["model-2.safetensors"] < sizes[frozen[0]]


@pytest.mark.parametrize("architecture", ["Bert", "MPNet", "DebertaV2", "ModernBert"])
def test_starting_at_a_layer_gives_what_the_whole_network_gives(architecture, encoder):
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3, "num_attention_heads": 2}
    own = {"conv_kernel_size": 3, "relative_attention": True} if architecture == "DebertaV2" else {}
    if architecture == "ModernBert":
        own = {"bos_token_id": 0, "cls_token_id": 0, "eos_token_id": 2, "sep_token_id": 2}
    config = getattr(transformers, f"{architecture}Config")(vocab_size=30, pad_token_id=1, num_labels=2, **sizes, **own)
    tokenizer = Tokenizer.from_file(f"{encoder}/tokenizer.json")
    texts = queries([*PROBES["question"], "boil", "launch launch launch"])
    for first in range(3):
        with seeded(first), torch.no_grad():
            trunk = EncoderTrunk(Encoder(tokenizer, transformers.AutoModelForSequenceClassification.from_config(config)), first, [])
            trained = trunk.network().eval()
            for weight in trained.parameters():
                weight.add_(0.3 * weight.requires_grad * torch.randn_like(weight))
            whole = trunk.inputs(texts, shared=False).read(trained, range(4))
            assert trunk.inputs(texts).read(trained, range(4)).numpy() == pytest.approx(whole.numpy(), abs=1e-5)
            assert len({round(float(value), 4) for value in whole[:, 0]}) == 4


def test_more_layers_than_the_encoder_has_are_refused(encoder):
    with pytest.raises(UserError, match=r"layers = 3: encoder .* has 2"):
        fitted("roberta-multi-label", encoder, planted(40), layers=3)


def test_several_seeds_are_averaged_and_seeds_of_other_runs_are_others(encoder):
    examples, validation = planted(60, noise=0), planted(40, seed=9, noise=0)
    chosen = {"epochs": 3, "layers": 1, "learning_rate": 1e-2}
    both = fitted("roberta-multi-label", encoder, examples, validation, seeds=2, seed=1, **chosen)
    singles = [fitted("roberta-multi-label", encoder, examples, validation, seed=seed, **chosen) for seed in (2, 3)]
    means = np.mean([single.confidences(PROBES) for single in singles], axis=0)
    assert both.confidences(PROBES) == pytest.approx(means, abs=1e-6)
    assert (singles[0].confidences(PROBES) != singles[1].confidences(PROBES)).any()


@pytest.mark.parametrize("kind", KINDS)
def test_benchmarks_that_weigh_the_same_have_the_same_say(kind, encoder):
    examples = planted(200, noise=0)
    small = np.arange(200) < 20
    labels = np.where(small[:, None], [1, 0.5, 0], [0, 0.5, 1]).astype(np.float32)
    frame = examples.queries.with_columns(benchmark=pl.Series(np.where(small, "small", "large")))
    train = Examples(frame, labels, MODELS)
    expected = {"queries": [0.1, 0.5, 0.9], "benchmarks": [0.5, 0.5, 0.5]}
    for weights, means in expected.items():
        confidences = fitted(kind, encoder, train, train, epochs=0, weights=weights, layers=0).confidences(PROBES)
        assert confidences[0] == pytest.approx(means, abs=1e-6)


def test_a_validation_benchmark_of_few_queries_counts_as_much_as_one_of_many():
    labels = np.array([[1], [0], [0], [0]], dtype=np.float32)
    inputs = Inputs(lambda network, rows: torch.full((len(rows), 1), 2.0), [1] * 4)
    losses = [
        training._validation_loss(torch.nn.Linear(1, 1), Part(inputs, range(4), labels, weights), torch.zeros(1), "reward")
        for weights in (np.ones(4, np.float32), benchmark_weights(np.array(["a", "b", "b", "b"])))
    ]
    right, wrong = np.log1p(np.exp(-2)), np.log1p(np.exp(2))
    assert losses == pytest.approx([(right + 3 * wrong) / 4, (right + wrong) / 2])


@settings(max_examples=40)
@given(
    labels=arrays(np.float32, (12, 3), elements=st.floats(0, 1, width=16) | st.just(float("nan"))),
    weights=arrays(np.float32, 12, elements=st.floats(0.125, 4, width=16)),
    shift=arrays(np.float32, 3, elements=st.floats(-3.5, 3.5, width=16)),
)
def test_balance_moves_no_confidence(labels, weights, shift):
    labels[0] = [0.5, 0, 1]
    odds = torch.tensor(training.log_odds(labels, weights), requires_grad=True)
    arguments = (torch.from_numpy(labels).double(), torch.from_numpy(weights).double(), torch.from_numpy(shift).double(), "reward")
    training._loss(odds.expand(12, 3), *arguments).backward()
    inside = (odds.detach().abs() < 6.9).numpy()  # the others are cut off at a share of 0.001
    assert odds.grad.numpy()[inside] == pytest.approx(0, abs=1e-6)


def test_with_balance_right_and_wrong_answers_weigh_the_same():
    labels = torch.tensor([[1.0]] * 8 + [[0.0]] * 2)
    shift = torch.tensor([np.log(2 / 8)], dtype=torch.float32)
    logits = torch.full((10, 1), -float(shift), requires_grad=True)
    training._loss(logits, labels, torch.ones(10), shift, "reward").backward()
    assert float(logits.grad[:8].sum()) == pytest.approx(-float(logits.grad[8:].sum())) == pytest.approx(-0.25)


def test_preference_weighs_what_two_models_differ_by():
    confidences = torch.tensor([[0.8, 0.5]], dtype=torch.float64)
    logits = torch.log(confidences / (1 - confidences))

    def loss(*labels, order=(0, 1)):
        rows = logits[:, list(order)].expand(len(labels), 2)
        return float(training._preference_loss(rows, torch.tensor(labels, dtype=torch.float64), torch.ones(len(labels))))

    assert loss([1, 0]) == pytest.approx(-np.log(0.8)) and loss([0, 1]) == pytest.approx(-np.log(0.2))
    assert loss([0, 1]) == pytest.approx(loss([1, 0], order=(1, 0)))
    assert loss([1, 0], [0.5, 0.75]) == pytest.approx(-(np.log(0.8) + 0.25 * np.log(0.2)) / 1.25)
    assert loss([1, 1]) == 0 and loss([1, float("nan")]) == 0


def test_preference_finds_the_topics_and_is_refused_where_models_never_meet(encoder):
    examples = with_holes(planted(200))
    chosen = {"target": "preference", "layers": 1, "epochs": 3, "learning_rate": 1e-2}
    confidences = fitted("roberta-multi-label", encoder, examples, **chosen).confidences(PROBES)
    assert [MODELS[column] for column in confidences.argmax(axis=1)] == ["chef", "pilot"]
    with pytest.raises(UserError, match="key 'target': input should be 'reward'"):
        fitted("roberta-separate", encoder, examples, target="preference")


@pytest.mark.parametrize("kind", KINDS)
def test_without_validation_queries_a_tenth_of_the_training_queries_tells_when_to_stop(kind, encoder, caplog):
    caplog.set_level("INFO", logger="tasks.routers.training")
    random = np.random.default_rng(0)
    noise = Examples(planted(300).queries, (random.random((300, 3)) < 0.5).astype(np.float32), MODELS)
    fitted(kind, encoder, noise, none(noise), layers=0, epochs=50, patience=2, learning_rate=0.3)
    assert "nan" not in caplog.text and len(caplog.records) < 3 * 15
    ids = [f"q{number}" for number in range(2000)]
    held = classifier._held_out(ids)
    assert 150 < held.sum() < 250 and (classifier._held_out(ids[::-1]) == held[::-1]).all()


def test_clusters_of_embeddings_find_topics_and_load_bit_for_bit(encoder):
    examples = planted(200)
    model = router("kmeans-encoder", encoder=encoder).fit(shuffled(examples), none(examples))
    confidences = model.confidences(examples.queries)
    assert (examples.labels[np.arange(200), confidences.argmax(axis=1)]).mean() > 0.8
    loaded = load_router("kmeans-encoder", model.save())
    assert (loaded.confidences(examples.queries) == confidences).all()
    assert (router("kmeans-encoder", encoder=encoder).fit(examples, examples).confidences(examples.queries) == confidences).all()


@pytest.mark.slow
def test_two_processes_give_the_same_classifier(encoder):
    program = """
import hashlib, sys
from router_examples import planted, router
examples = planted(60)
for kind in ("roberta-multi-label", "kmeans-encoder"):
    chosen = {"epochs": 2} if kind == "roberta-multi-label" else {}
    model = router(kind, encoder=sys.argv[1], **chosen).fit(examples, examples)
    print(hashlib.sha256(model.confidences(examples.queries).tobytes()).hexdigest())
"""
    root = Path(__file__).parents[2]
    printed = {
        subprocess.run(
            [sys.executable, "-c", program, encoder],
            env=os.environ
            | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": f"{root}{os.pathsep}{Path(__file__).parent}"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in (("1", "1"), ("2", "2"))
    }
    assert len(printed) == 1 and printed != {""}


def test_a_head_alone_reads_the_vectors_that_the_lake_has():
    assert encoders_of(ClassifierSettings(encoder="bert", layers=0)) == [("bert", 128)]
    assert encoders_of(ClassifierSettings(encoder="bert", layers=1)) == []
    examples, random = planted(60), np.random.default_rng(0)
    topic = np.arange(60) % 2
    vectors = [[float(1 - place), float(place), float(noise)] for place, noise in zip(topic, random.normal(0, 0.1, 60), strict=True)]
    frame = examples.queries.with_columns(pl.Series(embedding_column("nowhere", 128), vectors, dtype=pl.List(pl.Float32)))
    model = router("roberta-multi-label", encoder="nowhere", layers=0, learning_rate=0.1)
    confidences = model.fit(Examples(frame, examples.labels, MODELS), Examples(frame, examples.labels, MODELS)).confidences(frame)
    assert (confidences.argmax(axis=1) == 2 * topic).all()
