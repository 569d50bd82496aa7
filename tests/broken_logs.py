"""A log for each law over records, made to break it.

A line is `CPU TASK FLAGS US EVENT`.  The last record of each log is the first that breaks the
law; what it cannot but break as well stands in BESIDE.
"""

from __future__ import annotations

from typing import Final

BROKEN: Final = {
    "rt_softirqs_run_in_tasks": """
0 a-100 D....12 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ...s.12 11 softirq_entry: vec=3 [action=NET_RX]
0 a-100 ...s.12 12 softirq_exit: vec=3 [action=NET_RX]
0 a-100 D....12 13 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ...s... 14 softirq_entry: vec=3 [action=NET_RX]""",
    "a_lent_priority_shows": """
0 b-101 d...3.. 10 sched_pi_setprio: comm=a pid=100 oldprio=120 newprio=79
0 b-101 d...2.. 11 sched_switch: prev_comm=b prev_pid=101 prev_prio=79 prev_state=D ==> \
next_comm=a next_pid=100 next_prio=120""",
    "hard_interrupts_do_not_nest": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=24 ret=handled
0 <idle>-0 d.h.. 12 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 13 irq_handler_entry: irq=25 name=b""",
    "irq_handler_exit_closes_its_entry": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=25 ret=handled""",
    "handlers_run_in_hard_interrupt_context": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=24 ret=handled
0 <idle>-0 d.h.. 12 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.... 13 softirq_raise: vec=3 [action=NET_RX]""",
    "hard_interrupts_keep_interrupts_off": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 ..h.. 11 a_irq: hello""",
    "interrupts_are_off_where_they_must_be": """
0 a-100 ..... 10 softirq_raise: vec=3 [action=NET_RX]""",
    "a_line_runs_on_one_cpu_at_a_time": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
1 <idle>-0 d.h.. 11 irq_handler_entry: irq=11 name=arch_timer
2 <idle>-0 d.h.. 11 irq_handler_entry: irq=11 name=arch_timer
2 <idle>-0 d.h.. 12 irq_handler_exit: irq=11 ret=handled
2 <idle>-0 d.h.. 13 irq_handler_entry: irq=24 name=a""",
    "ipi_exit_closes_its_entry": """
0 <idle>-0 d.h.. 9 ipi_raise: target_mask=00000000,00000001 (Rescheduling interrupts)
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=1 name=IPI
0 <idle>-0 d.h.. 11 ipi_entry: (Rescheduling interrupts)
0 <idle>-0 d.h.. 12 ipi_exit: (Function call interrupts)""",
    "ipis_are_handled_by_their_own_interrupt": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 ipi_entry: (Rescheduling interrupts)""",
    "the_tick_raises_in_order": """
0 <idle>-0 d.h.. 9 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 10 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=tick_sched_timer now=9
0 <idle>-0 d.h.. 11 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 d.h.. 12 softirq_raise: vec=7 [action=SCHED]
0 <idle>-0 d.h.. 13 softirq_raise: vec=9 [action=RCU]""",
    "softirqs_do_not_nest": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 softirq_entry: vec=6 [action=TASKLET]""",
    "softirq_exit_closes_its_entry": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 softirq_exit: vec=6 [action=TASKLET]""",
    "no_softirq_inside_a_hard_interrupt": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 softirq_entry: vec=3 [action=NET_RX]""",
    "softirqs_run_with_interrupts_on": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 d.s.. 11 softirq_entry: vec=3 [action=NET_RX]""",
    "every_run_of_a_vector_was_raised": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 softirq_exit: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 13 softirq_entry: vec=3 [action=NET_RX]""",
    "vectors_ascend_within_a_pass": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=6 [action=TASKLET]""",
    "a_raised_vector_runs_before_its_cpu_idles": """
0 a-100 d.... 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 d.... 11 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=swapper/0 next_pid=0 next_prio=120""",
    "softirq_passes_are_limited": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
"""
    + """0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 d.s.. 11 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_exit: vec=3 [action=NET_RX]
"""
    * 10
    + "0 <idle>-0 ..s.. 12 softirq_entry: vec=3 [action=NET_RX]",
    "ksoftirqd_serves_its_own_cpu": """
0 a-100 d.... 10 softirq_raise: vec=3 [action=NET_RX]
0 ksoftirqd/1-20 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]""",
    "softirqs_wait_for_a_runnable_ksoftirqd": """
