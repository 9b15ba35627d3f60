"""A deploy that another pipeline made: one message in the deploys channel, brought up to date as it moves."""

from __future__ import annotations

from chatops.kernel.commits import Between
from chatops.kernel.durations import lasted
from chatops.notices.outside import Outside
from chatops.slack.mrkdwn import bold, escape, link, quoted, when
from chatops.slack.views.blocks import Message, context, fallback, section
from chatops.slack.views.commits import commits

_MARK = {"queued": "⏳", "running": "🚀", "succeeded": "✅", "failed": "❌", "rolled_back": "↩️"}
_SAID = {
    "queued": "is queued", "running": "is being deployed", "succeeded": "was deployed", "failed": "failed",
    "rolled_back": "was rolled back",
}  # fmt: skip


def outside(deploy: Outside, known: bool, between: Between, now: float) -> Message:
    """What, from what to what, where, how it stands, who, which pipeline; ``known``: the catalog has the service."""
    change = " → ".join(escape(one, 80) for one in (deploy.before, deploy.version) if one)
    place = escape(deploy.environment, 60)
    first = f"{_MARK[deploy.stage]} {bold(escape(deploy.service, 80))} {change} {_SAID[deploy.stage]} in {place}"
    took = deploy.changed_at - deploy.started_at
    if deploy.stage in ("succeeded", "failed", "rolled_back"):
        first += f" {'in' if deploy.stage == 'succeeded' else 'after'} {lasted(took)}" if took >= 1 else ""
    else:
        first += f" since {when(deploy.started_at, now)}"
    lines = [first, quoted(deploy.text, 300) if deploy.text else "", *commits(between)]
    small = [
        f"by {escape(deploy.by, 80)}" if deploy.by else "", f"told by {escape(deploy.source, 120)}",
        "" if known else "not in the catalog", link(deploy.link, "the pipeline's page") if deploy.link else "",
    ]  # fmt: skip
    blocks = [section("\n".join(line for line in lines if line)), context(" · ".join(one for one in small if one))]
    return Message(fallback([line for line in lines if line]), blocks, moment=deploy.stage)
