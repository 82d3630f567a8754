"""What the user is told of the error that ended a command, and with which exit code.

    UserError("votes.csv: row 12: …")       →  ("votes.csv: row 12: …", 2)
    RuntimeError("Failed to reach API at …")  →  ("the Prefect server at gpu-1:4200 does not answer; …", 1)

Exit code 2: something has to be changed. 1: it can be run again as it is, once what is said is mended. An error that is not
known here is a defect of ours, and its traceback is what we want to see.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tasks.errors import ShardsFailed, UserError

_LINES = 10  # of many that say the same
_AGAIN = "run again to go on from here"


def told(error: Exception) -> tuple[str, int] | None:
    """The message and the exit code; None: a defect."""
    if isinstance(error, UserError):
        return str(error), 2
    if isinstance(error, ShardsFailed):
        first, more = str(error).splitlines()[:_LINES], len(str(error).splitlines()) - _LINES
        rest = [f"… and {more} more, for which the Prefect UI has the log"] if more > 0 else []
        return "\n".join(["some shards could not be sampled; run again to sample only these:", *first, *rest]), 1
    if isinstance(error, PermissionError):
        return f"{error}; expected the right to read and write there", 2
    if isinstance(error, OSError):  # of the disk, of the network
        return f"{error}; {_AGAIN}", 1
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's is a RuntimeError
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        return (
            f"memory ran out ({said}); end what else takes memory, or raise sampling.buckets or lower a router's batch, "
            f"which makes pieces of work smaller; {_AGAIN}"
        ), 1
    return _of_prefect(error)


def _of_prefect(error: Exception) -> tuple[str, int] | None:
    """The same where Prefect's server is in trouble. Its libraries are told by their names: they take seconds to import."""
    address = os.environ.get("PREFECT_API_URL", "").partition("://")[2]
    host = address.rpartition("@")[2].partition("/")[0]  # without a user and a password; it may be no address at all
    where = f"the Prefect server at {host}" if host else "the run's own Prefect server"
    text = str(error)
    if isinstance(error, RuntimeError) and "incompatible versions" in text:
        return f"{where}: {text} Install the same major version here and there", 2
    of_network = type(error).__module__.split(".")[0] in ("httpx", "httpcore") or type(error).__name__ == "PrefectHTTPStatusError"
    if not of_network and not (isinstance(error, RuntimeError) and ("Failed to reach API" in text or "Prefect API server" in text)):
        return None
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in (401, 403):
        return f"{where} does not let us in ({status}); set PREFECT_API_KEY or PREFECT_API_AUTH_STRING, or correct it", 2
    says = f"says {status}" if status else "does not answer"
    if not host:
        return f"{where} {says}; perhaps this machine is too busy to start it; {_AGAIN}", 1
    hint = "is PREFECT_API_URL right, and does the server run? Without that variable a run brings its own"
    return f"{where} {says}; {hint}; {_AGAIN}", 1


@contextmanager
def as_this_version_saves() -> Iterator[None]:
    """Around what loads a saved router and its policies: whatever goes wrong there is a UserError that says what to do."""
    try:
        yield
    except Exception as error:  # of JSON, safetensors and all kinds of routers
        of_ours = isinstance(error, UserError) and "unknown kind" not in str(error)
        may_pass = isinstance(error, OSError) and not isinstance(error, FileNotFoundError)
        if of_ours or may_pass or isinstance(error, MemoryError | ImportError):
            raise
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        raise UserError(
            f"the lake's router cannot be loaded ({said}): another version saved it, or its files are damaged; "
            "delete the folders routers, policies and costs of the lake, and `manyminds run` makes them anew"
        ) from error
