"""A scenario that runs: the machine, its files, its operator, and what becomes of its trace.

This is what the command line and the library work with; they never touch the machine itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Final

from irqsim.devmem import devmem
from irqsim.errors import IrqsimError
from irqsim.events import Record, Tracepoint
from irqsim.kernel.printk import format_line
from irqsim.kernel.trace import follow_calls, set_events
from irqsim.machine import Machine
from irqsim.proc.cpumask import read_switch
from irqsim.proc.errno import FileError
from irqsim.proc.files import Files, canonical
from irqsim.proc.system import DeviceCounts, DeviceLatency, System, free_shell_pid, online_cpus
from irqsim.proc.table import files_of
from irqsim.proc.tracefs import (
    OPTIONS_DIRECTORY,
    TRACE,
    TRACE_OPTIONS,
    events_of,
    initial_options,
    set_option,
    write_options,
)
from irqsim.recording import Recording, Sink
from irqsim.records import TraceHeader
from irqsim.scenario.service import Latency
from irqsim.scenario.spec import AtCommand, AtSpec, ScenarioSpec
from irqsim.trace.ftrace import TextFormat
from irqsim.trace.output import seconds
from irqsim.trace.ring_buffer import RingBuffer

NR_SLICES: Final = 200
"""How often the progress of a run of known length is told."""

LISTED: Final = ("/proc/", "/sys/kernel/irq/", "/sys/devices/")
"""What of the machine's files a tree of them has."""

PREEMPT_MODELS: Final = {
    "none": "server",
    "voluntary": "desktop",
    "full": "preempt",
    "rt": "preempt_rt",
}
"""What the header of latency-format calls `kernel.preempt`.

Source: print_trace_header(), kernel/trace/trace.c.
"""

TERMINAL: Final = "devmem"
"""The snapshot of what `devmem` was told and said at an instant."""

Progress = Callable[[int, int | None], None]
"""Told how far the run is, and how far it goes (None: nobody knows), in ns."""

Snapshot = tuple[int, str, str]
"""When, which file (as it was typed), and what it said."""