0 a-100 d.... 9 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=swapper/0 next_pid=0 next_prio=120
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 d.... 11 sched_waking: comm=ksoftirqd/0 pid=13 prio=120 target_cpu=000
0 <idle>-0 ..s.. 12 softirq_entry: vec=3 [action=NET_RX]""",
    "tasklet_exit_closes_its_entry": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 11 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 12 tasklet_entry: tasklet=t_tasklet function=t
0 <idle>-0 ..s.. 13 tasklet_exit: tasklet=u_tasklet function=u""",
    "a_tasklet_runs_on_one_cpu_at_a_time": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
1 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 11 softirq_entry: vec=6 [action=TASKLET]
1 <idle>-0 ..s.. 11 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 12 tasklet_entry: tasklet=t_tasklet function=t
1 <idle>-0 ..s.. 13 tasklet_entry: tasklet=t_tasklet function=t""",
    "tasklets_run_in_their_vectors": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 tasklet_entry: tasklet=t_tasklet function=t""",
    "napi_polls_in_net_rx": """
0 a-100 ..... 9 napi_poll: napi poll on napi struct 00000000e0db6ecb for device e work 1 budget 64
0 <idle>-0 d.h.. 10 softirq_raise: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 11 softirq_entry: vec=6 [action=TASKLET]
0 <idle>-0 ..s.. 12 napi_poll: napi poll on napi struct 00000000e0db6ecb for device e work 1 \
budget 64""",
    "timers_expire_in_timer": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=1 baseclk=1""",
    "soft_hrtimers_expire_in_hrtimer": """
0 <idle>-0 d.h.. 9 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=12000""",
    "switches_chain": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d.... 11 sched_switch: prev_comm=c prev_pid=102 prev_prio=120 prev_state=R ==> \
next_comm=d next_pid=103 next_prio=120""",
    "records_belong_to_the_task_that_runs": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120
0 a-100 ..... 11 main: hello""",
    "a_task_runs_on_one_cpu_at_a_time": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d.... 11 sched_migrate_task: comm=b pid=101 prio=120 orig_cpu=0 dest_cpu=1
1 c-102 d.... 12 sched_switch: prev_comm=c prev_pid=102 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120""",
    "no_switch_in_an_interrupt": """
0 a-100 d.h.. 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120""",
    "a_switch_clears_need_resched": """
0 a-100 dN... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120""",
    "tasks_move_by_migration": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120
1 c-102 d.... 11 sched_switch: prev_comm=c prev_pid=102 prev_prio=120 prev_state=R ==> \
next_comm=d next_pid=103 next_prio=120
0 b-101 d.... 12 sched_switch: prev_comm=b prev_pid=101 prev_prio=120 prev_state=R ==> \
next_comm=a next_pid=100 next_prio=120
1 d-103 d.... 13 sched_switch: prev_comm=d prev_pid=103 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120""",
    "real_time_tasks_go_first": """
0 a-100 d.... 10 sched_waking: comm=rt pid=110 prio=49 target_cpu=000
0 a-100 d.... 11 sched_wakeup: comm=rt pid=110 prio=49 target_cpu=000
0 a-100 d.... 12 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120""",
    "wakeup_follows_waking": """
0 a-100 d.... 10 sched_waking: comm=b pid=101 prio=120 target_cpu=000
0 a-100 d.... 11 sched_wakeup: comm=b pid=101 prio=120 target_cpu=000
0 a-100 d.... 12 sched_wakeup: comm=b pid=101 prio=120 target_cpu=000""",
    "who_sleeps_is_woken_before_it_runs": """
