"""The labels and annotations on what declared actions make, and on the catalog's entries."""

from __future__ import annotations

REQUEST = "chatops/request"  # label: R-1042
REQUESTER = "chatops/requester"  # label: the Slack id
TEAM = "chatops/team"  # label: the owning team's name
EXPIRES_AT = "chatops/expires-at"  # annotation: RFC 3339; written when the step runs, not part of the plan
CATALOG = "chatops/catalog"  # label: `service` on a ConfigMap that is an entry of the catalog
