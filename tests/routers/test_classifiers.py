import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from router_examples import COOKING, MODELS, SPACE, none, other_models_order, planted, queries, router, shuffled, with_holes

from tasks.errors import UserError
from tasks.lake.interfaces import Examples
from tasks.routers import load_router

KINDS = ["roberta-multi-label", "roberta-separate"]
PROBES = queries(["boil soup salt oven bread", "launch solar probe star orbit"])


@pytest.fixture(scope="session")
def encoder(tmp_path_factory):
    """An untrained RoBERTa of two layers that knows the words of the planted examples."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

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


def fitted(kind, encoder, train, validation=None, **given):
    settings = {"epochs": 6, "learning_rate": 5e-3, "batch_size": 16} | given
    return router(kind, encoder=encoder, **settings).fit(train, planted(40, seed=9) if validation is None else validation)


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
    settings = {"epochs": 2} if kind == "roberta-multi-label" else {}
    model = router(kind, encoder=sys.argv[1], **settings).fit(examples, examples)
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
