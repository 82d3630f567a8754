"""Secrets come from the environment or from a Prefect Secret block: `secrets = "manyminds"` in the run file.

The block's value is {"AWS_ACCESS_KEY_ID": "…", "OPENAI_API_KEY": "…"}. What is not in the environment yet is put there, where
the libraries that need it look; so secrets are never parameters, and never in tables or logs.
"""

import os

from prefect.blocks.system import Secret

from tasks.config import RunFile
from tasks.errors import UserError

_IDENTITY = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE")


def load_secrets(run: RunFile) -> None:
    """Fill the environment from the run's block, if it names one. Raises UserError for a block that is not as described."""
    if run.secrets is None:
        return
    try:
        value = Secret.load(run.secrets).get()  # type: ignore[union-attr]
    except ValueError as error:
        raise UserError(
            f"secrets = {run.secrets!r}: Prefect has no Secret block of that name; "
            f'`prefect block create secret` makes one at the server, with the value {{"NAME": "value"}}'
        ) from error
    if not isinstance(value, dict) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise UserError(f'secrets = {run.secrets!r}: the block\'s value is no {{"NAME": "value"}}')
    # Half of one identity and half of another is none.
    is_somebody = any(name in os.environ for name in _IDENTITY)
    for name, secret in value.items():
        if not (is_somebody and name in _IDENTITY):
            os.environ.setdefault(name, secret)
