"""What a test does when this machine lacks a tool: skip here, fail in CI.

if shutil.which("java") is None:
    missing("Java 11 or newer is not on PATH")
"""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """End the running test, or the fixture it asked for, because a tool is not there."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
