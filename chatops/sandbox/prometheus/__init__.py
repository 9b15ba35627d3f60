"""The practice Prometheus: what one would measure of the practice cluster, behind the two queries that charts need.

`PracticePrometheus` runs it inside a program. It measures what kube-state-metrics tells of Deployments and containers,
under the same names, from its start on; a query is a metric's name with labels, and nothing else of PromQL.
"""

from .server import PracticePrometheus

__all__ = ["PracticePrometheus"]
