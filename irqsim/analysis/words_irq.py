"""The words for hard interrupts: flow handlers, handlers, IPIs.

Source: drivers/irqchip; kernel/irq; kernel/softirq.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words

_SOFTIRQ_C: Final = "kernel/softirq.c"
_HANDLE_C: Final = "kernel/irq/handle.c"
_CHIP_C: Final = "kernel/irq/chip.c"
_MANAGE_C: Final = "kernel/irq/manage.c"
_SPURIOUS_C: Final = "kernel/irq/spurious.c"

IRQ_WORDS: Final = (
    # -- from the vector to the handler ---------------------------------------------------
    Words(
        "irq_enter", "kernel",
        "saves the registers as pt_regs; irq_enter() adds HARDIRQ_OFFSET to preempt_count: from "
        "here on it is interrupt context",
        "레지스터를 pt_regs로 저장. irq_enter()가 preempt_count에 HARDIRQ_OFFSET을 더하여 이 "
        "지점부터 인터럽트 컨텍스트",
        "{irq_enter}", _SOFTIRQ_C,
    ),
    Words(
        "line.spi", "kernel",
        "reads IAR: INTID {hwirq}, the shared peripheral interrupt SPI {number} ({trigger}); its "
        "irq_desc is that of irq {irq}, whose flow handler is {flow}()",
        "IAR를 읽어 INTID {hwirq} 확인: 공유 주변장치 인터럽트 SPI {number} ({trigger} 트리거). "
        "irq {irq}의 인터럽트 디스크립터를 찾아 플로우 핸들러 {flow}() 함수를 호출",
        "{root}", "{gic_file}",
    ),
    Words(
        "line.ppi", "kernel",
        "reads IAR: INTID {hwirq}, this CPU's private interrupt; its irq_desc is that of irq "
        "{irq}, whose flow handler is {flow}()",
        "IAR를 읽어 INTID {hwirq} 확인: 이 CPU 전용 주변장치 인터럽트(PPI). irq {irq}의 인터럽트 "
        "디스크립터를 찾아 플로우 핸들러 {flow}() 함수를 호출",
        "{root}", "{gic_file}",
    ),
    Words(
        "line.sgi", "kernel",
        "reads IAR: INTID {hwirq}, software-generated: another CPU, or this one, has sent an "
        "IPI; irq {irq}, flow handler {flow}()",
        "IAR를 읽어 INTID {hwirq} 확인: 소프트웨어가 발생시킨 인터럽트(SGI), 즉 다른 CPU나 "
        "자신이 보낸 IPI. irq {irq}, 플로우 핸들러 {flow}()",
        "{root}", "{gic_file}",
    ),
    Words(
        "line.percpu", "kernel",
        "the controller names a per-CPU interrupt, irq {irq}: no lock and no sharing, one handler",
        "인터럽트 컨트롤러가 CPU별 인터럽트 irq {irq} 통지: 락도 공유도 없이 핸들러 하나만 호출",
        "handle_percpu_devid_irq", _CHIP_C,
    ),
    Words(
        "line.unknown", "kernel",
        "the controller names the line: irq {irq}, by whose irq_desc the flow handler and the "
        "handlers are found",
        "인터럽트 컨트롤러가 인터럽트 라인을 통지: irq {irq}. 인터럽트 디스크립터에서 플로우 "
        "핸들러와 인터럽트 핸들러를 찾음",
        "__handle_irq_event_percpu", _HANDLE_C,
    ),
    Words(
        "line.chip", "kernel",
        "line {hwirq} of the controller {chip}: its IRQ domain says irq {irq}, whose flow "
        "handler is {flow}()",
        "인터럽트 컨트롤러 {chip}의 {hwirq}번 라인: IRQ 도메인에서 irq {irq}을(를) 찾아 플로우 "
        "핸들러 {flow}() 함수를 호출",
        "{resolve}", "kernel/irq/irqdesc.c",
    ),
    Words(
        "rule.same_exception", "kernel",
        "still in the same exception: the controller has one more interrupt",
        "같은 익셉션에서 계속: 인터럽트 컨트롤러에 처리할 인터럽트가 더 있음",
        "{root}", "{gic_file}",
    ),
    Words(
        "rule.gic_loop", "kernel",
        "gic_handle_irq() reads IAR until nothing is left (1023): this may be the exception of "
        "the interrupt above, or the next one",
        "gic_handle_irq() 함수는 남은 인터럽트가 없을 때(1023)까지 IAR를 읽음: 위 인터럽트와 "
        "같은 익셉션일 수도, 다음 익셉션일 수도 있음",
        "{root}", "{gic_file}",
    ),
    Words(
        "rule.in_softirq", "kernel",
        "{vector} is interrupted, softirqs being served on this CPU: at the end of this "
        "interrupt in_interrupt() is still true, and what it raises waits for the next pass",
        "이 CPU에서 처리 중이던 Soft IRQ({vector})가 인터럽트됨: 이 인터럽트가 끝나도 "
        "in_interrupt()가 여전히 참이므로, 여기서 요청된 Soft IRQ는 다음 차례에 처리",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.between_softirqs", "kernel",
        "softirqs are being served on this CPU, though none has begun or one has just ended: at "
        "the end of this interrupt in_interrupt() is still true, and what it raises waits for "
        "the next pass",
        "이 CPU에서 Soft IRQ 처리 중이지만 아직 시작되지 않았거나 방금 하나가 끝난 시점: 이 "
        "인터럽트가 끝나도 in_interrupt()가 여전히 참이므로, 여기서 요청된 Soft IRQ는 다음 "
        "차례에 처리",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.bh_off", "kernel",
        "bottom halves are off in {who}: what this interrupt raises does not run at its end, but "
        "in local_bh_enable()",
        "{who} 코드가 인터럽트 후반부 처리를 막아 둔 상태: 이 인터럽트가 요청한 Soft IRQ는 "
        "인터럽트가 끝날 때가 아니라 local_bh_enable()에서 처리",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.oneshot", "kernel",
        "IRQF_ONESHOT: masks irq {irq} before the handler; it stays masked until its thread is "
        "done",
        "IRQF_ONESHOT: 핸들러 호출 전에 irq {irq} 라인을 마스크하고, IRQ 스레드가 끝날 때까지 "
        "마스크 상태를 유지",
        "{flow}", _CHIP_C,
    ),
    Words(
        "rule.nmi", "kernel",
        "a pseudo-NMI: its priority is above the mask by which interrupts are off, so that "
        "nothing holds it back; it takes no lock",
        "의사 NMI(pseudo-NMI): 인터럽트를 막는 우선순위 마스크보다 우선순위가 높아 인터럽트 "
        "비활성화 구간에서도 발생하며, 락을 잡지 않음",
        "handle_fasteoi_nmi", _CHIP_C,
    ),
    Words(
        "rule.resent", "kernel",
        "replay: irq {irq} came while it was disabled, and its controller cannot be made to "
        "repeat it; a tasklet calls its flow handler instead",
        "재실행(replay): irq {irq}이(가) 비활성화된 동안 발생했고 인터럽트 컨트롤러가 다시 "
        "발생시킬 수 없으므로, 태스크릿이 대신 플로우 핸들러를 호출",
        "resend_irqs", "kernel/irq/resend.c",
    ),
    Words(
        "rule.polled", "kernel",
        "no interrupt: a timer calls the handlers of irq {irq}, as if the line had fired",
        "인터럽트가 아님: 타이머가 irq {irq} 라인을 폴링하여 인터럽트가 발생한 것처럼 핸들러를 "
        "호출",
        "handle_irq_event", _HANDLE_C,
    ),
    Words(
        "rule.shared", "kernel",
        "irq {irq} is shared: every action of the line is called, whatever the one before said",
        "irq {irq}은(는) 공유 인터럽트: 앞 핸들러의 반환값과 상관없이 라인에 등록된 모든 "
        "핸들러를 차례로 호출",
        "__handle_irq_event_percpu", _HANDLE_C,
    ),
    Words(
        "irq_handler_entry", "driver",
        "the interrupt handler of {name} runs: interrupts off, must not sleep",
        "{name} 인터럽트 핸들러 실행 시작: 인터럽트가 비활성화된 인터럽트 컨텍스트이므로 휴면 "
        "불가",
        "{caller}", "{caller_file}",
    ),
    Words(
        "handler.ipi", "kernel",
        "the handler of all IPIs runs, which looks at what the other CPU wants",
        "모든 IPI를 처리하는 공통 핸들러 실행: 다른 CPU가 요청한 일을 확인",
        "do_handle_IPI", "arch/{arch}/kernel/smp.c",
    ),
    Words(
        "handler.timer", "driver",
        "the clock event device's handler runs: this CPU's next timer event is due",
        "클럭 이벤트 디바이스의 핸들러 실행: 이 CPU의 다음 타이머 이벤트 시각이 됨",
        "arch_timer_handler_virt", "drivers/clocksource/arm_arch_timer.c",
    ),
    Words(
        "handler.default", "kernel",
        "{name} has given no handler but a thread: the default one only asks for the thread",
        "{name} 드라이버는 핸들러 없이 스레드 함수만 등록: 기본 핸들러는 IRQ 스레드를 깨우도록 "
        "요청만 함",
        "irq_default_primary_handler", _MANAGE_C,
    ),
    Words(
        "rule.forced", "kernel",
        "forced threading: the driver's own handler of {name} has become the thread's function; "
        "here only the thread is asked for",
        "강제 스레드화(threadirqs 또는 PREEMPT_RT): {name} 드라이버의 핸들러는 IRQ 스레드에서 "
        "실행되며, 여기서는 스레드만 깨움",
        "irq_setup_forced_threading", _MANAGE_C,
    ),
    # -- how long it waited ---------------------------------------------------------------
    Words(
        "arrived", "processor",
        "{name} has wanted service since {arrived} s, {delay_us} us before",
        "{name} 장치가 {arrived}초에 인터럽트를 요청: {delay_us} us 전",
        "{root}", "{gic_file}",
    ),
    Words(
        "rule.waited_irq", "kernel",
        "it could not be taken at once: CPU {cpu} was in {other} for {other_us} us of that, with "
        "interrupts off",
        "바로 처리하지 못한 이유: CPU {cpu}에서 인터럽트가 비활성화된 채 {other} 처리에 "
        "{other_us} us 소요",
        "{irq_enter}", _SOFTIRQ_C,
    ),
    Words(
        "rule.waited_oneshot", "kernel",
        "one-shot mask: the line was masked until the thread of the interrupt before was done",
        "원샷 마스크: 이전 인터럽트의 IRQ 스레드가 끝날 때까지 라인이 마스크되어 있었음",
        "irq_finalize_oneshot", _MANAGE_C,
    ),
    Words(
        "rule.waited_disabled", "kernel",
        "lazy disable: the line was disabled; an interrupt that comes then is masked, noted as "
        "pending and not counted, and enable_irq() has it come again",
        "지연된 비활성화(lazy disable): 라인이 비활성화된 동안 들어온 인터럽트는 그때서야 "
        "마스크되고 보류(IRQS_PENDING)로만 기록되며, enable_irq()가 다시 발생시킴",
        "check_irq_resend", "kernel/irq/resend.c",
    ),
    Words(
        "rule.waited_masked", "kernel",
        "{who} had the CPU meanwhile: interrupts were off there, or the line was masked",
        "그동안 CPU는 {who} 코드를 실행: 인터럽트가 비활성화되어 있었거나 라인이 마스크되어 "
        "있었음",
        "{irq_enter}", _SOFTIRQ_C,
    ),
    # -- what the handler said ------------------------------------------------------------
    Words(
        "irq_handler_exit", "driver",
        "the handler of {name} returns: it was its interrupt (IRQ_HANDLED or IRQ_WAKE_THREAD)",
        "{name} 핸들러 종료: 자신의 인터럽트였음 (IRQ_HANDLED 또는 IRQ_WAKE_THREAD 반환)",
        "{caller}", "{caller_file}",
    ),
    Words(
        "handler.default_done", "kernel",
        "the default handler of {name} returns IRQ_WAKE_THREAD: the thread is asked for",
        "{name}의 기본 핸들러 종료: IRQ_WAKE_THREAD를 반환하여 IRQ 스레드 실행을 요청",
        "{caller}", "{caller_file}",
    ),
    Words(
        "rule.thread_awake", "kernel",
        "it is this line's own thread that was interrupted: it is awake, so there is no wake-up; "
        "it goes round once more",
        "인터럽트된 것이 바로 이 라인의 IRQ 스레드: 이미 깨어 있으므로 깨우는 이벤트 없이 한 번 "
        "더 반복 실행",
        "__irq_wake_thread", _HANDLE_C,
    ),
    Words(
        "handler.ipi_done", "kernel",
        "the handler of all IPIs returns",
        "IPI 공통 핸들러 종료",
        "{caller}", "{caller_file}",
    ),
    Words(
        "handler.timer_done", "driver",
        "the clock event device's handler returns",
        "클럭 이벤트 디바이스의 핸들러 종료",
        "{caller}", "{caller_file}",
    ),
    Words(
        "rule.unhandled", "driver",
        "the handler of {name} returns IRQ_NONE: not its interrupt",
        "{name} 핸들러 종료: IRQ_NONE 반환, 자신의 인터럽트가 아님",
        "{caller}", "{caller_file}",
    ),
    Words(
        "rule.unhandled_count", "kernel",
        "nobody has handled irq {irq}, {nr} times in a row as far as the log goes; at 99,901 of "
        "100,000 the line is disabled",
        "irq {irq}을(를) 처리한 핸들러가 없음: 로그에서 연속 {nr}번째. 100,000번 중 99,901번이 "
        "되면 라인을 비활성화",
        "note_interrupt", _SPURIOUS_C,
    ),
    Words(
        "rule.eoi", "kernel",
        "when the line is done: end of interrupt to the controller, and irq_exit() takes "
        "HARDIRQ_OFFSET off again",
        "라인 처리가 끝나면 인터럽트 컨트롤러에 EOI를 기록하고, irq_exit()가 preempt_count에서 "
        "HARDIRQ_OFFSET을 뺌",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_nothing", "kernel",
        "no softirq is pending on this CPU",
        "이 CPU에 요청된 Soft IRQ 없음",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_pending", "kernel",
        "pending when it ends: {vectors}; not in_interrupt() any more, so irq_exit() has them run",
        "인터럽트 종료 시 요청된 Soft IRQ: {vectors}. 더 이상 in_interrupt()가 아니므로 "
        "irq_exit()에서 처리 시작",
        "invoke_softirq", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_deferred", "kernel",
        "ksoftirqd is runnable, so irq_exit() leaves {vectors} to it (until 6.4; not HI and "
        "TASKLET)",
        "ksoftirqd가 이미 실행 대기 중이므로 irq_exit()는 {vectors} 처리를 ksoftirqd에 맡김 "
        "(6.4까지, HI와 TASKLET은 예외)",
        "ksoftirqd_running", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_in_softirq", "kernel",
        "the softirqs that it interrupted go on: {vectors} waits for their next pass",
        "인터럽트된 Soft IRQ 처리를 계속: {vectors}은(는) 다음 차례까지 대기",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_bh_off", "kernel",
        "bottom halves are off in what it interrupted: {vectors} waits for local_bh_enable()",
        "인터럽트된 코드가 인터럽트 후반부 처리를 막아 둔 상태: {vectors}은(는) "
        "local_bh_enable()까지 대기",
        "{irq_exit}", _SOFTIRQ_C,
    ),
    Words(
        "rule.exit_threads", "kernel",
        "softirqs are left to threads (threadirqs, PREEMPT_RT): {vectors} does not run in the "
        "interrupt's exit",
        "Soft IRQ를 스레드에 맡기는 설정(threadirqs, PREEMPT_RT): {vectors}을(를) 인터럽트 종료 "
        "시점에 처리하지 않음",
        "invoke_softirq", _SOFTIRQ_C,
    ),
    # -- IPIs -----------------------------------------------------------------------------
    Words(
        "ipi_raise", "kernel",
        "sends an IPI to the CPUs of {target_cpus}: {reason}",
        "{target_cpus} CPU들에 IPI 전송: {reason}",
        "smp_cross_call", "arch/{arch}/kernel/smp.c",
    ),
    Words(
        "ipi_entry", "kernel",
        "what the IPI asks for begins: {reason}",
        "IPI 처리 시작: {reason}",
        "do_handle_IPI", "arch/{arch}/kernel/smp.c",
    ),
    Words(
        "rule.ipi_reschedule", "kernel",
        "the reschedule IPI itself does nothing but interrupt: its sender has set need_resched, "
        "which is looked at on the way back",
        "리스케줄 IPI는 인터럽트를 거는 것 자체가 목적: 보낸 CPU가 이미 need_resched를 "
        "설정했으며 복귀 경로에서 확인",
        "scheduler_ipi", "{scheduler_ipi_file}",
    ),
    Words(
        "rule.ipi_call", "kernel",
        "works off what other CPUs have queued here: functions to call, tasks to wake",
        "다른 CPU가 이 CPU에 넣어 둔 일 처리: 함수 호출, 태스크 깨우기",
        "generic_smp_call_function_single_interrupt", "kernel/smp.c",
    ),
    Words(
        "ipi_exit", "kernel",
        "what the IPI asked for is done: {reason}",
        "IPI 처리 끝: {reason}",
        "do_handle_IPI", "arch/{arch}/kernel/smp.c",
    ),
    Words(
        "ipi_send_cpu", "kernel",
        "asks CPU {cpu_to} for something: {callback}",
        "CPU {cpu_to}에 처리 요청: {callback}",
        "send_call_function_single_ipi", "kernel/smp.c",
    ),
    Words(
        "ipi_send_cpumask", "kernel",
        "asks the CPUs of {cpumask} for something: {callback}",
        "{cpumask} CPU들에 처리 요청: {callback}",
        "smp_call_function_many_cond", "kernel/smp.c",
    ),
)  # fmt: skip
