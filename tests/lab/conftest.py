"""One real gate log for all tests that read it."""

import pytest

from tests.lab.desk import DeskLog, desk_log


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> DeskLog:
    """Return the log of fifteen cheques, a third of the unasked steps spot-checked."""
    folder = tmp_path_factory.mktemp("desk")
    return desk_log(folder, cheques=15, budget=0.2, spot_check=0.3, spot_check_runs=0.1)