0 b-101 d.... 9 sched_switch: prev_comm=b prev_pid=101 prev_prio=120 prev_state=R ==> \
next_comm=a next_pid=100 next_prio=120
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d.... 11 sched_switch: prev_comm=b prev_pid=101 prev_prio=120 prev_state=R ==> \
next_comm=a next_pid=100 next_prio=120""",
    "irq_threads_are_woken_behind_their_handler": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 sched_waking: comm=irq/24-a pid=101 prio=49 target_cpu=000""",
    "work_end_closes_its_start": """
0 kworker/0:1-50 ..... 10 workqueue_execute_start: work struct 00000000e0db6ecb: function f
0 kworker/0:1-50 ..... 11 workqueue_execute_end: work struct 00000000c1c2ef4d: function g""",
    "the_idle_task_is_pid_0": """
0 <idle>-100 ..... 10 main: hello""",
    "priorities_exist": """
0 a-100 d.... 10 sched_waking: comm=b pid=101 prio=140 target_cpu=000""",
    "time_never_goes_back_on_a_cpu": """
0 a-100 ..... 10 main: hello
0 a-100 ..... 9 main: hello""",
    "the_log_is_in_the_order_of_time": """
0 a-100 ..... 10 main: hello
1 b-101 ..... 9 main: hello""",
    "an_ipi_was_raised_before": """
0 <idle>-0 d.h.. 10 ipi_raise: target_mask=00000000,00000002 (Function call interrupts)
1 <idle>-0 d.h.. 11 irq_handler_entry: irq=2 name=IPI
1 <idle>-0 d.h.. 12 ipi_entry: (Function call interrupts)
1 <idle>-0 d.h.. 13 ipi_exit: (Function call interrupts)
1 <idle>-0 d.h.. 14 irq_handler_exit: irq=2 ret=handled
1 <idle>-0 d.h.. 15 irq_handler_entry: irq=2 name=IPI
1 <idle>-0 d.h.. 16 ipi_entry: (Function call interrupts)""",
    "an_ipi_handler_handles_one_ipi": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=2 name=IPI
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=2 ret=handled""",
    "a_line_keeps_its_actions": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=24 ret=handled
0 <idle>-0 d.h.. 12 irq_handler_entry: irq=24 name=b
0 <idle>-0 d.h.. 13 irq_handler_exit: irq=24 ret=handled
0 <idle>-0 d.h.. 14 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 15 irq_handler_exit: irq=24 ret=handled
0 <idle>-0 d.h.. 16 irq_handler_entry: irq=24 name=a""",
    "the_timer_that_was_not_due_does_nothing": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=11 ret=unhandled
0 <idle>-0 d.h.. 12 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 13 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 d.h.. 14 irq_handler_exit: irq=11 ret=unhandled""",
    "napi_polls_keep_their_budget": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 <idle>-0 ..s.. 12 napi_poll: napi poll on napi struct 00000000e0db6ecb for device e work 65 \
budget 64""",
    "a_local_wakeup_stands_behind_its_waking": """
0 a-100 d.... 10 sched_waking: comm=b pid=101 prio=120 target_cpu=000
0 a-100 d.... 11 sched_migrate_task: comm=b pid=101 prio=120 orig_cpu=0 dest_cpu=1
0 a-100 d.... 12 sched_wakeup: comm=b pid=101 prio=120 target_cpu=001
0 a-100 d.... 13 sched_waking: comm=c pid=102 prio=120 target_cpu=000
0 a-100 ..... 14 cpu_idle: state=1 cpu_id=0
0 a-100 d.... 15 sched_wakeup: comm=c pid=102 prio=120 target_cpu=000""",
    "work_is_queued_before_it_runs": """
0 a-100 d.... 9 workqueue_queue_work: work struct=00000000e0db6ecb function=f workqueue=events \
req_cpu=256 cpu=0
0 a-100 d.... 10 workqueue_activate_work: work struct 00000000e0db6ecb
0 b-101 ..... 11 workqueue_execute_start: work struct 00000000e0db6ecb: function f
0 b-101 ..... 12 workqueue_execute_end: work struct 00000000e0db6ecb: function f
0 b-101 ..... 13 workqueue_execute_start: work struct 00000000e0db6ecb: function f""",
    "idle_tasks_have_their_names": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=swapper/1 next_pid=0 next_prio=120""",
    "nobody_wakes_the_idle_task": """
0 a-100 d.... 10 sched_waking: comm=swapper/1 pid=0 prio=120 target_cpu=001""",
    "percpu_threads_stay_on_their_cpu": """
