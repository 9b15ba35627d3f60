"""The practice cluster and the adapter, as in the tests of the adapter."""

from tests.cluster.conftest import calls, cluster, clusters, given_up

__all__ = ["calls", "cluster", "clusters", "given_up"]
