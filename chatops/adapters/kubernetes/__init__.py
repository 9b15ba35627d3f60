"""Kubernetes through the official asynchronous client.

Objects stay the dicts that the API gives, so fields this client's release does not know survive a round trip.
"""

from chatops.adapters.kubernetes.clusters import KubernetesClusters
from chatops.adapters.kubernetes.connection import Patience

__all__ = ["KubernetesClusters", "Patience"]
