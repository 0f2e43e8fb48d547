from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.web.world import Browser, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.close()


@pytest.fixture
def visitor(world: World) -> Browser:
    """Somebody who has not logged in."""
    return Browser(world.server.port)


@pytest.fixture
def browser(world: World) -> Browser:
    """Somebody who has."""
    made = Browser(world.server.port)
    made.come_in(world)
    return made
