"""`queries` and `votes` → routers → `scores`."""

import json
import logging
import time
from collections.abc import Sequence

import polars as pl

from tasks.config import COST_COLUMNS, Router, RunFile
from tasks.errors import UserError, nearest
from tasks.lake.files import Lake, folder_name, read_table, write_table
from tasks.lake.fingerprints import fingerprint
from tasks.lake.generations import query_generations
from tasks.lake.interfaces import Examples
from tasks.lake.tables import EMBEDDINGS, EVIDENCE, GENERATIONS, QUERIES, SCORES, VOTES
from tasks.lake.views import examples, matrix, pool, score_rows
from tasks.routers.saved import encoder_fingerprint, load_saved, save_router
from tasks.steps.step import Written, step

logger = logging.getLogger("manyminds")


def encoders(run: RunFile) -> dict[str, list[tuple[str, int]]]:
    """The encoders that each router takes as they are, and how many tokens of a query they read."""
    from tasks.routers import check_settings
    from tasks.routers.embeddings import encoders_of

    return {router.name: encoders_of(check_settings(router)) for router in run.routers}


@step(
    "embed with {encoder}",
    lambda run, encoder, max_length, queries: (
        encoder_fingerprint(Router(name="embed", encoder=encoder)),
        max_length,
        sorted(queries),
    ),
    code=[f"tasks.routers.{file}" for file in ("embeddings", "embedders", "encoders", "packaged", "prefixes", "tfidf")]
    + ["tasks.lake.views"],
)
def embed(run: RunFile, encoder: str, max_length: int, queries: Sequence[str]) -> Written:
    """What an encoder makes of `queries`, for all routers that use it, and the seconds that it needs for a query."""
    from tasks.routers.embeddings import embed

    rows = read_table(Lake(run.lake), QUERIES, queries)
    started = time.perf_counter()
    embeddings = embed(rows, encoder, max_length)
    seconds = (time.perf_counter() - started) / max(rows.height, 1)
    logger.info("embed with %s: %s queries, %.1f s", encoder, f"{rows.height:,}", seconds * rows.height)
    return {"embeddings": [write_table(Lake(run.lake), EMBEDDINGS, embeddings, f"{folder_name(encoder)}/")], "seconds_per_query": seconds}


def looks(run: RunFile) -> dict[str, tuple[str, int]]:
    """Of each router that looks at samples before it chooses, the model and how many of its samples."""
    from tasks.routers import check_settings
    from tasks.routers.settings import LookingSettings

    found = {router.name: check_settings(router) for router in run.routers}
    return {name: (settings.model, settings.looks) for name, settings in found.items() if isinstance(settings, LookingSettings)}


def _samples_of(run: RunFile, model: str) -> list[str]:
    return Lake(run.lake).files(f"{GENERATIONS.name}/model={folder_name(model)}")


@step(
    "look at {model}",
    lambda run, model, looks, votes: (model, looks, sorted(votes), _samples_of(run, model)),
    code=["tasks.routers.looks"],
)
def look(run: RunFile, model: str, looks: int, votes: Sequence[str]) -> Written:
    """What there is to see in the first samples of a model → `evidence`."""
    from tasks.routers.looks import evidence, first_samples

    lake = Lake(run.lake)
    outcomes = read_table(lake, VOTES, votes)
    if model not in (models := pool(outcomes)):
        raise UserError(f"a router that looks at samples of {model!r}: there is no such model{nearest(model, models)}")
    samples, _ = query_generations(lake, _samples_of(run, model), lambda rows: first_samples(rows, looks))
    found = evidence(outcomes, samples, model, looks)
    if found.is_empty():
        raise UserError(
            f"a router that looks at samples of {model!r}: there are none; expected [[models]] that are sampled, or [[generations]]"
        )
    return {"evidence": [write_table(lake, EVIDENCE, found, f"{folder_name(model)}/")]}


@step(
    "expect costs",
    lambda run, queries, votes: (sorted(queries), sorted(votes), run.cost.unit),
    code=["tasks.routers.costs", "tasks.lake.views"],
)
def expect_costs(run: RunFile, queries: Sequence[str], votes: Sequence[str]) -> Written:
    """What an answer of each model is expected to cost, from `votes` on training queries."""
    from tasks.routers.costs import fit_costs

    lake = Lake(run.lake)
    rows, outcomes = read_table(lake, QUERIES, queries), read_table(lake, VOTES, votes)
    train = examples(rows, outcomes, "train")
    paid = matrix(outcomes, train.queries["query_id"].to_list(), train.models, pl.col(COST_COLUMNS[run.cost.unit]))
    state = {"unit": run.cost.unit, "models": train.models, **fit_costs(train.queries, paid.astype("float64")).save()}
    content = json.dumps(state, indent=1).encode()
    path = f"costs/{fingerprint(content)}.json"
    lake.write(path, content)
    return {"costs": [path]}


