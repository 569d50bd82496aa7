"""The words for bottom halves: softirqs, ksoftirqd, tasklets, NAPI, workqueues.

Source: kernel/softirq.c; net/core/dev.c; kernel/workqueue.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words
from irqsim.events import FIRST, NEVER, Release

_SOFTIRQ_C: Final = "kernel/softirq.c"
_DEV_C: Final = "net/core/dev.c"
_WORKQUEUE_C: Final = "kernel/workqueue.c"

ACTIONS: Final[dict[str, tuple[str, str]]] = {
    "HI": ("tasklet_hi_action", _SOFTIRQ_C),
    "TIMER": ("run_timer_softirq", "kernel/time/timer.c"),
    "NET_TX": ("net_tx_action", _DEV_C),
    "NET_RX": ("net_rx_action", _DEV_C),
    "BLOCK": ("blk_done_softirq", "block/blk-mq.c"),
    "IRQ_POLL": ("irq_poll_softirq", "lib/irq_poll.c"),
    "TASKLET": ("tasklet_action", _SOFTIRQ_C),
    "SCHED": ("run_rebalance_domains", "kernel/sched/fair.c"),
    "HRTIMER": ("hrtimer_run_softirq", "kernel/time/hrtimer.c"),
    "RCU": ("rcu_core_si", "kernel/rcu/tree.c"),
}
"""By vector: its action, and where that is."""

OTHER_ACTIONS: Final[tuple[tuple[str, Release, Release, str, str], ...]] = (
    ("BLOCK", FIRST, (5, 11), "blk_done_softirq", "block/blk-softirq.c"),
    ("SCHED", (6, 10), NEVER, "sched_balance_softirq", "kernel/sched/fair.c"),
    ("RCU", FIRST, (5, 3), "rcu_process_callbacks", "kernel/rcu/tree.c"),
)
"""By vector, from one release up to another: where it is not so."""


def action_of(vector: str, release: Release) -> tuple[str, str]:
    """A vector's action in a release, and its file."""
    for name, since, until, action, file in OTHER_ACTIONS:
        if name == vector and since <= release < until:
            return action, file
    return ACTIONS.get(vector, ("softirq_vec", _SOFTIRQ_C))


