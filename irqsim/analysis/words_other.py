"""The words for timers, idling, hotplug, and what ftrace itself writes.

Source: kernel/time; kernel/cpu.c; kernel/trace.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words

_TIMER_C: Final = "kernel/time/timer.c"
_HRTIMER_C: Final = "kernel/time/hrtimer.c"
_CPU_C: Final = "kernel/cpu.c"

OTHER_WORDS: Final = (
    Words(
        "timer_init", "kernel",
        "a timer is set up",
        "타이머 초기화",
        "init_timer_key", _TIMER_C,
    ),
    Words(
        "timer_start", "kernel",
        "arms a timer of the wheel: {function} not before {jiffies} jiffies from now, on a tick",
        "타이머 휠에 타이머 등록: {function} 함수는 지금부터 {jiffies} 지피(jiffies)가 지난 뒤의 "
        "틱에서 실행",
        "__mod_timer", _TIMER_C,
    ),
    Words(
        "timer_expire_entry", "driver",
        "the timer's function {function} runs, in softirq context: it must not sleep",
        "타이머 함수 {function} 실행 시작: Soft IRQ 컨텍스트이므로 휴면 불가",
        "call_timer_fn", _TIMER_C,
    ),
    Words(
        "timer_expire_exit", "driver",
        "the timer's function has returned",
        "타이머 함수 종료",
        "call_timer_fn", _TIMER_C,
    ),
    Words(
        "timer_cancel", "kernel",
        "the timer is taken off the wheel: it expires, or is cancelled",
        "타이머를 타이머 휠에서 제거: 만료되었거나 취소됨",
        "detach_timer", _TIMER_C,
    ),
    Words(
        "timer_base_idle", "kernel",
        "the timer wheel of CPU {cpu_to} changes between idle and busy",
        "CPU {cpu_to}의 타이머 휠이 아이들 상태로 바뀌거나 아이들 상태에서 벗어남",
        "timer_base_try_to_set_idle", _TIMER_C,
    ),
    Words(
        "hrtimer_init", "kernel",
        "a high-resolution timer is set up",
        "고해상도 타이머 초기화",
        "hrtimer_init", _HRTIMER_C,
    ),
    Words(
        "hrtimer_start", "kernel",
        "arms a high-resolution timer for {expires} ns: {function}",
        "고해상도 타이머 등록: {expires} ns에 {function} 함수 실행",
        "hrtimer_start_range_ns", _HRTIMER_C,
    ),
    Words(
        "hrtimer_expire_entry", "kernel",
        "a high-resolution timer expires: {function} runs",
        "고해상도 타이머 만료: {function} 함수 실행",
        "__run_hrtimer", _HRTIMER_C,
    ),
    Words(
        "rule.tick", "kernel",
        "this is the tick: jiffies, the account of {who}, timers that are due (TIMER), RCU, load "
        "balancing (SCHED)",
        "주기 틱: 지피(jiffies) 갱신, {who}의 실행 시간 계산, 만료된 타이머(TIMER), RCU, 로드 "
        "밸런싱(SCHED) 확인",
        "{tick}", "kernel/time/tick-sched.c",
    ),
    Words(
        "hrtimer_expire_exit", "kernel",
        "the timer's function has returned",
        "고해상도 타이머 함수 종료",
        "__run_hrtimer", _HRTIMER_C,
    ),
    Words(
        "hrtimer_cancel", "kernel",
        "a high-resolution timer is taken off its queue",
        "고해상도 타이머를 큐에서 제거",
        "__remove_hrtimer", _HRTIMER_C,
    ),
    Words(
        "tick_stop", "kernel",
        "CPU {cpu} idles: its tick is stopped until the next timer is due",
        "CPU {cpu} 아이들 상태: 다음 타이머 만료 시각까지 틱을 정지",
        "tick_nohz_stop_tick", "kernel/time/tick-sched.c",
    ),
    Words(
        "tick_stop.kept", "kernel",
        "the tick of CPU {cpu} cannot be stopped: something needs it (dependency={dependency})",
        "CPU {cpu}의 틱을 정지할 수 없음: 틱이 필요한 이유가 있음(dependency={dependency})",
        "check_tick_dependency", "kernel/time/tick-sched.c",
    ),
    Words(
        "cpu_idle", "processor",
        "CPU {cpu_to} waits for an interrupt, in idle state {state}",
        "CPU {cpu_to}이(가) 아이들 상태 {state}에서 인터럽트를 기다림",
        "default_idle_call", "kernel/sched/idle.c",
    ),
    Words(
        "cpu_idle.exit", "processor",
        "CPU {cpu_to} goes on: its wait is over",
        "CPU {cpu_to}이(가) 아이들 상태에서 깨어남",
        "default_idle_call", "kernel/sched/idle.c",
    ),
    Words(
        "cpuhp_enter", "kernel",
        "hotplug: CPU {cpu_to} goes through the step {step}",
        "CPU 핫플러그: CPU {cpu_to}의 {step} 단계 수행",
        "cpuhp_invoke_callback", _CPU_C,
    ),
    Words(
        "cpuhp_multi_enter", "kernel",
        "hotplug: CPU {cpu_to} goes through the step {step}, once for each instance",
        "CPU 핫플러그: CPU {cpu_to}의 {step} 단계를 인스턴스마다 수행",
        "cpuhp_invoke_callback", _CPU_C,
    ),
    Words(
        "cpuhp_exit", "kernel",
        "hotplug: the step of CPU {cpu_to} has returned {ret}",
        "CPU 핫플러그: CPU {cpu_to}의 단계 종료, 반환값 {ret}",
        "cpuhp_invoke_callback", _CPU_C,
    ),
    Words(
        "print", "driver",
        "{who} writes into the trace: trace_printk() in {ip}",
        "{who}이(가) 트레이스에 기록: {ip} 함수의 trace_printk()",
        "__trace_bprintk", "kernel/trace/trace.c",
    ),
    Words(
        "print.marker", "kernel",
        "{who} writes into the trace, by the file trace_marker",
        "{who}이(가) trace_marker 파일로 트레이스에 기록",
        "tracing_mark_write", "kernel/trace/trace.c",
    ),
    Words(
        "function", "kernel",
        "{ip} is called, by {parent_ip}",
        "{parent_ip}에서 {ip} 함수 호출",
        "function_trace_call", "kernel/trace/trace_functions.c",
    ),
    Words(
        "kernel_stack", "kernel",
        "the call chain of the line above, innermost first",
        "윗줄의 콜 스택, 가장 안쪽 함수부터 표시",
        "__ftrace_trace_stack", "kernel/trace/trace.c",
    ),
    Words(
        "unknown", "kernel",
        "a tracepoint that irqsim does not know: {name}",
        "irqsim이 모르는 트레이스포인트: {name}",
        "trace_event_buffer_commit", "kernel/trace/trace_events.c",
    ),
)  # fmt: skip
