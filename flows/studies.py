"""The studies of a run, after its evaluation: what each needs beside the tables, then the study.

make_studies(run, {"queries": […], "votes": […], "scores": […], "routes": […], "metrics": […]}, embeddings, evidence)
"""

from tasks import steps
from tasks.checking import routers_of, wanted_studies
from tasks.config import RunFile
from tasks.evaluation.studies import has_trials
from tasks.steps import studies


def make_studies(
    run: RunFile, tables: dict[str, list[str]], embeddings: dict[str, list[str]], evidence: dict[str, list[str]]
) -> list[steps.Written]:
    """Make every study of the run; `health` is the last and reads what the others found.

    `tables`: paths of each table, `metrics` those of the evaluation. `embeddings`, `evidence`: paths that each router reads beside them.
    """
    prepared: list[steps.Written] = []
    done: list[steps.Written] = []
    for name in wanted_studies(run):
        files = dict(tables)
        if has_trials(name):
            tried = [
                steps.stored(run, studies.try_out)(
                    run,
                    name,
                    router,
                    tables["queries"],
                    tables["votes"],
                    embeddings.get(router.name, []),
                    evidence.get(router.name, []),
                )
                for router in routers_of(run, name)
            ]
            files["trials"] = [path for written in tried for path in written["trials"]]
            prepared += tried
        if name == "clusters":
            everything = sorted({path for paths in embeddings.values() for path in paths})
            prepared.append(steps.stored(run, studies.cluster)(run, tables["queries"], tables["votes"], everything))
            files["clusters"] = prepared[-1]["clusters"]
        if name == "labels":
            prepared.append(steps.stored(run, studies.grow)(run, tables["queries"], tables["votes"]))
            files["growth"] = prepared[-1]["growth"]
        if name == "switching":
            files["loads"] = studies.loads(run)
        if name == "health":
            prepared.append(steps.stored(run, studies.end)(run, tables["queries"], tables["votes"]))
            files["endings"] = prepared[-1]["endings"]
            files["metrics"] = files["metrics"] + [path for written in done for path in written["metrics"]]
        done.append(steps.stored(run, studies.study)(run, name, files))
    for folder in studies.PREPARED:
        steps.publish(run, folder, prepared)
    return done
