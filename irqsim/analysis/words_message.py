"""The words for what the kernel log says beside the trace, and for records that are missing.

Source: kernel/irq/spurious.c; kernel/sched/core.c; kernel/printk/printk.c.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words

_MANAGE_C: Final = "kernel/irq/manage.c"
_SPURIOUS_C: Final = "kernel/irq/spurious.c"

MESSAGE_WORDS: Final = (
    Words(
        "rule.nobody_cared", "kernel",
        "of the last 100,000 interrupts of the line more than 99,900 were unhandled: it is "
        "reported, and disabled",
        "해당 라인의 최근 인터럽트 100,000개 중 99,900개 넘게 처리되지 않음: 경고를 출력하고 "
        "라인을 비활성화",
        "__report_bad_irq", _SPURIOUS_C,
    ),
    Words(
        "rule.irq_disabled", "kernel",
        "IRQS_SPURIOUS_DISABLED: the line is shut off; a timer looks at it every tenth of a "
        "second",
        "IRQS_SPURIOUS_DISABLED: 라인을 차단하고, 이후 타이머가 0.1초마다 확인",
        "note_interrupt", _SPURIOUS_C,
    ),
    Words(
        "rule.storm", "kernel",
        "the storm detector, no part of Linux: too many interrupts in its window, so the line is "
        "disabled as by disable_irq_nosync()",
        "인터럽트 스톰 감지기(리눅스 커널에는 없는 기능): 정해진 시간 동안 인터럽트가 너무 많아 "
        "disable_irq_nosync()처럼 라인을 비활성화",
        "disable_irq_nosync", _MANAGE_C,
    ),
    Words(
        "rule.storm_over", "kernel",
        "the storm is over, as far as the detector knows: the line is enabled again",
        "감지기가 스톰이 끝났다고 판단: 라인을 다시 활성화",
        "enable_irq", _MANAGE_C,
    ),
    Words(
        "rule.atomic", "kernel",
        "somebody sleeps where it is not allowed, preempt_count is not 0: the kernel says so and "
        "goes on",
        "휴면하면 안 되는 곳에서 휴면 시도, preempt_count가 0이 아님: 커널이 경고를 출력하고 "
        "계속 진행",
        "__schedule_bug", "kernel/sched/core.c",
    ),
    Words(
        "message", "kernel",
        "a message in the kernel log",
        "커널 로그에 출력된 메시지",
        "vprintk_emit", "kernel/printk/printk.c",
    ),
    Words(
        "lost", "kernel",
        "records of CPU {cpu} were overwritten before they were read: what it did meanwhile is "
        "not known, and is forgotten here",
        "CPU {cpu}의 기록이 읽히기 전에 덮어써짐: 그동안의 동작은 알 수 없으므로 이전 상태를 "
        "모두 버림",
        "print_trace_line", "kernel/trace/trace.c",
    ),
)  # fmt: skip
