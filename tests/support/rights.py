"""Rights on a practice cluster: an assistant that may only act for people, and what Dana and the leads may."""

from __future__ import annotations

import re
from pathlib import Path

ASSISTANT = "system:serviceaccount:platform:chatops"
_PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
_ROLE = re.search(r"```yaml rbac-impersonate\n(.*?)```", _PAGE.read_text(), re.DOTALL)
assert _ROLE is not None, "docs/operations.md shows no role for impersonation"

RIGHTS = f"""
{_ROLE[1]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: chatops-impersonate}}
roleRef: {{kind: ClusterRole, name: chatops-impersonate, apiGroup: rbac.authorization.k8s.io}}
subjects: [{{kind: ServiceAccount, name: chatops, namespace: platform}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: dana-looks, namespace: shop}}
roleRef: {{kind: ClusterRole, name: view, apiGroup: rbac.authorization.k8s.io}}
subjects: [{{kind: User, name: dana@acme.test}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: leads-edit, namespace: shop}}
roleRef: {{kind: ClusterRole, name: edit, apiGroup: rbac.authorization.k8s.io}}
subjects: [{{kind: Group, name: "chatops:leads"}}]
"""
