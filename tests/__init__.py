"""The suites, one folder each. Assertions in what they share are explained like those in the tests."""

import pytest

pytest.register_assert_rewrite("tests.harness", "tests.servers.views")
