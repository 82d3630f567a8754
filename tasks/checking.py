"""What can be found wrong with a run before anything is made, loaded or paid for: names, settings, files, the size of the pool.

    check(run)     router 'knn': unknown key 'neighbors'; did you mean 'neighbours'?

`tasks.config` has checked what the run file says by itself; this knows what there is: routers, policies, studies, benchmarks.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.config import Router, RunFile
from tasks.errors import UserError, beside, nearest

# Kinds that train in seconds: what a study trains many times, unless it is told otherwise.
QUICK = ("linear", "domains", "knn", "cluster-and-rank", "kmeans-encoder", "kmeans-tfidf")


def check(run: RunFile) -> None:
    """Raise UserError for the first thing in the run that there is not, or with which nothing could be learned."""
    from tasks.benchmarks.load import check_benchmark
    from tasks.policies.rules import make_policy
    from tasks.routers import check_settings
    from tasks.sampling.recipe import recipe_of

    for router in run.routers:
        check_settings(router)
    for policy in run.evaluation.policies:
        make_policy(policy, run.seed)
    wanted_studies(run)
    if len(run.models) == 1 and not (run.outcomes or run.generations):
        raise UserError(
            f"the pool has one model, {run.models[0].name!r}, and a router needs at least two to choose from; "
            "add another [[models]], or outcomes of others"
        )
    for benchmark in run.benchmarks:
        check_benchmark(benchmark)
    for file in _files(run):
        if "://" not in file and Path(file).is_dir():
            raise UserError(f"{file}: is a folder; expected a file, or a pattern such as {file}/*.parquet")
        if "://" not in file and not Path(file).exists():
            raise UserError(f"{file}: no such file{beside(Path(file))}")
    for model in run.models:
        recipe_of(model, "", run.sampling)


def wanted_studies(run: RunFile) -> dict[str, dict[str, Any]]:
    """Settings of the studies of the run, in the order in which they are made. Raises UserError for a study, key or model that is not."""
    from tasks.evaluation.studies.settings import Labels, Switching, check_models, check_study

    given = run.studies.wanted
    for name, settings in given.items():
        checked = check_study(name, settings)
        routers_of(run, name)
        if run.outcomes or run.generations:  # which models there are, and how many samples, is not known yet
            continue
        if isinstance(checked, Switching):
            check_models(checked, [model.name for model in run.models])
        if isinstance(checked, Labels) and "at_least" in settings and checked.at_least > run.sampling.k:
            raise UserError(f"studies.labels: at_least is {checked.at_least}, but only {run.sampling.k} samples are drawn (sampling.k)")
    return given


def routers_of(run: RunFile, name: str) -> list[Router]:
    """The routers that a study trains on something else. Raises UserError for one that the run does not have."""
    from tasks.evaluation.studies.settings import Trained, check_study

    settings = check_study(name, run.studies.wanted[name])
    if not isinstance(settings, Trained):
        return []
    known = {router.name: router for router in run.routers}
    for router in settings.routers:
        if router not in known:
            raise UserError(f"studies.{name}: unknown router {router!r}{nearest(router, known)}")
    if settings.routers:
        return [known[router] for router in settings.routers]
    quick = [router for kind in QUICK for router in run.routers if router.of_kind == kind]
    return quick[:1] or [Router(name="linear")]


def _files(run: RunFile) -> Iterator[str]:
    """Files that the run reads."""
    for benchmark in run.benchmarks:
        yield from benchmark.files
    for entry in (*run.outcomes, *run.generations):
        yield from entry.files
    yield from (model.only for model in run.models if model.only is not None)
