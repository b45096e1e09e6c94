"""torture: one test at a time, since each takes the machine for itself."""
import pytest

from torture import LONG, network


@pytest.fixture
def net():
    with network() as made:
        yield made


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name == "torture":
            item.add_marker(pytest.mark.xdist_group("torture"))
            item.add_marker(pytest.mark.limit(5400 if LONG else 1800))
