"""The triggers of events: what else is to happen when one does.

Source: kernel/trace/trace_events_trigger.c.
Differs: there is the trigger stacktrace, without a filter.
"""

from __future__ import annotations

from typing import Final

from irqsim.events import TRACEPOINT_BY_NAME
from irqsim.kernel.call_stack import UNLIMITED, CallStack
from irqsim.proc.errno import EEXIST, EINVAL, FileError, not_yet
from irqsim.proc.files import Args
from irqsim.proc.system import System

KNOWN: Final = (
    "traceon", "traceoff", "snapshot", "stacktrace", "enable_event", "disable_event",
    "enable_hist", "disable_hist", "hist",
)  # fmt: skip
TRIGGER: Final = "stacktrace"


def read_trigger(system: System, args: Args) -> str:
    """events/SYSTEM/EVENT/trigger.  Source: trigger_show, event_trigger_print."""
    calls = system.kernel.call_stack
    left = None if calls is None else calls.triggers.get(_event(args))
    if left is None:
        return f"# Available triggers:\n# {' '.join(KNOWN)}\n"
    return f"{TRIGGER}:{'unlimited' if left == UNLIMITED else f'count={left}'}\n"


def write_trigger(system: System, args: Args, text: str) -> None:
    """Set a trigger, or take it away (`!`).  Raises FileError.

    Source: trigger_process_regex, event_trigger_parse, register_trigger.
    """
    words = text.split()
    if not words:
        return
    command, colon, number = words[0].removeprefix("!").partition(":")
    if command not in KNOWN:
        raise FileError(EINVAL, is_write=True)
    if command != TRIGGER or len(words) > 1:
        raise not_yet(f"the trigger {text.strip()}")
    triggers = _calls(system).triggers
    if words[0].startswith("!"):
        triggers.pop(_event(args), None)
        return
    if colon and not number.isdecimal():
        raise FileError(EINVAL, is_write=True)
    if _event(args) in triggers:
        raise FileError(EEXIST, is_write=True)
    triggers[_event(args)] = int(number) if colon else UNLIMITED


def clear_triggers(system: System, args: Args) -> None:
    """Opening the file for `>` takes them away.  Source: event_trigger_regex_open."""
    calls = system.kernel.call_stack
    if calls is not None:
        calls.triggers.pop(_event(args), None)


def _calls(system: System) -> CallStack:
    calls = system.kernel.call_stack
    if calls is None:
        # They are followed from the start of a run whose scenario sets one.
        raise not_yet("a trigger that the scenario does not set")
    return calls


def _event(args: Args) -> int:
    return TRACEPOINT_BY_NAME[args[1]].id
