"""What a compute type gives a build on this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass

from preamp.build.request import BuildRequest
from preamp.build.sandbox import Limits
from preamp.model.apps import ComputeType

GIB = 1024**3
HOST_SHARE = 0.9
PROCESSES = 8192


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """As Amplify documents it."""

    name: str
    memory_gib: int
    cpus: int
    disk_gb: int


SIZES = {
    ComputeType.STANDARD_8GB: Size(name="Standard", memory_gib=8, cpus=4, disk_gb=128),
    ComputeType.LARGE_16GB: Size(name="Large", memory_gib=16, cpus=8, disk_gb=128),
    ComputeType.XLARGE_72GB: Size(name="XLarge", memory_gib=72, cpus=36, disk_gb=256),
}


def describe(compute: ComputeType) -> str:
    size = SIZES[compute]
    return (
        f"# Build environment configured with {size.name} build compute type: {size.memory_gib}GiB Memory, "
        f"{size.cpus}vCPUs, {size.disk_gb}GB Disk Space"
    )


def limits_of(request: BuildRequest) -> tuple[Limits, str | None]:
    """The limits, and a line for the log when this machine gives less than the compute type."""
    size = SIZES[request.compute_type]
    host_memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    host_cpus = len(os.sched_getaffinity(0))
    memory = min(size.memory_gib * GIB, int(host_memory * HOST_SHARE))
    if request.memory_bytes is not None:
        memory = min(memory, request.memory_bytes)
    disk = size.disk_gb * 10**9
    lacking = []
    if memory < size.memory_gib * GIB:
        lacking.append(f"{memory / GIB:.1f} GiB memory")
    if host_cpus < size.cpus:
        lacking.append(f"{host_cpus} CPUs")
    if request.disk_bytes is not None and request.disk_bytes < disk:
        disk = request.disk_bytes
        lacking.append(f"{disk / 10**9:.1f} GB disk")
    note = f"# This machine is smaller: the build gets {' and '.join(lacking)}" if lacking else None
    cpus = float(size.cpus) if size.cpus < host_cpus else None
    return Limits(memory_bytes=memory, cpus=cpus, processes=PROCESSES, disk_bytes=disk), note
