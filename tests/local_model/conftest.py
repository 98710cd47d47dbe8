"""The real model, loaded once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rig import LocalModel


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalModel]:
    with LocalModel(tmp_path_factory.mktemp("local")) as local:
        yield local
