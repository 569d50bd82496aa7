"""tracefs: what is traced, and how it is printed.

Source: kernel/trace/trace.c, kernel/trace/trace_events.c.
Differs: there are the events and options that the simulation has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import frozen

from irqsim.events import FIRST, NEVER, PRINT, Release, Tracepoint, release_number, tracepoints_in
from irqsim.kernel.entry import log_exceptions
from irqsim.kernel.state import Kernel
from irqsim.kernel.trace import record, set_events, set_tracing_on
from irqsim.proc.cpumask import read_number, read_switch
from irqsim.proc.errno import EBADF, EINVAL, FileError, not_yet
from irqsim.proc.files import TRACEFS, Args, Row, Wildcard
from irqsim.proc.system import System, shell_context
from irqsim.proc.triggers import clear_triggers, read_trigger, write_trigger

MARKER: Final = "tracing_mark_write"
OPTION_MAX: Final = 64
"""So long a write to trace_options is none."""

# -- options -----------------------------------------------------------------------------


@frozen
class Option:
    """An option of trace_options, and the releases that have it."""

    name: str
    is_on: bool = False
    since: Release = FIRST
    until: Release = NEVER
    can_change: bool = False
    is_ours: bool = False
    """No real kernel has it: it is listed while it is on."""


OPTIONS: Final = (
    Option("print-parent", is_on=True),
    Option("sym-offset"),
    Option("sym-addr"),
    Option("verbose"),
    Option("raw"),
    Option("hex"),
    Option("bin"),
    Option("block"),
    Option("fields", since=(6, 4)),
    Option("trace_printk", is_on=True),
    Option("annotate", is_on=True, can_change=True),
    Option("userstacktrace"),
    Option("sym-userobj"),
    Option("printk-msg-only"),
    Option("context-info", is_on=True),
    Option("latency-format", can_change=True),
    Option("record-cmd", is_on=True),
    Option("record-tgid", can_change=True),
    Option("overwrite", is_on=True),
    Option("disable_on_free"),
    Option("irq-info", is_on=True, can_change=True),
    Option("markers", is_on=True, can_change=True),
    Option("event-fork"),
    Option("trace_printk_dest", is_on=True, since=(6, 12)),
    Option("pause-on-trace", since=(5, 8), can_change=True),
    Option("hash-ptr", is_on=True, since=(5, 12)),
    Option("function-trace", is_on=True),
    Option("function-fork"),
    Option("display-graph"),
    Option("stacktrace", can_change=True),
    Option("test_nop_accept"),
    Option("test_nop_refuse"),
    Option("exceptions", can_change=True, is_ours=True),
)
"""In the order of the file.