class Simulation:
    """A machine that runs once, with all that is around it."""

    def __init__(
        self,
        spec: ScenarioSpec,
        sink: Sink,
        *,
        reads: Iterable[str] = (),
        is_pipe: bool = False,
    ) -> None:
        """`sink` is given records in batches, in their final order.

        It gets what the file `trace` holds when the run is over, or with `is_pipe` all that
        a reader of trace_pipe gets.  `reads` are files that read_file() will be asked for
        after the run.
        """
        self.spec = spec
        self.snapshots: list[Snapshot] = []
        self.on_console: Callable[[str], None] = lambda line: None
        self.trace_options = final_options(spec)
        keeps = any(canonical(path) == TRACE for path in (*reads, *_paths(spec, "cat")))
        self._recording = Recording(
            sink, ring=_ring(spec), nr_clears=_nr_clears(spec), keeps=keeps, is_pipe=is_pipe
        )
        self._can_read_trace = keeps
        self._trace_start_ns = spec.run.clock
        self._typed: deque[tuple[int, AtCommand]] = deque()
        self._progress: Progress | None = None
        self.machine = Machine(spec, self._take, self._operate)
        k = self.kernel = self.machine.kernel
        k.console = self._console
        k.hotplug.on_done = self._cpu_moved
        set_events(k, [each for each in events_of(k) if _is_wanted(spec, each)], True)
        if _wants_calls(spec):
            follow_calls(k, "stacktrace" in spec.trace.options)
        self._system = System(
            k,
            self._device_counts,
            self._device_latencies,
            self._trace_text,
            self._clear_trace,
            initial_options(k.release.name, spec.trace.options),
            spec.trace.tracer,
            free_shell_pid(k),
        )
        self.files: Files = files_of(self._system)

    # -- running -------------------------------------------------------------------------

    def run(self, progress: Progress | None = None) -> None:
        """Run to the end of the scenario, once."""
        duration_ns = self.spec.run.duration
        if duration_ns is None or progress is None:
            self._progress = progress
            self.machine.run()
        else:
            for number in range(1, NR_SLICES + 1):
                end_ns = duration_ns * number // NR_SLICES
                self.machine.run(end_ns)
                progress(end_ns, duration_ns)
                if self.panicked:
                    break
        self._recording.finish()

    @property
    def panicked(self) -> bool:
        """The simulated kernel has panicked, and the run ended there."""
        return self.kernel.panicked

    @property
    def online_cpus(self) -> int:
        """How many CPUs are online."""
        return len(online_cpus(self.kernel))

    # -- files ---------------------------------------------------------------------------

    def read_file(self, path: str) -> str:
        """What a file says now.  Raises FileError."""
        return self.files.read(path)

    def tree(self) -> Iterator[tuple[str, str]]:
        """The machine's files, by their paths relative to the root, and its log as `dmesg`.

        A path that ends in a slash is an empty directory.  The trace is not among them.
        """
        for below in LISTED:
            yield from self.files.tree(below)
        yield "dmesg", self.dmesg()

    def dmesg(self) -> str:
        """The kernel log, as `dmesg` prints it."""
        return "".join(f"{format_line(when, text)}\n" for when, _, text in self.kernel.dmesg)

    # -- the trace -----------------------------------------------------------------------

    @property
    def entries_in_buffer(self) -> int:
        """How many records the file `trace` holds."""
        return self._recording.entries_in_buffer

    @property
    def entries_written(self) -> int:
        """How many it would hold if none had been overwritten."""
        return self._recording.entries_written

    def text_format(self, layout: str | None = None) -> TextFormat:
        """How `trace` is printed when the run is over, by default in its release's layout."""
        return self._text_format(self.trace_options, layout)

    def header(self, text: TextFormat) -> str:
        """What stands above the lines of `trace`."""
        return text.header_of(self.trace_header())

    def trace_header(self) -> TraceHeader:
        """What the trace says of itself, with the counts of now."""
        kernel = self.spec.kernel
        options = self.trace_options
        return TraceHeader(
            source="latency" if "latency-format" in options else "ftrace",
            layout=self._layout(),
            tracer=self._system.tracer,
            has_irq_info="irq-info" in options,
            has_tgid="record-tgid" in options,
            clock="ns",
            nr_cpus=self.online_cpus,
            entries_in_buffer=self.entries_in_buffer,
            entries_written=self.entries_written,
            kernel_version=self.kernel.release.version,
            preempt_model=PREEMPT_MODELS[kernel.preempt],
            long_bits=64 if self.spec.machine.arch == "arm64" else 32,
        )

    def _layout(self) -> str:
        kernel = self.spec.kernel
        return "6.1-rt" if self.kernel.preempt_lazy else kernel.release

    def _text_format(self, options: tuple[str, ...], layout: str | None = None) -> TextFormat:
        return TextFormat(
            layout or self._layout(),
            irq_info="irq-info" in options,
            record_tgid="record-tgid" in options,
            latency="latency-format" in options,
            annotate="annotate" in options and self._recording.has_overrun,
            start_ns=self._trace_start_ns,
        )

    def _trace_text(self) -> str:
        if not self._can_read_trace:
            raise IrqsimError("the trace was not kept: name the file among those to be read")
        self.machine.flush()
        records = self._recording.records()
        text = self._text_format(tuple(_switched_on(self._system.options)))
        return f"{self.header(text)}{text.lines(records)}{text.finish()}"

    def _clear_trace(self) -> None:
        self.machine.flush()
        self._recording.clear()
        self._trace_start_ns = self.kernel.now_ns + self.kernel.trace_clock_ns

    # -- what the machine calls ----------------------------------------------------------

    def _operate(self, at: AtSpec, now_ns: int) -> None:
        """Do what an `[[at]]` says; what fails is said as a shell says it."""
        self._typed.extend((now_ns, command) for command in at.commands)
        self._go_on(now_ns)

    def _go_on(self, now_ns: int) -> None:
        """Do what has been typed, up to what waits for a CPU to go or to come."""
        while self._typed and self.kernel.hotplug.moving is None:
            typed_ns, command = self._typed.popleft()
            try:
                self._perform(command, typed_ns)
            except FileError as error:
                complaint = f"{command.source}: {error.reason}"
                if command.verb == "cat":
                    complaint = f"cat: {error}"
                self._console(f"irqsim: at {seconds(typed_ns)}: {complaint}")

    def _cpu_moved(self) -> None:
        """A CPU has gone or come: the shell that has waited for it goes on."""
        self.kernel.queue.schedule(self.kernel.now_ns, self._go_on)

    def _perform(self, command: AtCommand, now_ns: int) -> None:
        if command.verb == "cat":
            text = self.files.read(command.path)
            self.snapshots.append((now_ns, command.path, text))
        elif command.verb == "devmem":
            said = devmem(self.machine.gic, self._shell_cpu(), command)
            self._keep_terminal(now_ns, f"# {command.source}\n{said}")
            if said:
                self._console(f"irqsim: at {seconds(now_ns)}: {command.source}: {said.rstrip()}")
        else:
            assert command.verb == "echo", command.verb
            self.files.write(command.path, command.text, command.append)

    def _shell_cpu(self) -> int:
        return online_cpus(self.kernel)[0]

    def _keep_terminal(self, now_ns: int, text: str) -> None:
        """Keep what was typed at an instant, and what it printed, as one snapshot."""
        before = ""
        if self.snapshots and self.snapshots[-1][:2] == (now_ns, TERMINAL):
            before = self.snapshots.pop()[2]
        self.snapshots.append((now_ns, TERMINAL, before + text))

    def _take(self, records: list[Record]) -> None:
        self._recording.add(records)
        if self._progress is not None:
            self._progress(self.kernel.now_ns, None)

    def _console(self, line: str) -> None:
        self.on_console(line)

    def _device_counts(self) -> tuple[DeviceCounts, ...]:
        return tuple(self._counts_of(spec.name) for spec in self.spec.devices)

    def _counts_of(self, name: str) -> DeviceCounts:
        device, latency = self.machine.device(name), self.machine.latencies.get(name)
        nics = [nic for nic in self.machine.nics.values() if nic.device is device]
        return DeviceCounts(
            device.name,
            arrivals=device.nr_arrivals,
            merged=device.nr_merged,
            dropped=sum(nic.nr_dropped for nic in nics),
            services=device.nr_services,
            missed=0 if latency is None else latency.nr_missed,
        )

    def _device_latencies(self) -> tuple[DeviceLatency, ...]:
        return tuple(self._latency_of(each) for each in self.machine.latencies.values())

    def _latency_of(self, latency: Latency) -> DeviceLatency:
        driver = self.machine.drivers.get(latency.name)
        return DeviceLatency(
            latency.name,
            irq=None if driver is None else driver.desc.irq,
            deadline_ns=latency.deadline_ns,
            count=latency.count,
            missed=latency.nr_missed,
            total_ns=latency.total_ns,
            worst_ns=latency.worst_ns,
            worst_arrival_ns=latency.worst_arrival_ns + self.kernel.trace_clock_ns,
            buckets=tuple(sorted(latency.buckets.items())),
        )


