"""lab: the fixtures of a network of hosts, each a network namespace."""
import contextlib

import pytest

from lab import Network


@pytest.fixture
def net():
    """Client, router and origin; a module may have another one of its own."""
    with Network() as made:
        yield made


@pytest.fixture
def network():
    """Makes a network as Network() does; it is closed behind the test."""
    with contextlib.ExitStack() as made:
        yield lambda *uplinks, **how: made.enter_context(Network(*uplinks, **how))
