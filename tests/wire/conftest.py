"""Frames start nothing and open nothing, so nothing is looked for after each test."""

import pytest


@pytest.fixture(autouse=True)
def nothing_left():
    """In the place of the look at this program's children and descriptors, which takes longer than these tests."""
