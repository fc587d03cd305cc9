"""One cluster of three nodes for all tests: it takes ten seconds to come up."""

from collections.abc import Iterator

import pytest

from lab import mounts
from lab.cluster import Lab, cluster

from .site import records


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """Three nodes that serve the share docs to alice, at 10.77.0.100 to 102."""
    mounts.enter_private_namespace()
    with cluster() as made:
        made.node(1).apply(*records(made))
        mounts.until(made.settled, "every address is on a node", 60)
        yield made


@pytest.fixture(autouse=True)
def whole(lab: Lab) -> Iterator[None]:
    """Each test begins and ends with three healthy members."""
    mounts.until(lambda: lab.healthy() and lab.settled(), "all members are healthy", 60)
    yield
    lab.mend()
