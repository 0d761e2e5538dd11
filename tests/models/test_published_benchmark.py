"""Compare published networks with the modules of torchvision, timm and transformers."""

import subprocess
import sys
from importlib.util import find_spec

import pytest

LIBRARIES = ("torch", "torchvision", "timm", "transformers")
MISSING = [name for name in LIBRARIES if find_spec(name) is None]


@pytest.mark.slow
@pytest.mark.skipif(bool(MISSING), reason=f"without {', '.join(MISSING)} (the extra [bench])")
def test_logits_match_those_of_the_libraries():
    command = [sys.executable, "-m", "benchmarks.published"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.split()[0] for line in done.stdout.splitlines() if line.strip()]
    assert [lines.count(name) for name in LIBRARIES[1:]] == [5, 6, 5]