def seen_queries(run: RunFile, queries: Sequence[str], embeddings: Sequence[str], evidence: Sequence[str]) -> pl.DataFrame:
    """The queries with what encoders made of them, and with what is seen in samples."""
    from tasks.routers.embeddings import with_embeddings
    from tasks.routers.looks import with_evidence

    lake = Lake(run.lake)
    rows = with_embeddings(read_table(lake, QUERIES, queries), [read_table(lake, EMBEDDINGS, [path]) for path in embeddings])
    return with_evidence(rows, [read_table(lake, EVIDENCE, [path]) for path in evidence])


def seen_examples(
    run: RunFile, queries: Sequence[str], votes: Sequence[str], embeddings: Sequence[str] = (), evidence: Sequence[str] = ()
) -> tuple[Examples, Examples]:
    """The train and validation splits, which are all that a router or a policy ever sees."""
    from tasks.routers.onboarding import complete

    rows, outcomes = seen_queries(run, queries, embeddings, evidence), read_table(Lake(run.lake), VOTES, votes)
    return complete(examples(rows, outcomes, "train")), examples(rows, outcomes, "validation")


@step(
    "train {router.name}",
    lambda run, router, queries, votes, embeddings, evidence: (
        router,
        sorted(queries),
        sorted(votes),
        list(embeddings),
        list(evidence),
        run.seed,
        encoder_fingerprint(router),
    ),
    code=["tasks.routers", "tasks.lake.views"],
)
def train(
    run: RunFile, router: Router, queries: Sequence[str], votes: Sequence[str], embeddings: Sequence[str], evidence: Sequence[str]
) -> Written:
    """`queries` and `votes` of the train and validation splits → a router, saved in the lake."""
    from tasks.routers import check_settings, make_router
    from tasks.routers.calibration import calibrated
    from tasks.routers.leaving import find_reusable, keep_origin, origin_of, without

    lake, started = Lake(run.lake), time.monotonic()
    seen, held_out = seen_examples(run, queries, votes, embeddings, evidence)
    origin = origin_of(router, run.seed, seen, held_out)
    if reusable := find_reusable(lake, origin):
        trained = without(load_saved(lake, reusable), seen.models)
    else:
        trained = make_router(router, run.seed).fit(seen, held_out)
    trained = calibrated(trained, held_out, check_settings(router).calibration)
    seconds = time.monotonic() - started
    logger.info("train %s: %.1f s", router.name, seconds)
    paths = keep_origin(lake, origin, save_router(lake, router.name, router.of_kind, trained))
    own = [path for path in paths if path.startswith("routers/")]
    beside = [path for path in paths if path not in own]
    return {"routers": own, "encoders": beside, "notes": getattr(trained, "notes", []), "seconds": seconds}


@step(
    "score with {router.name}",
    lambda run, router, trained, queries, embeddings, evidence, costs: (
        router.name,
        trained["routers"],
        sorted(queries),
        list(embeddings),
        list(evidence),
        list(costs),
    ),
    code=["tasks.routers", "tasks.lake.views"],
)
def score(
    run: RunFile,
    router: Router,
    trained: Written,
    queries: Sequence[str],
    embeddings: Sequence[str],
    evidence: Sequence[str],
    costs: Sequence[str],
) -> Written:
    """A trained router and `queries` → `scores`, and the seconds that the router needs for a query, beside its encoders."""
    from tasks.routers.costs import Costs
    from tasks.routers.looking import model_looked_at
    from tasks.routers.looks import with_looking

    lake = Lake(run.lake)
    loaded = load_saved(lake, trained["routers"])
    rows = seen_queries(run, queries, embeddings, evidence).sort("query_id")
    started = time.perf_counter()
    confidences = loaded.confidences(rows)
    seconds = (time.perf_counter() - started) / max(rows.height, 1)
    expected = Costs.load(json.loads(lake.read(costs[0]))).expected(rows)
    if model := model_looked_at(loaded):
        expected = with_looking(expected, rows, loaded.models, model)
    scores = score_rows(rows["query_id"], router.name, loaded.models, confidences, expected)
    return {"scores": [write_table(lake, SCORES, scores, f"{folder_name(router.name)}/")], "seconds_per_query": seconds}
