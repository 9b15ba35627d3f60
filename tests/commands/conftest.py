"""The practice cluster and the adapter, as in the tests of the adapter."""

from tests.cluster.conftest import calls, cluster, clusters, hasty

__all__ = ["calls", "cluster", "clusters", "hasty"]