0 migration/1-20 ..... 10 main: hello""",
    "a_task_is_called_the_same_when_it_wakes": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d.... 11 sched_waking: comm=c pid=100 prio=120 target_cpu=000""",
    "a_task_keeps_its_priority_while_it_waits": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=R ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d.... 11 sched_switch: prev_comm=b prev_pid=101 prev_prio=120 prev_state=S ==> \
next_comm=a next_pid=100 next_prio=110""",
    "a_pid_does_not_take_its_name_back": """
0 a-100 ..... 10 main: hello
0 b-100 ..... 11 main: hello
0 a-100 ..... 12 main: hello""",
    "timer_expire_exit_closes_its_entry": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=1 baseclk=1
0 <idle>-0 ..s.. 13 timer_expire_exit: timer=00000000c1c2ef4d""",
    "hrtimer_expire_exit_closes_its_entry": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000
0 <idle>-0 d.h.. 12 hrtimer_expire_exit: hrtimer=00000000c1c2ef4d""",
    "timers_are_queued_once": """
0 a-100 d.... 10 timer_start: timer=00000000e0db6ecb function=f expires=9 [timeout=1] cpu=0 \
idx=0 flags=
0 a-100 d.... 11 timer_start: timer=00000000e0db6ecb function=f expires=9 [timeout=1] cpu=0 \
idx=0 flags=""",
    "hrtimers_expire_when_queued": """
0 a-100 d.... 9 hrtimer_start: hrtimer=00000000e0db6ecb function=f expires=9 softexpires=9 \
mode=REL was_armed=0
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000
0 <idle>-0 d.h.. 12 hrtimer_expire_exit: hrtimer=00000000e0db6ecb
0 <idle>-0 d.h.. 13 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000""",
    "timers_are_not_early": """
0 a-100 d.... 9 timer_start: timer=00000000e0db6ecb function=f expires=9 [timeout=1] cpu=0 \
idx=0 flags=
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 d.s.. 12 timer_cancel: timer=00000000e0db6ecb
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=8 baseclk=8""",
    "hrtimers_are_not_early": """
0 a-100 d.... 9 hrtimer_start: hrtimer=00000000e0db6ecb function=f expires=9000 softexpires=9000 \
mode=REL was_armed=0
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=8999""",
    "jiffies_do_not_go_back": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=9 baseclk=1
0 <idle>-0 ..s.. 13 timer_expire_exit: timer=00000000e0db6ecb
0 <idle>-0 ..s.. 14 timer_expire_entry: timer=00000000c1c2ef4d function=f now=8 baseclk=1""",
    "the_clock_of_hrtimers_does_not_go_back": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000
0 <idle>-0 d.h.. 12 hrtimer_expire_exit: hrtimer=00000000e0db6ecb
0 <idle>-0 d.h.. 13 hrtimer_expire_entry: hrtimer=00000000c1c2ef4d function=f now=8999""",
    "the_wheel_is_not_ahead": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=1 baseclk=2""",
    "the_wheel_is_idle_or_busy": """
0 <idle>-0 d.... 10 timer_base_idle: is_idle=1 cpu=0
0 <idle>-0 d.... 11 timer_base_idle: is_idle=1 cpu=0""",
    "a_tick_has_its_own_timer": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=tick_sched_timer now=9
0 <idle>-0 d.h.. 12 hrtimer_expire_exit: hrtimer=00000000e0db6ecb
1 <idle>-0 d.h.. 13 irq_handler_entry: irq=11 name=arch_timer
1 <idle>-0 d.h.. 14 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=tick_sched_timer \
now=9""",
    "an_interrupt_stays_with_its_task": """
0 a-100 d.h.. 10 irq_handler_entry: irq=24 name=a
0 b-101 d.h.. 11 irq_handler_exit: irq=24 ret=handled""",
    "a_vector_stays_with_its_task": """
0 a-100 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 b-101 ..s.. 12 softirq_exit: vec=3 [action=NET_RX]""",
    "a_handler_leaves_the_context_as_it_was": """
0 a-100 d.h1. 10 irq_handler_entry: irq=24 name=a
0 a-100 d.h2. 11 softirq_raise: vec=3 [action=NET_RX]
0 a-100 d.h2. 12 irq_handler_exit: irq=24 ret=handled""",
    "a_vector_leaves_the_context_as_it_was": """
