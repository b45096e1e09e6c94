"""
The demo goes through to its end, quickly, with root and without, and is plain text when nobody
watches.
"""

import os
import subprocess
import sys

import pytest

from policy import ROOT

DEMO = ROOT / "tests" / "lab" / "demo"


def _run(**how):
    done = subprocess.run([sys.executable, str(DEMO)], capture_output=True, text=True, timeout=30,
                          check=False, **how)
    assert done.returncode == 0, f"the demo's exit status\n{done.stdout[-2000:]}{done.stderr}"
    sentence = "Intercepted connection from 10.10.10.2:34316 destined for 203.0.113.8:80"
    assert sentence in done.stdout, done.stdout
    assert "\033" not in done.stdout, "colours although nobody watches"
    return done


def test_demo():
    """demo: goes through to its end"""
    _run()


@pytest.mark.root
def test_unprivileged():
    """demo: goes through without root"""
    if not os.access(DEMO, os.R_OK):
        pytest.skip("the folder is closed to others")
    probe = subprocess.run(["cat", str(DEMO)], user=65534, group=65534, extra_groups=[],
                           capture_output=True, check=False)
    if probe.returncode != 0:
        pytest.skip("this folder cannot be read by another user")
    _run(user=65534, group=65534, extra_groups=[], env={"PATH": os.environ["PATH"]} | (
        {"TPC": os.environ["TPC"]} if "TPC" in os.environ else {}))
