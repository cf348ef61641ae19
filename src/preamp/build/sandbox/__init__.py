"""Running programs that are not trusted: `probe()` finds the best way this machine offers."""

from preamp.build.sandbox.base import (
    Launch,
    Limits,
    Network,
    Rejected,
    Running,
    Sandbox,
    SandboxReport,
    Tier,
)
from preamp.build.sandbox.probe import probe

__all__ = [
    "Launch",
    "Limits",
    "Network",
    "Rejected",
    "Running",
    "Sandbox",
    "SandboxReport",
    "Tier",
    "probe",
]
