"""The words for the scheduler: wake-ups, switches, and which rule decided them.

Source: kernel/sched/core.c, fair.c, rt.c; kernel/irq/manage.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words

_CORE_C: Final = "kernel/sched/core.c"
_MANAGE_C: Final = "kernel/irq/manage.c"
_FAIR_C: Final = "kernel/sched/fair.c"
_EXIT_C: Final = "kernel/exit.c"

SCHED_WORDS: Final = (
    Words(
        "sched_waking", "kernel",
        "wakes {comm}, pid {pid}, for CPU {target_cpu}",
        "{comm}(pid {pid}) 태스크를 깨움, 대상은 CPU {target_cpu}",
        "try_to_wake_up", _CORE_C,
    ),
    Words(
        "rule.wake_irq_thread", "kernel",
        "the handler of irq {irq} has returned IRQ_WAKE_THREAD: the rest is its thread's, "
        "SCHED_FIFO 50 and allowed to sleep",
        "irq {irq} 핸들러가 IRQ_WAKE_THREAD를 반환: 나머지는 IRQ 스레드가 처리하며, SCHED_FIFO "
        "50 우선순위로 휴면도 가능",
        "__irq_wake_thread", "kernel/irq/handle.c",
    ),
    Words(
        "rule.wake_worker", "kernel",
        "a worker is woken for the work that was queued",
        "추가된 워크를 처리할 워커 스레드를 깨움",
        "{wake_worker}", "kernel/workqueue.c",
    ),
    Words(
        "sched_wakeup", "kernel",
        "{comm}, pid {pid}, is on the run queue of CPU {target_cpu}",
        "{comm}(pid {pid}) 태스크가 CPU {target_cpu}의 런큐에 추가됨",
        "ttwu_do_activate", _CORE_C,
    ),
    Words(
        "rule.wakeup_preempts", "kernel",
        "it goes before {current} (prio {prio}): need_resched is set, the N of the flags",
        "현재 태스크 {current}보다 먼저 실행되어야 함(prio {prio}): need_resched 설정, 플래그의 N",
        "{wakeup_preempt}", _CORE_C,
    ),
    Words(
        "rule.wakeup_remote", "kernel",
        "the waker ran on CPU {waker}: it left the wake-up to this CPU, and sent it an IPI",
        "깨운 쪽은 CPU {waker}: 실제 깨우기를 이 CPU에 맡기고 IPI를 보냈음",
        "sched_ttwu_pending", _CORE_C,
    ),
    Words(
        "sched_wakeup_new", "kernel",
        "the new task {comm}, pid {pid}, is on its first run queue",
        "새 태스크 {comm}(pid {pid})이(가) 처음으로 런큐에 추가됨",
        "wake_up_new_task", _CORE_C,
    ),
    Words(
        "sched_migrate_task", "kernel",
        "{comm}, pid {pid}, moves from CPU {orig_cpu} to CPU {dest_cpu}",
        "{comm}(pid {pid}) 태스크를 CPU {orig_cpu}에서 CPU {dest_cpu}(으)로 이동",
        "set_task_cpu", _CORE_C,
    ),
    Words(
        "sched_switch", "kernel",
        "context switch: {prev_comm} makes room for {next_comm}",
        "컨텍스트 스위칭: {prev_comm}에서 {next_comm}(으)로 전환",
        "__schedule", _CORE_C,
    ),
    Words(
        "rule.idle_resched", "kernel",
        "the idle loop has seen need_resched: who is runnable runs",
        "아이들 루프가 need_resched를 확인: 실행 대기 중인 태스크를 실행",
        "schedule_idle", _CORE_C,
    ),
    Words(
        "rule.user_return", "kernel",
        "{prev_comm} is still runnable (R): it was on its way back to user mode, or called "
        "schedule() itself, with need_resched set",
        "{prev_comm}은(는) 여전히 실행 가능 상태(R): need_resched가 설정된 채 유저 모드로 "
        "복귀하던 중이었거나 스스로 schedule()을 호출",
        "{user_return}", "{return_file}",
    ),
    Words(
        "rule.preempted", "kernel",
        "{prev_comm} is preempted inside the kernel (R+): preempt model full or rt, need_resched "
        "set and preempt_count 0",
        "{prev_comm}이(가) 커널 코드 실행 중 선점됨(R+): 커널 선점 모델이 full 또는 rt, "
        "need_resched가 설정되고 preempt_count가 0",
        "preempt_schedule", _CORE_C,
    ),
    Words(
        "rule.cond_resched", "kernel",
        "{prev_comm} gives way inside the kernel (R+) at a cond_resched(): need_resched is set, "
        "and the preempt model {preempt} does not preempt elsewhere",
        "{prev_comm}이(가) 커널 코드의 cond_resched()에서 CPU를 양보(R+): need_resched가 "
        "설정되었으며, 커널 선점 모델 {preempt}에서는 다른 곳에서 선점하지 않음",
        "__cond_resched", _CORE_C,
    ),
    Words(
        "rule.preempted_or_yields", "kernel",
        "{prev_comm} gives way inside the kernel (R+): preempted, or at a cond_resched(), as the "
        "preempt model has it",
        "{prev_comm}이(가) 커널 코드 실행 중 CPU를 양보(R+): 커널 선점 모델에 따라 선점되었거나 "
        "cond_resched()를 호출",
        "__schedule", _CORE_C,
    ),
    Words(
        "rule.sleeps", "kernel",
        "{prev_comm} has gone to sleep ({state}): somebody has to wake it",
        "{prev_comm}이(가) 휴면 상태({state})로 전환: 누군가 깨워야 다시 실행",
        "schedule", _CORE_C,
    ),
    Words(
        "rule.exits", "kernel",
        "{prev_comm} has ended ({state})",
        "{prev_comm} 종료({state})",
        "do_task_dead", _CORE_C,
    ),
    Words(
        "rule.thread_runs", "driver",
        "the interrupt's thread runs: in process context, interrupts on, it may sleep",
        "IRQ 스레드 실행: 프로세스 컨텍스트이며 인터럽트가 허용되고 휴면 가능",
        "irq_thread_fn", _MANAGE_C,
    ),
    Words(
        "rule.forced_thread_runs", "driver",
        "the handler runs in its thread, forced there: bottom halves off, and interrupts too but "
        "on PREEMPT_RT",
        "강제 스레드화된 핸들러를 IRQ 스레드에서 실행: 인터럽트 후반부 처리를 막은 상태이며 "
        "PREEMPT_RT가 아니면 인터럽트도 비활성화",
        "irq_forced_thread_fn", _MANAGE_C,
    ),
    Words(
        "rule.thread_unmasks", "kernel",
        "one-shot mask: its thread is done with irq {irq}, so the line is unmasked again",
        "원샷 마스크 해제: IRQ 스레드가 irq {irq} 처리를 끝냈으므로 라인을 다시 언마스크",
        "irq_finalize_oneshot", _MANAGE_C,
    ),
    Words(
        "rule.ksoftirqd_runs", "kernel",
        "ksoftirqd/{cpu} has the CPU: softirqs that were left to it run in process context",
        "ksoftirqd/{cpu} 스레드 실행: 맡겨진 Soft IRQ를 프로세스 컨텍스트에서 처리",
        "run_ksoftirqd", "kernel/softirq.c",
    ),
    Words(
        "rule.ksoftirqd_sleeps", "kernel",
        "nothing is pending any more: ksoftirqd/{cpu} sleeps",
        "더 이상 요청된 Soft IRQ가 없음: ksoftirqd/{cpu} 휴면",
        "ksoftirqd_should_run", "kernel/softirq.c",
    ),
    Words(
        "rule.to_idle", "kernel",
        "nobody is runnable on CPU {cpu}: it idles",
        "CPU {cpu}에 실행할 태스크가 없음: 아이들 상태로 전환",
        "pick_next_task_idle", "kernel/sched/idle.c",
    ),
    Words(
        "sched_process_fork", "kernel",
        "{parent_comm} has made a task: {child_comm}",
        "{parent_comm}이(가) 새 태스크 {child_comm}을(를) 생성",
        "{fork}", "kernel/fork.c",
    ),
    Words(
        "sched_process_exec", "kernel",
        "{who} runs the program {filename} from now on",
        "{who}이(가) {filename} 프로그램 실행",
        "exec_binprm", "fs/exec.c",
    ),
    Words(
        "sched_process_exit", "kernel",
        "{comm}, pid {pid}, ends",
        "{comm}(pid {pid}) 태스크 종료",
        "do_exit", _EXIT_C,
    ),
    Words(
        "sched_process_free", "kernel",
        "what was left of {comm}, pid {pid}, is freed",
        "{comm}(pid {pid}) 태스크의 자원 해제",
        "delayed_put_task_struct", _EXIT_C,
    ),
    Words(
        "sched_process_wait", "kernel",
        "{comm} waits for a child to end",
        "{comm}이(가) 자식 태스크의 종료를 기다림",
        "do_wait", _EXIT_C,
    ),
    Words(
        "sched_stat_runtime", "kernel",
        "{comm} is charged for {runtime} ns on the CPU",
        "{comm} 태스크에 CPU 사용 시간 {runtime} ns를 반영",
        "update_curr", _FAIR_C,
    ),
    Words(
        "sched_stat_wait", "kernel",
        "{comm} was runnable for {delay} ns before it ran",
        "{comm}이(가) 실행 대기 상태로 {delay} ns 대기",
        "__update_stats_wait_end", "kernel/sched/stats.c",
    ),
    Words(
        "sched_stat_sleep", "kernel",
        "{comm} slept for {delay} ns",
        "{comm}이(가) {delay} ns 동안 휴면",
        "__update_stats_enqueue_sleeper", "kernel/sched/stats.c",
    ),
    Words(
        "sched_stat_iowait", "kernel",
        "{comm} waited for I/O for {delay} ns",
        "{comm}이(가) {delay} ns 동안 I/O 대기",
        "__update_stats_enqueue_sleeper", "kernel/sched/stats.c",
    ),
    Words(
        "sched_stat_blocked", "kernel",
        "{comm} was blocked for {delay} ns",
        "{comm}이(가) {delay} ns 동안 블록",
        "__update_stats_enqueue_sleeper", "kernel/sched/stats.c",
    ),
    Words(
        "sched_pi_setprio", "kernel",
        "priority inheritance: {comm} holds a lock that somebody of a higher priority wants, or "
        "has let go of it; prio {oldprio} becomes {newprio}",
        "우선순위 상속: {comm}이(가) 더 높은 우선순위의 태스크가 기다리는 락을 잡고 있거나 방금 "
        "해제함. prio {oldprio} → {newprio}",
        "rt_mutex_setprio", _CORE_C,
    ),
    Words(
        "sched_wake_idle_without_ipi", "kernel",
        "CPU {cpu_to} idles by polling need_resched: it sees it without an IPI",
        "CPU {cpu_to}은(는) need_resched를 폴링하며 아이들 중: IPI 없이도 감지",
        "resched_curr", _CORE_C,
    ),
)  # fmt: skip
