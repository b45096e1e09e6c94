"""The rules of the house, a test each (tests/lint.py has them)."""
import pytest

import lint

pytestmark = pytest.mark.xdist_group("lint")


@pytest.fixture(scope="module")
def project():
	return lint.Project()


@pytest.mark.parametrize("rule", lint.RULES)
def test_rule(rule, project):
	"""lint: {rule}"""
	try:
		places = list(lint.RULES[rule](project))
	except lint.Missing as why:
		pytest.skip(str(why))
	assert not places, "\n".join(places)