SOFTIRQ_WORDS: Final = (
    # -- raised ---------------------------------------------------------------------------
    Words(
        "softirq_raise", "kernel",
        "marks {vector} pending on CPU {cpu}: it will run on this CPU and no other",
        "CPU {cpu}에 {vector} Soft IRQ 처리를 요청(pending 비트 설정): 요청한 CPU에서만 처리됨",
        "__raise_softirq_irqoff", _SOFTIRQ_C,
    ),
    Words(
        "rule.raised_again", "kernel",
        "{vector} was pending already: however often it is raised, it runs once",
        "{vector}은(는) 이미 요청된 상태: 여러 번 요청해도 한 번만 실행",
        "__raise_softirq_irqoff", _SOFTIRQ_C,
    ),
    Words(
        "rule.raised_in_interrupt", "kernel",
        "raised in a hard interrupt: no thread is woken, the end of the interrupt looks at it",
        "하드 인터럽트 컨텍스트에서 요청: ksoftirqd를 깨우지 않으며, 인터럽트가 끝날 때 확인",
        "raise_softirq_irqoff", _SOFTIRQ_C,
    ),
    Words(
        "rule.raised_in_softirq", "kernel",
        "raised while softirqs are served: accepted, and looked at when this pass is over",
        "Soft IRQ 처리 중에 요청: 접수되며 이번 차례가 끝난 뒤 확인",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.raised_bh_off", "kernel",
        "raised in process context with bottom halves off: no thread is woken, local_bh_enable() "
        "will run it",
        "프로세스 컨텍스트에서 인터럽트 후반부 처리를 막은 채 요청: ksoftirqd를 깨우지 않고 "
        "local_bh_enable()에서 처리",
        "raise_softirq_irqoff", _SOFTIRQ_C,
    ),
    Words(
        "rule.raised_in_process", "kernel",
        "raised in process context: there is no interrupt at whose end it would run, so "
        "ksoftirqd/{cpu} is woken, unless it is awake",
        "프로세스 컨텍스트에서 요청: 종료 시점에 처리해 줄 인터럽트가 없으므로 ksoftirqd/{cpu} "
        "스레드를 깨움(이미 깨어 있으면 생략)",
        "raise_softirq_irqoff", _SOFTIRQ_C,
    ),
    # -- run ------------------------------------------------------------------------------
    Words(
        "rule.turn_irq_exit", "kernel",
        "at the end of the interrupt, in the context of {who}: HARDIRQ_OFFSET is off and "
        "SOFTIRQ_OFFSET on, pending vectors are taken as a snapshot, interrupts are on",
        "인터럽트가 끝나는 시점, {who} 컨텍스트에서 실행: preempt_count에서 HARDIRQ_OFFSET을 "
        "빼고 SOFTIRQ_OFFSET을 더한 뒤 요청된 벡터를 한꺼번에 읽고 인터럽트를 허용한 상태로 처리",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.turn_bh_enable", "kernel",
        "{who} enables bottom halves again: what came meanwhile runs in local_bh_enable()",
        "{who}이(가) 인터럽트 후반부 처리를 다시 허용: 그동안 요청된 Soft IRQ를 "
        "local_bh_enable()에서 처리",
        "__local_bh_enable_ip", _SOFTIRQ_C,
    ),
    Words(
        "rule.turn_ksoftirqd", "kernel",
        "ksoftirqd/{cpu} runs what is pending, as a task among tasks; limits count from one again",
        "ksoftirqd/{cpu} 스레드가 일반 태스크로서 요청된 Soft IRQ를 처리. 처리 한도는 처음부터 "
        "다시 계산",
        "run_ksoftirqd", _SOFTIRQ_C,
    ),
    Words(
        "rule.turn_ktimers", "kernel",
        "ktimers/{cpu} runs what timers have raised in hard interrupts (PREEMPT_RT)",
        "하드 인터럽트에서 타이머가 요청한 Soft IRQ를 ktimers/{cpu} 스레드가 처리 (PREEMPT_RT)",
        "run_timersd", _SOFTIRQ_C,
    ),
    Words(
        "rule.next_pass", "kernel",
        "pass {nr}: something was pending when the one before was over, fewer than {limit} "
        "passes and no 2 ms have gone by, and nobody waits for the CPU",
        "{nr}번째 차례: 앞 차례가 끝났을 때 새로 요청된 Soft IRQ가 있었고, {limit}번 한도와 2 "
        "ms를 넘기지 않았으며 CPU를 기다리는 태스크도 없음",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.more", "kernel",
        "something is pending again: the next pass, or the next call (the log does not show "
        "where one call ends and another begins)",
        "다시 요청된 Soft IRQ가 있음: 다음 차례 또는 다음 호출 (한 호출이 어디서 끝나고 다음이 "
        "시작되는지는 로그에 나타나지 않음)",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.not_deferred", "kernel",
        "ksoftirqd is runnable, but HI and TASKLET do not wait for it: all that is pending runs "
        "now",
        "ksoftirqd가 실행 대기 중이지만 HI와 TASKLET은 기다리지 않음: 요청된 Soft IRQ를 모두 "
        "지금 처리",
        "ksoftirqd_running", _SOFTIRQ_C,
    ),
    Words(
        "softirq_entry", "kernel",
        "calls the action of {vector}, {action}(), with interrupts on; it must not sleep",
        "{vector} Soft IRQ 서비스 함수 {action}() 호출: 인터럽트는 허용되지만 휴면 불가",
        "{action}", "{action_file}",
    ),
    Words(
        "softirq_exit", "kernel",
        "the action of {vector} has returned",
        "{vector} Soft IRQ 서비스 함수 종료",
        "{action}", "{action_file}",
    ),
    # -- ksoftirqd ------------------------------------------------------------------------
    Words(
        "rule.restart_limit", "kernel",
        "restart limit: {limit} passes are over and softirqs are pending again; the rest is left "
        "to ksoftirqd/{cpu}, so that tasks get their share",
        "재시작 한도(MAX_SOFTIRQ_RESTART): {limit}번을 처리했는데도 다시 요청된 Soft IRQ가 있음. "
        "다른 태스크도 실행될 수 있도록 나머지는 ksoftirqd/{cpu}에 맡김",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.time_limit", "kernel",
        "jiffies limit: 2 ms (MAX_SOFTIRQ_TIME, counted in jiffies) are over in pass {nr} and "
        "softirqs are pending again; the rest is left to ksoftirqd/{cpu}",
        "시간 한도(MAX_SOFTIRQ_TIME): {nr}번째 차례에서 지피(jiffies)로 계산한 2 ms가 지났는데도 "
        "다시 요청된 Soft IRQ가 있음. 나머지는 ksoftirqd/{cpu}에 맡김",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.need_resched", "kernel",
        "need_resched: softirqs are pending again after pass {nr}, but a task waits for the CPU; "
        "the rest is left to ksoftirqd/{cpu}",
        "need_resched: {nr}번째 차례 뒤에 다시 요청된 Soft IRQ가 있지만 CPU를 기다리는 태스크가 "
        "있으므로 나머지는 ksoftirqd/{cpu}에 맡김",
        "{softirqs}", _SOFTIRQ_C,
    ),
    Words(
        "rule.wake_ksoftirqd_exit", "kernel",
        "softirqs of this interrupt are not run at its end but left to ksoftirqd/{cpu} "
        "(threadirqs, or PREEMPT_RT)",
        "이 인터럽트가 요청한 Soft IRQ를 종료 시점에 처리하지 않고 ksoftirqd/{cpu}에 맡김 "
        "(threadirqs 또는 PREEMPT_RT)",
        "invoke_softirq", _SOFTIRQ_C,
    ),
    Words(
        "rule.wake_ktimers", "kernel",
        "a timer's softirq raised in a hard interrupt is left to ktimers/{cpu} (PREEMPT_RT)",
        "하드 인터럽트에서 요청된 타이머 Soft IRQ를 ktimers/{cpu} 스레드에 맡김 (PREEMPT_RT)",
        "wake_timersd", _SOFTIRQ_C,
    ),
    # -- tasklets -------------------------------------------------------------------------
    Words(
        "tasklet_entry", "driver",
        "the tasklet {function} runs, on the CPU that scheduled it; it may be scheduled again "
        "from now on",
        "{function} 태스크릿 실행 시작: 자신을 스케줄링한 CPU에서 실행되며, 이 시점부터 다시 "
        "스케줄링될 수 있음",
        "tasklet_action_common", _SOFTIRQ_C,
    ),
    Words(
        "tasklet_exit", "driver",
        "the tasklet {function} is done",
        "{function} 태스크릿 종료",
        "tasklet_action_common", _SOFTIRQ_C,
    ),
    Words(
        "rule.tasklet_requeued", "kernel",
        "a tasklet of the list is disabled or runs on another CPU: it is put back, and {vector} "
        "raised again",
        "목록에 있는 태스크릿이 비활성화되었거나 다른 CPU에서 실행 중: 목록에 다시 넣고 "
        "{vector}을(를) 다시 요청",
        "tasklet_action_common", _SOFTIRQ_C,
    ),
    # -- NAPI -----------------------------------------------------------------------------
    Words(
        "napi_poll", "driver",
        "the NAPI poll of {dev_name} has taken {work} packets",
        "{dev_name} 드라이버의 NAPI 폴링 함수가 패킷 {work}개 처리",
        "__napi_poll", _DEV_C,
    ),
    Words(
        "rule.napi_weight", "kernel",
        "weight: all {budget} that one poll may take, so there may be more; {dev_name} stays on "
        "the list",
        "가중치(weight): 한 번에 처리할 수 있는 {budget}개를 모두 사용, 더 남았을 수 있으므로 "
        "{dev_name}을(를) 폴링 목록에 유지",
        "__napi_poll", _DEV_C,
    ),
    Words(
        "rule.napi_done", "kernel",
        "fewer than {budget}: {dev_name} is empty, leaves the list and may interrupt again",
        "{budget}개 미만: {dev_name}에 남은 패킷이 없으므로 폴링 목록에서 빠지고 다시 인터럽트를 "
        "발생시킬 수 있음",
        "napi_complete_done", _DEV_C,
    ),
    Words(
        "rule.napi_budget", "kernel",
        "budget: {total} packets in this run, and {limit} are allowed (netdev_budget); the list "
        "is not empty, so NET_RX is raised again",
        "예산(budget): 이번 실행에서 패킷 {total}개 처리, 허용 한도는 {limit}개(netdev_budget). "
        "목록이 비지 않았으므로 NET_RX를 다시 요청",
        "net_rx_action", _DEV_C,
    ),
    Words(
        "rule.napi_again", "kernel",
        "the poll list is not empty: NET_RX is raised again, for a run of its own",
        "폴링 목록이 비지 않음: NET_RX를 다시 요청하여 다음 차례에 실행",
        "net_rx_action", _DEV_C,
    ),
    Words(
        "netif_receive_skb", "kernel",
        "a packet of {name} goes up the stack",
        "{name}에서 받은 패킷을 네트워크 스택으로 전달",
        "__netif_receive_skb_core", _DEV_C,
    ),
    Words(
        "netif_rx", "kernel",
        "a packet of {name} is queued for the backlog of this CPU",
        "{name}에서 받은 패킷을 이 CPU의 백로그 큐에 추가",
        "netif_rx_internal", _DEV_C,
    ),
    Words(
        "net_dev_queue", "kernel",
        "a packet goes to the queue of {name}",
        "패킷을 {name}의 송신 큐에 추가",
        "__dev_queue_xmit", _DEV_C,
    ),
    # -- workqueues -----------------------------------------------------------------------
    Words(
        "workqueue_queue_work", "kernel",
        "queues the work {function} on {workqueue}: it will run in process context, in a "
        "kworker, where it may sleep",
        "{function} 워크를 {workqueue} 워크큐에 추가: 워커 스레드(kworker)의 프로세스 "
        "컨텍스트에서 실행되므로 휴면 가능",
        "__queue_work", _WORKQUEUE_C,
    ),
    Words(
        "workqueue_activate_work", "kernel",
        "the work is put on its worker pool's list",
        "워크를 워커 풀의 목록에 등록",
        "__queue_work", _WORKQUEUE_C,
    ),
    Words(
        "workqueue_execute_start", "driver",
        "{who} begins the work {function}",
        "{who} 워커 스레드가 {function} 워크 핸들러 실행 시작",
        "process_one_work", _WORKQUEUE_C,
    ),
    Words(
        "workqueue_execute_end", "driver",
        "the work is done",
        "워크 핸들러 종료",
        "process_one_work", _WORKQUEUE_C,
    ),
)  # fmt: skip
