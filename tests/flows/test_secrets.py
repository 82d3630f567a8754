"""Secrets from a Prefect block: into the environment, and nowhere else."""

import os
from collections.abc import Callable

import pytest
from prefect.blocks.system import Secret

from flows.refresh import relabel
from flows.secrets import load_secrets
from tasks.config import RunFile
from tasks.errors import UserError

MakeRun = Callable[..., RunFile]


@pytest.mark.usefixtures("server")
def test_what_is_not_in_the_environment_comes_from_the_block(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MANYMINDS_TEST_SET", "mine")
    monkeypatch.delenv("MANYMINDS_TEST_UNSET", raising=False)
    Secret(value={"MANYMINDS_TEST_SET": "theirs", "MANYMINDS_TEST_UNSET": "theirs"}).save("manyminds-test", overwrite=True)
    load_secrets(make_run(secrets="manyminds-test"))
    assert os.environ["MANYMINDS_TEST_SET"] == "mine"
    assert os.environ.pop("MANYMINDS_TEST_UNSET") == "theirs"


@pytest.mark.usefixtures("server")
def test_a_block_that_is_not_there_or_holds_something_else_is_the_users_error(make_run: MakeRun) -> None:
    with pytest.raises(UserError, match="no Secret block"):
        relabel(make_run(secrets="nowhere"))
    Secret(value="just text").save("manyminds-text", overwrite=True)
    with pytest.raises(UserError, match="NAME") as error:
        load_secrets(make_run(secrets="manyminds-text"))
    assert "just text" not in str(error.value)
