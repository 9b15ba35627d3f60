"""The practice cluster: a Kubernetes API on loopback, for tests and for the demo.

`PracticeCluster` runs it inside a program, `python -m chatops.sandbox.cluster` as a process of its own. A further kind
of object is one line, `cluster.registry.add(Resource("acme.test", "v1", "widgets", "Widget"))`, or a
CustomResourceDefinition among the manifests.
"""

from .access import User
from .faults import Fault
from .pace import Pace
from .resources import Resource
from .server import ADMIN_TOKEN, APPLIED_BY, PracticeCluster

__all__ = ["ADMIN_TOKEN", "APPLIED_BY", "Fault", "Pace", "PracticeCluster", "Resource", "User"]
