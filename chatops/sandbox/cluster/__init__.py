"""The practice cluster: a Kubernetes API on loopback, for tests and for the demo.

`PracticeCluster` runs it inside a program, `python -m chatops.sandbox.cluster` as a process of its own.
"""

from .access import User
from .faults import Fault
from .pace import Pace
from .server import ADMIN_TOKEN, APPLIED_BY, PracticeCluster

__all__ = ["ADMIN_TOKEN", "APPLIED_BY", "Fault", "Pace", "PracticeCluster", "User"]
