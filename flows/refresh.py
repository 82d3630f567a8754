"""The whole DAG: queries → generations → votes → scores → routes → metrics, and the report.

Only what is missing is sampled, and only what that changes is redone.
"""

import logging
from collections.abc import Callable

from prefect import flow, tags, unmapped

from flows.sampling import sample_model
from flows.secrets import load_secrets
from flows.studies import make_studies
from tasks import steps
from tasks.checking import check
from tasks.config import Router, RunFile
from tasks.errors import ShardsFailed, UserError
from tasks.lake.files import open_lake
from tasks.steps import artifacts

logger = logging.getLogger("manyminds")

# What every router has to beat. They choose by their own confidence and by nothing else.
BASELINES = [Router(name="best-single"), Router(name="benchmark"), Router(name="subject")]


@flow(name="refresh", flow_run_name="refresh {run.name}", validate_parameters=False)
def refresh(run: RunFile) -> str:
    """Sample what is missing in place, then redo what that changes. Returns where the report is.

    Raises UserError for bad input, and ShardsFailed if some shards could not be sampled.
    """
    load_secrets(run)
    return everything(run, sample_in_place)


def everything(run: RunFile, sample: Callable[[RunFile, list[str]], None]) -> str:
    """The DAG. `sample` sees to it that the models' samples of these queries are in the lake."""
    check(run)
    with open_lake(run.lake).alone():
        gathered = gather(run)
        queries = steps.publish(run, "queries", gathered)
        steps.check_distinct(run, queries)
        artifacts.show_queries(run, queries)
        steps.keep_wanted(run, queries)
        sample(run, queries)
        votes = steps.publish(run, "votes", [*gathered, *label(run, queries, gathered)])
        artifacts.show_votes(run, votes)
        embedded = embed(run, queries)
        looked = look(run, votes)
        costs = steps.publish(run, "costs", [steps.stored(run, steps.expect_costs)(run, queries, votes)])
        routers = [*BASELINES, *run.routers]
        routed = [
            route(run, router, queries, votes, embedded.get(router.name, []), looked.get(router.name, []), costs) for router in routers
        ]
        scores, routes, *_ = (steps.publish(run, folder, routed) for folder in ("scores", "routes", "routers", "encoders", "policies"))
        artifacts.show_routers(run, routers, routed)
        artifacts.show_routes(run, routes, queries)
        tables = {"queries": queries, "votes": votes, "scores": scores, "routes": routes}
        seconds = {router.name: written["seconds_per_query"] for router, written in zip(routers, routed, strict=True)}
        evaluated = steps.stored(run, steps.evaluate)(run, tables, seconds)
        artifacts.show_metrics(run, evaluated["metrics"])
        embeddings = {router: [path for written in found for path in written["embeddings"]] for router, found in embedded.items()}
        studied = make_studies(run, tables | {"metrics": evaluated["metrics"]}, embeddings, looked)
        tables["metrics"] = steps.publish(run, "metrics", [evaluated, *studied])
        artifacts.show_studies(run, tables["metrics"])
        notes = [note for written in [*gathered, *routed] for note in written["notes"]]
        return steps.report(run, tables, notes)


@flow(name="label", flow_run_name="label {run.name}", validate_parameters=False)
def relabel(run: RunFile) -> list[str]:
    """Read all answers again and vote, without sampling. Returns the paths of `votes`."""
    load_secrets(run)
    with open_lake(run.lake).alone():
        gathered = gather(run)
        queries = steps.publish(run, "queries", gathered)
        votes = steps.publish(run, "votes", [*gathered, *label(run, queries, gathered)])
        artifacts.show_votes(run, votes)
        return votes


def gather(run: RunFile) -> list[steps.Written]:
    """Load the benchmarks, and import what was made elsewhere."""
    gathered = [steps.stored(run, steps.load_queries)(run, benchmark) for benchmark in run.benchmarks]
    if run.outcomes:
        gathered.append(steps.stored(run, steps.import_outcomes)(run))
    if run.generations:
        gathered.append(steps.stored(run, steps.import_generations)(run))
    return gathered


def sample_in_place(run: RunFile, queries: list[str]) -> None:
    """One flow run per model that lacks samples, one after the other. All of them run, whichever fails."""
    errors = []
    for model in run.models:
        lacking = [count for _, count in steps.plan(run, model, queries)]
        logger.info("sample %s: %s", model.name, f"{sum(lacking):,} samples to draw" if any(lacking) else "nothing to draw")
        if not any(lacking):
            continue
        with tags(f"model:{model.name}"):
            state = sample_model(run, model.name, queries, lacking, return_state=True)
        if not state.is_completed():
            errors.append(state.result(raise_on_failure=False))
    if errors:
        kind = UserError if all(isinstance(error, UserError) for error in errors) else ShardsFailed
        raise kind("\n".join(str(error) for error in errors))


def label(run: RunFile, queries: list[str], gathered: list[steps.Written]) -> list[steps.Written]:
    """Vote, shard by shard."""
    futures = steps.stored(run, steps.vote).map(unmapped(run), steps.shards_to_vote(run, gathered), queries=unmapped(queries))
    return [future.result() for future in futures]


def embed(run: RunFile, queries: list[str]) -> dict[str, list[steps.Written]]:
    """What the encoders of each router make of the queries; an encoder that several routers use runs once."""
    wanted = steps.encoders(run)
    written = {
        (encoder, length): steps.stored(run, steps.embed)(run, encoder, length, queries)
        for encoder, length in dict.fromkeys(one for pairs in wanted.values() for one in pairs)
    }
    steps.publish(run, "embeddings", list(written.values()))
    artifacts.show_embeddings(run, written)
    return {router: [written[pair] for pair in pairs] for router, pairs in wanted.items()}


def look(run: RunFile, votes: list[str]) -> dict[str, list[str]]:
    """What routers see in samples that look at them before they choose; paths of `evidence` of each."""
    wanted = steps.looks(run)
    written = {pair: steps.stored(run, steps.look)(run, *pair, votes) for pair in dict.fromkeys(wanted.values())}
    steps.publish(run, "evidence", list(written.values()))
    return {router: written[pair]["evidence"] for router, pair in wanted.items()}


def route(
    run: RunFile,
    router: Router,
    queries: list[str],
    votes: list[str],
    embedded: list[steps.Written],
    evidence: list[str],
    costs: list[str],
) -> steps.Written:
    """Train a router, let it score every query, and let the policies choose."""
    policies = ["argmax"] if router in BASELINES else run.evaluation.policies
    embeddings = [path for written in embedded for path in written["embeddings"]]
    trained = steps.stored(run, steps.train)(run, router, queries, votes, embeddings, evidence)
    scored = steps.stored(run, steps.score)(run, router, trained, queries, embeddings, evidence, costs)
    chosen = steps.stored(run, steps.choose)(run, router.name, policies, scored["scores"], queries, votes, evidence)
    scored["seconds_per_query"] += sum(written["seconds_per_query"] for written in embedded)
    return trained | scored | chosen
