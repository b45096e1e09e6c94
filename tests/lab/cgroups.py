"""Control groups (v2) for the lab, on a hierarchy where nft looks for them.

A case takes one with `with control_group() as (name, path):`; below it may make more. Control groups
are the machine's, not the namespace's: the name has our process id, and all of it is gone afterwards.
"""

import contextlib
import os
import re

import pytest

import ns


@contextlib.contextmanager
def control_group():
    name = f"tpc-lab-{os.getpid()}"
    path = f"/sys/fs/cgroup/{name}"
    try:
        ns.mount("none", "/sys/fs/cgroup", "cgroup2")
    except OSError as error:
        pytest.skip(f"no cgroup v2 hierarchy can be mounted here ({error.strerror})")
    try:
        try:
            os.mkdir(path)
        except OSError as error:
            pytest.skip(f"no control group can be made here ({error.strerror})")
        yield name, path
    finally:
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        ns.umount("/sys/fs/cgroup")


@contextlib.contextmanager
def slices(text):
    """
    A policy's text whose slices are there, and where: each work.slice that it names is one below a
    control group of this process' own, and is named so.
    """
    if not ns.all_ids():
        pytest.skip("a control group of one's own needs root; run this as root")
    names = set(re.findall(r"\b[a-z]+\.slice\b", text))
    with control_group() as (above, path):
        for name in names:
            os.mkdir(f"{path}/{name}")
        yield re.sub(r"\b([a-z]+\.slice)\b", rf"{above}/\1", text), \
            {name: f"{path}/{name}" for name in names}
