"""Control groups (v2) for the lab, on a hierarchy where nft looks for them.

A case takes one with `with control_group() as (name, path):`; below it may make more. Control groups
are the machine's, not the namespace's: the name has our process id, and all of it is gone afterwards.
"""

import contextlib
import os

import ns
from suite import Skip


@contextlib.contextmanager
def control_group():
    name = f"tpc-lab-{os.getpid()}"
    path = f"/sys/fs/cgroup/{name}"
    try:
        ns.mount("none", "/sys/fs/cgroup", "cgroup2")
    except OSError as error:
        raise Skip(f"no cgroup v2 hierarchy can be mounted here ({error.strerror})") from error
    try:
        try:
            os.mkdir(path)
        except OSError as error:
            raise Skip(f"no control group can be made here ({error.strerror})") from error
        yield name, path
    finally:
        for folder, _, _ in os.walk(path, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        ns.umount("/sys/fs/cgroup")