Source: TRACE_FLAGS, kernel/trace/trace.h; nop_opts, kernel/trace/trace_nop.c.
"""

SWITCHABLE: Final = ("irq-info", "record-tgid", "stacktrace", "latency-format", "exceptions")
"""What `trace.options` of a scenario decides."""


def initial_options(release: str, switched_on: Iterable[str]) -> dict[str, bool]:
    """The options that a release has, as a scenario wants them."""
    number, wanted = release_number(release), tuple(switched_on)
    return {
        each.name: each.name in wanted if each.name in SWITCHABLE else each.is_on
        for each in OPTIONS
        if each.since <= number < each.until
    }


def write_options(options: dict[str, bool], text: str) -> None:
    """What a write to trace_options does.  Raises FileError.

    Source: tracing_trace_options_write(), trace_set_options().
    """
    word = text.strip()
    if len(text) >= OPTION_MAX:
        raise FileError(EINVAL, is_write=True)
    is_on = not word.startswith("no")
    set_option(options, word if is_on else word[2:], is_on)


def set_option(options: dict[str, bool], name: str, is_on: bool) -> None:
    """Switch one option.  Raises FileError."""
    if name not in options:
        raise FileError(EINVAL, is_write=True)
    if options[name] is not is_on:
        if not any(each.name == name and each.can_change for each in OPTIONS):
            raise not_yet(f"switching the trace option {name}")
        options[name] = is_on


def _trace_options(system: System, args: Args) -> str:
    options = ((name, system.options[name]) for name in _option_names(system, args))
    return "".join(f"{'' if on else 'no'}{name}\n" for name, on in options)


def _write_trace_options(system: System, args: Args, text: str) -> None:
    write_options(system.options, text)
    log_exceptions(system.kernel, system.options["exceptions"])
    _switch_stacktrace(system)


def _option_names(system: System, args: Args) -> list[str]:
    ours = [each.name for each in OPTIONS if each.is_ours]
    return [name for name, is_on in system.options.items() if is_on or name not in ours]


def _option(system: System, args: Args) -> str:
    return f"{int(system.options[args[0]])}\n"


def _write_option(system: System, args: Args, text: str) -> None:
    set_option(system.options, args[0], read_switch(text))
    log_exceptions(system.kernel, system.options["exceptions"])
    _switch_stacktrace(system)


def _switch_stacktrace(system: System) -> None:
    calls = system.kernel.call_stack
    if calls is not None:
        calls.follows_events = system.options["stacktrace"]


# -- events ------------------------------------------------------------------------------


def events_of(k: Kernel) -> list[Tracepoint]:
    """The events of a release in the order of the files: by system, the last declared first."""
    known = tracepoints_in(k.release.name)
    systems = dict.fromkeys(tracepoint.system for tracepoint in known)
    return [
        tracepoint
        for system in systems
        for tracepoint in reversed(known)
        if tracepoint.system == system
    ]


def _within(system: System, args: Args) -> list[Tracepoint]:
    """The events of a system, one of them, or all."""
    names = ("system", "name")
    return [
        tracepoint
        for tracepoint in events_of(system.kernel)
        if all(getattr(tracepoint, name) == arg for name, arg in zip(names, args, strict=False))
    ]


def _systems(system: System, args: Args) -> list[str]:
    return list(dict.fromkeys(each.system for each in events_of(system.kernel)))


def _event_names(system: System, args: Args) -> list[str]:
    return [tracepoint.name for tracepoint in _within(system, args)]


def _available_events(system: System, args: Args) -> str:
    return _list(events_of(system.kernel))


def _list(tracepoints: Iterable[Tracepoint]) -> str:
    return "".join(f"{each.system}:{each.name}\n" for each in tracepoints)


def _set_event(system: System, args: Args) -> str:
    k = system.kernel
    return _list(each for each in events_of(k) if k.trace_events[each.id])


def _clear_events(system: System, args: Args) -> None:
    set_events(system.kernel, events_of(system.kernel), False)


def _write_set_event(system: System, args: Args, text: str) -> None:
    """Word by word, up to the first that names nothing.

    Source: ftrace_event_write(), ftrace_set_clr_event().
    """
    for word in text.split():
        name = word.removeprefix("!")
        meant = [each for each in events_of(system.kernel) if _is_meant(name, each)]
        if not meant:
            raise FileError(EINVAL, is_write=True)
        set_events(system.kernel, meant, name == word)


def _is_meant(name: str, tracepoint: Tracepoint) -> bool:
    """Whether this name switches it: a system, an event, or both; ``*`` on either side alone."""
    system, colon, event = name.partition(":")
    if not colon:
        return name in (tracepoint.system, tracepoint.name)
    return system in ("", "*", tracepoint.system) and event in ("", "*", tracepoint.name)


def _enable(system: System, args: Args) -> str:
    """X where some are on and some are off."""
    on = [system.kernel.trace_events[each.id] for each in _within(system, args)]
    return "1\n" if all(on) else "X\n" if any(on) else "0\n"


def _write_enable(system: System, args: Args, text: str) -> None:
    set_events(system.kernel, _within(system, args), read_switch(text))


# -- the trace ---------------------------------------------------------------------------


def _trace(system: System, args: Args) -> str:
    return system.trace_text()


def _clear_trace(system: System, args: Args) -> None:
    system.clear_trace()


def _write_trace(system: System, args: Args, text: str) -> None:
    """Opening it for `>` has emptied it; what is written does not matter."""


def _tracing_on(system: System, args: Args) -> str:
    return f"{int(system.kernel.tracing_on)}\n"


def _write_tracing_on(system: System, args: Args, text: str) -> None:
    set_tracing_on(system.kernel, read_number(text) != 0)


def _write_trace_marker(system: System, args: Args, text: str) -> None:
    """Source: tracing_mark_write()."""
    k = system.kernel
    if not system.options["markers"]:
        raise FileError(EINVAL, is_write=True)
    if not k.tracing_on:
        raise FileError(EBADF, is_write=True)
    record(k, shell_context(system), k.events.intern(PRINT, MARKER, text.removesuffix("\n")))


def _current_tracer(system: System, args: Args) -> str:
    return f"{system.tracer}\n"


def _available_tracers(system: System, args: Args) -> str:
    return " ".join(dict.fromkeys((system.tracer, "nop"))) + "\n"


def _write_current_tracer(system: System, args: Args, text: str) -> None:
    """Source: tracing_set_trace_write()."""
    name = text.rstrip()
    if name not in (system.tracer, "nop"):
        raise FileError(EINVAL, is_write=True)
    if name != system.tracer:
        raise not_yet("changing the tracer")


CLOCKS: Final[tuple[tuple[str, Release], ...]] = (
    ("local", FIRST),
    ("global", FIRST),
    ("counter", FIRST),
    ("uptime", FIRST),
    ("perf", FIRST),
    ("mono", FIRST),
    ("mono_raw", FIRST),
    ("boot", FIRST),
    ("tai", (5, 18)),
)
"""Source: trace_clocks, kernel/trace/trace.c."""


def _clocks(system: System) -> list[str]:
    number = release_number(system.kernel.release.name)
    return [name for name, since in CLOCKS if number >= since]


def _trace_clock(system: System, args: Args) -> str:
    names = [f"[{name}]" if name == "local" else name for name in _clocks(system)]
    return " ".join(names) + "\n"


def _write_trace_clock(system: System, args: Args, text: str) -> None:
    name = text.strip()
    if name not in _clocks(system):
        raise FileError(EINVAL, is_write=True)
    if name != "local":
        raise not_yet("another trace clock")


WILDCARDS: Final = {
    "{system}": Wildcard(_systems),
    "{event}": Wildcard(_event_names),
    "{option}": Wildcard(_option_names),
}


def _row(
    path: str,
    read: Callable[[System, Args], str] | None,
    write: Callable[[System, Args, str], None] | None = None,
    truncate: Callable[[System, Args], None] | None = None,
) -> Row:
    return Row(f"{TRACEFS}/{path}", read, write, truncate)


TRACE: Final = f"{TRACEFS}/trace"
TRACE_OPTIONS: Final = f"{TRACEFS}/trace_options"
OPTIONS_DIRECTORY: Final = f"{TRACEFS}/options/"

ROWS: Final = (
    _row("available_events", _available_events),
    _row("available_tracers", _available_tracers),
    _row("current_tracer", _current_tracer, _write_current_tracer),
    _row("events/enable", _enable, _write_enable),
    _row("events/{system}/enable", _enable, _write_enable),
    _row("events/{system}/{event}/enable", _enable, _write_enable),
    _row("events/{system}/{event}/trigger", read_trigger, write_trigger, clear_triggers),
    _row("options/{option}", _option, _write_option),
    _row("set_event", _set_event, _write_set_event, _clear_events),
    _row("trace", _trace, _write_trace, _clear_trace),
    _row("trace_clock", _trace_clock, _write_trace_clock),
    _row("trace_marker", None, _write_trace_marker),
    _row("trace_options", _trace_options, _write_trace_options),
    _row("tracing_on", _tracing_on, _write_tracing_on),
)