0 a-100 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ..s1. 11 softirq_entry: vec=3 [action=NET_RX]
0 a-100 ..s.. 12 softirq_exit: vec=3 [action=NET_RX]""",
    "need_resched_outlasts_a_handler": """
0 a-100 dNh.. 10 irq_handler_entry: irq=24 name=a
0 a-100 dNh.. 11 softirq_raise: vec=3 [action=NET_RX]
0 a-100 d.h.. 12 irq_handler_exit: irq=24 ret=handled""",
    "need_resched_outlasts_a_vector": """
0 a-100 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 .Ns.. 11 softirq_entry: vec=3 [action=NET_RX]
0 a-100 ..s.. 12 softirq_exit: vec=3 [action=NET_RX]""",
    "vectors_run_in_softirq_context": """
0 a-100 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 a-100 d.... 12 softirq_raise: vec=3 [action=NET_RX]""",
    "softirq_context_serves_a_vector": """
0 a-100 ..... 10 main: hello
0 a-100 ..s.. 11 main: hello
0 a-100 ..... 12 main: hello""",
    "hard_interrupt_context_serves_an_interrupt": """
0 <idle>-0 d.h.. 9 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 10 irq_handler_exit: irq=11 ret=handled
0 a-100 ..... 11 main: hello
0 a-100 d.h.. 12 main: hello
0 a-100 ..... 13 main: hello""",
    "interrupts_are_off_in_bookkeeping": """
0 a-100 ..... 10 timer_cancel: timer=00000000e0db6ecb""",
    "interrupts_are_on_in_bottom_halves": """
0 b-101 d.... 11 workqueue_execute_end: work struct 00000000e0db6ecb: function f""",
    "switches_have_one_depth": """
0 a-100 d..2. 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d..3. 11 sched_switch: prev_comm=b prev_pid=101 prev_prio=120 prev_state=S ==> \
next_comm=swapper/0 next_pid=0 next_prio=120""",
    "what_is_not_counted_is_not_shown": """
0 a-100 d.... 10 sched_switch: prev_comm=a prev_pid=100 prev_prio=120 prev_state=S ==> \
next_comm=b next_pid=101 next_prio=120
0 b-101 d..2. 11 main: hello""",
    "an_idle_cpu_gives_way": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 d.h.. 11 sched_waking: comm=b pid=101 prio=120 target_cpu=000
0 <idle>-0 d.h.. 12 sched_wakeup: comm=b pid=101 prio=120 target_cpu=000""",
    "what_began_last_ends_first": """
0 <idle>-0 d.h.. 7 ipi_raise: target_mask=00000000,00000001 (Rescheduling interrupts)
0 <idle>-0 d.h.. 8 irq_handler_entry: irq=2 name=IPI
0 <idle>-0 d.h.. 9 ipi_entry: (Rescheduling interrupts)
0 <idle>-0 d.h.. 10 ipi_exit: (Rescheduling interrupts)
0 <idle>-0 d.h.. 11 irq_handler_exit: irq=2 ret=handled
0 <idle>-0 d.h.. 11 ipi_raise: target_mask=00000000,00000001 (Rescheduling interrupts)
0 <idle>-0 d.h.. 12 irq_handler_entry: irq=2 name=IPI
0 <idle>-0 d.h.. 13 ipi_entry: (Rescheduling interrupts)
0 <idle>-0 d.h.. 14 irq_handler_exit: irq=2 ret=handled""",
    "interrupts_happen_in_their_context": """
0 a-100 d.... 10 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000""",
    "ipis_happen_in_hard_interrupts": """
0 a-100 d.... 10 ipi_entry: (Rescheduling interrupts)""",
    "softirq_context_belongs_to_vectors": """
0 a-100 d.h.. 10 softirq_raise: vec=3 [action=NET_RX]
0 a-100 ..s.. 11 softirq_entry: vec=3 [action=NET_RX]
0 a-100 ..s.. 12 softirq_exit: vec=3 [action=NET_RX]
0 a-100 d.s.. 13 softirq_raise: vec=3 [action=NET_RX]""",
    "timers_work_in_callbacks": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=f now=9000
