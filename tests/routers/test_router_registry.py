import subprocess
import sys

import pytest

from tasks.config import Router
from tasks.errors import UserError
from tasks.routers import KINDS, check_settings, load_router, make_router


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_made(kind):
    needed = {"encoder": "roberta-base", "model": "ledger"}
    settings = {name: value for name, value in needed.items() if name in KINDS[kind].model_fields}
    assert make_router(Router(name="mine", kind=kind, **settings), seed=0).models == ()


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"name": "kmeans-tfdif"}, r"router 'kmeans-tfdif': unknown kind 'kmeans-tfdif'; did you mean 'kmeans-tfidf'\?"),
        ({"name": "kmeans-tfidf", "cluster": 3}, r"router 'kmeans-tfidf': unknown key 'cluster'; did you mean 'clusters'\?"),
        ({"name": "mine", "kind": "roberta-separate"}, r"router 'mine': key 'encoder' is missing"),
        ({"name": "kmeans-tfidf", "clusters": 0}, r"router 'kmeans-tfidf': key 'clusters': input should be greater .* \(it is 0\)"),
        ({"name": "best-single", "epochs": 3}, r"router 'best-single': unknown key 'epochs'"),
    ],
)
def test_a_bad_section_is_refused_with_the_key_and_what_was_expected(section, message):
    with pytest.raises(UserError, match=message):
        check_settings(Router(**section))
    with pytest.raises(UserError, match=message):
        make_router(Router(**section), seed=0)


def test_an_unknown_kind_cannot_be_loaded():
    with pytest.raises(UserError, match="did you mean 'benchmark'"):
        load_router("benchmrak", {})


def test_checking_settings_imports_nothing_heavy():
    program = """
import sys
from tasks.config import Router
from tasks.routers import check_settings
check_settings(Router(name="roberta-multi-label", encoder="roberta-base"))
print([name for name in ("torch", "transformers", "sklearn", "scipy") if name in sys.modules])
"""
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_an_encoder_that_is_nowhere_is_the_users_mistake(tmp_path):
    from router_examples import planted, router

    examples = planted(40)
    with pytest.raises(UserError, match=r"encoder .* cannot be loaded"):
        router("roberta-multi-label", encoder=str(tmp_path)).fit(examples, examples)
