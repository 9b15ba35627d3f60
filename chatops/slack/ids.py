"""Every id that Slack hands back to us: of buttons, inputs, blocks, modals and shortcuts."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

# Buttons of a request's card and of its approvers' reply. Value: {"r": 1042, "d": "7f3a9c01"} (see `value`).
APPROVE = "approve"
REJECT = "reject"
WITHDRAW = "withdraw"
CANCEL = "cancel"
WAIT = "wait"
REPLACE = "replace"
START = "start"
BREAK_GLASS = "break_glass"
FULL_DIFF = "full_diff"

# Buttons that stand for a line as somebody would type it. Value: {"line": "deploy checkout"}.
ROLL_BACK = "roll_back"  # opens the form of its line
LINE = re.compile(r"^line:\d+$")  # runs its line
FORM = re.compile(r"^form:\d+$")  # opens the form of its line
LINK = re.compile(r"^link(:.*)?$")  # a button with a url: Slack reports the click, there is nothing to do

VOTES = (APPROVE, WITHDRAW)  # decided by the click itself; REJECT asks for a reason first
CHOICES = (CANCEL, WAIT, REPLACE, START)  # likewise; BREAK_GLASS asks for a reason first
REASONED = (REJECT, BREAK_GLASS)

# Modals (callback ids).
FORM_VIEW = "form"  # the inputs of one action
REASON_VIEW = "reason"  # why somebody rejects or breaks the glass
LINE_VIEW = "ask"  # one line, as typed after /platform
DIFF_VIEW = "diff"

# Shortcuts (callback ids; manifest.yml names them too).
SHORTCUT = "ask_platform"
MESSAGE_SHORTCUT = "ask_platform_here"
TIMELINE_SHORTCUT = "add_to_timeline"
INCIDENT_SHORTCUT = "open_incident"
QUESTION_SHORTCUT = "ask_team"

COMMAND = "/platform"

# Blocks and elements of a form. An input's block carries its name, so that field errors find it.
BLOCK = "in:"
INPUT = "value"  # action id of what only counts on submit
SERVICE_SELECT = "pick_service"  # external select over the catalog
ENVIRONMENT_SELECT = "pick_environment"  # static up to 100 environments, external above
PICK = "pick"  # any other input on which something depends
PICKED = re.compile(rf"^({SERVICE_SELECT}|{ENVIRONMENT_SELECT}|{PICK})(~.*)?$")  # the form follows what is chosen
BACK = "back"  # one step back in a form of several
INFO = "info"  # the block that tells what runs there now and what policy will ask for


def marked(action_id: str, mark: str) -> str:
    """An element's action id with a mark of what it offers: another mark is another element to Slack."""
    return f"{action_id}~{mark}" if mark else action_id


def mark_of(action_id: str) -> str:
    """The mark of a preset value in an action id, or empty."""
    return action_id.rpartition("~")[2] if "~" in action_id else ""


def line_button(number: int) -> str:
    """The action id of the n-th button that runs its line."""
    return f"line:{number}"


def form_button(number: int) -> str:
    """The action id of the n-th button that opens the form of its line."""
    return f"form:{number}"


def value(request: int, digest: str = "") -> str:
    """The value of a card's button: the request, and the start of the digest its card showed."""
    return json.dumps({"r": request, "d": digest}, separators=(",", ":"))


def line_value(line: str) -> str:
    """The value of a button that stands for a line; Slack takes 2,000 characters, so an overlong reason is cut."""
    for length in (len(line), 1900, 600, 250):
        packed = json.dumps({"line": line[:length]}, separators=(",", ":"), ensure_ascii=False)
        if len(packed) <= 2000:
            return packed
    return json.dumps({"line": ""})


def read_value(packed: Any) -> Mapping[str, Any]:
    """What `value` or `line_value` packed; empty for anything else (a card of an older version, a forged value)."""
    try:
        found = json.loads(packed)
    except (TypeError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def block_of(name: str) -> str:
    """The block id of an input."""
    return BLOCK + name


def input_of(block_id: str) -> str:
    """The input's name behind a block id, or empty."""
    return block_id[len(BLOCK) :] if block_id.startswith(BLOCK) else ""