def build(
    spec: ScenarioSpec, sink: Sink, *, reads: Iterable[str] = (), is_pipe: bool = False
) -> Simulation:
    """Make a simulation of a scenario, ready to run.  See Simulation for the arguments."""
    return Simulation(spec, sink, reads=reads, is_pipe=is_pipe)


def final_options(spec: ScenarioSpec) -> tuple[str, ...]:
    """The trace options that are on when a run is over, after all that the operator writes."""
    options = initial_options(spec.kernel.release, spec.trace.options)
    for command in _commands(spec, "echo"):
        path = canonical(command.path)
        try:
            if path == TRACE_OPTIONS and command.text:
                write_options(options, command.text)
            elif path.startswith(OPTIONS_DIRECTORY) and command.text:
                name = path.removeprefix(OPTIONS_DIRECTORY)
                set_option(options, name, read_switch(command.text))
        except FileError:
            continue
    return tuple(_switched_on(options))


def _wants_calls(spec: ScenarioSpec) -> bool:
    """Whether a stack trace may be wanted at some time of the run."""
    return "stacktrace" in spec.trace.options or any(
        "stacktrace" in command.text or command.path.endswith(("/trigger", "/stacktrace"))
        for command in _commands(spec, "echo")
    )


def _switched_on(options: dict[str, bool]) -> list[str]:
    return [name for name, is_on in options.items() if is_on]


def _commands(spec: ScenarioSpec, verb: str) -> Iterator[AtCommand]:
    """The operator's commands of one verb, in the order in which they come."""
    end_ns = spec.run.duration
    for at in sorted(spec.ats, key=lambda at: at.time):
        if end_ns is None or at.time < end_ns:
            for command in at.commands:
                if command.verb == verb:
                    yield command


def _paths(spec: ScenarioSpec, verb: str) -> list[str]:
    return [command.path for command in _commands(spec, verb)]


def _nr_clears(spec: ScenarioSpec) -> int:
    """How often the operator empties the trace."""
    echoes = _commands(spec, "echo")
    return sum(canonical(each.path) == TRACE and not each.append for each in echoes)


def _ring(spec: ScenarioSpec) -> RingBuffer | None:
    size_kb = spec.trace.buffer_size_kb
    if size_kb is None:
        return None
    long_bits = 32 if spec.machine.arch == "arm" else 64
    return RingBuffer(spec.machine.cpus, size_kb, release=spec.kernel.release, long_bits=long_bits)


def _is_wanted(spec: ScenarioSpec, tracepoint: Tracepoint) -> bool:
    """Whether `trace.events` names it: a system, an event or both, with ``*`` anywhere."""
    system, name = tracepoint.system, tracepoint.name
    for pattern in spec.trace.events:
        left, colon, right = pattern.partition(":")
        if colon and fnmatchcase(system, left or "*") and fnmatchcase(name, right or "*"):
            return True
        if not colon and (fnmatchcase(system, left) or fnmatchcase(name, left)):
            return True
    return False