0 <idle>-0 d.h.. 12 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 d.h.. 13 hrtimer_expire_exit: hrtimer=00000000e0db6ecb
0 <idle>-0 d.h.. 14 softirq_raise: vec=1 [action=TIMER]""",
    "handlers_work_in_hard_interrupts": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 d.h.. 12 irq_handler_exit: irq=11 ret=handled
0 <idle>-0 d.h.. 13 softirq_raise: vec=1 [action=TIMER]""",
    "ipis_are_always_handled": """
0 <idle>-0 d.h.. 9 ipi_raise: target_mask=00000000,00000001 (Rescheduling interrupts)
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=2 name=IPI
0 <idle>-0 d.h.. 11 ipi_entry: (Rescheduling interrupts)
0 <idle>-0 d.h.. 12 ipi_exit: (Rescheduling interrupts)
0 <idle>-0 d.h.. 13 irq_handler_exit: irq=2 ret=unhandled""",
    "need_resched_has_a_reason": """
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=24 name=a
0 <idle>-0 dNh.. 11 irq_handler_exit: irq=24 ret=handled""",
    "callbacks_leave_interrupts_as_they_were": """
0 <idle>-0 d.h.. 10 softirq_raise: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 11 softirq_entry: vec=1 [action=TIMER]
0 <idle>-0 ..s.. 12 timer_expire_entry: timer=00000000e0db6ecb function=f now=1 baseclk=1
0 <idle>-0 d.s.. 13 timer_expire_exit: timer=00000000e0db6ecb""",
    "hrtimers_call_what_was_started": """
0 a-100 d.... 9 hrtimer_start: hrtimer=00000000e0db6ecb function=f expires=9 softexpires=9 \
mode=REL was_armed=0
0 <idle>-0 d.h.. 10 irq_handler_entry: irq=11 name=arch_timer
0 <idle>-0 d.h.. 11 hrtimer_expire_entry: hrtimer=00000000e0db6ecb function=g now=9000""",
}
BESIDE: Final[dict[str, tuple[str, ...]]] = {
    "irq_handler_exit_closes_its_entry": ("what_began_last_ends_first",),
    "handlers_run_in_hard_interrupt_context": (
        "a_handler_leaves_the_context_as_it_was", "what_began_last_ends_first",
    ),
    "ipi_exit_closes_its_entry": ("what_began_last_ends_first",),
    "ipis_are_handled_by_their_own_interrupt": ("an_ipi_was_raised_before",),
    "ipis_happen_in_hard_interrupts": (
        "ipis_are_handled_by_their_own_interrupt", "an_ipi_was_raised_before",
    ),
    "softirq_exit_closes_its_entry": ("what_began_last_ends_first",),
    "no_softirq_inside_a_hard_interrupt": (
        "handlers_run_in_hard_interrupt_context", "a_handler_leaves_the_context_as_it_was",
    ),
    "every_run_of_a_vector_was_raised": ("vectors_ascend_within_a_pass",),
    "ksoftirqd_serves_its_own_cpu": ("percpu_threads_stay_on_their_cpu",),
    "tasklet_exit_closes_its_entry": ("what_began_last_ends_first",),
    "soft_hrtimers_expire_in_hrtimer": ("hrtimers_expire_when_queued",),
    "a_task_runs_on_one_cpu_at_a_time": ("who_sleeps_is_woken_before_it_runs",),
    "wakeup_follows_waking": (
        "a_local_wakeup_stands_behind_its_waking", "who_sleeps_is_woken_before_it_runs",
    ),
    "timer_expire_exit_closes_its_entry": ("what_began_last_ends_first",),
    "hrtimer_expire_exit_closes_its_entry": ("what_began_last_ends_first",),
    "a_tick_has_its_own_timer": ("hrtimers_expire_when_queued",),
    "vectors_run_in_softirq_context": ("a_vector_leaves_the_context_as_it_was",),
    "interrupts_are_on_in_bottom_halves": ("work_end_closes_its_start",),
    "interrupts_happen_in_their_context": ("soft_hrtimers_expire_in_hrtimer",),
    "time_never_goes_back_on_a_cpu": ("the_log_is_in_the_order_of_time",),
}
