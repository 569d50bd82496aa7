"""What request_irq() refuses.

Source: request_threaded_irq(), __setup_irq(), kernel/irq/manage.c.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.kernel.irq.request import (
    ERRNO,
    ExistingAction,
    Line,
    Refusal,
    Request,
    check_request,
)
from irqsim.kernel.irq.settings import (
    IRQF_COND_ONESHOT,
    IRQF_FLAGS,
    IRQF_NO_AUTOEN,
    IRQF_NO_SUSPEND,
    IRQF_NO_THREAD,
    IRQF_ONESHOT,
    IRQF_PERCPU,
    IRQF_SHARED,
    irqf_value,
)

LINE = Line("24")
FLAGS = st.lists(st.sampled_from(sorted(IRQF_FLAGS)), unique=True).map(irqf_value)
REQUESTS = st.builds(
    Request,
    st.sampled_from(("eth0", "mmc")),
    FLAGS,
    st.booleans(),
    has_handler=st.booleans(),
    has_thread=st.booleans(),
)


def ask(
    *requests: Request,
    line: Line = LINE,
    bits_per_long: int = 64,
    has_cond_oneshot: bool = False,
    force_irqthreads: bool = False,
) -> ExistingAction | Refusal:
    """The answer to the last of several requests for a line; the others must be granted."""
    actions: list[ExistingAction] = []
    for request in requests:
        answer = check_request(
            request,
            actions,
            line,
            bits_per_long=bits_per_long,
            has_cond_oneshot=has_cond_oneshot,
            force_irqthreads=force_irqthreads,
        )
        if request is requests[-1]:
            return answer
        assert isinstance(answer, ExistingAction)
        actions.append(answer)
    raise AssertionError("ask() needs a request")


def refused(answer: ExistingAction | Refusal) -> str:
    """The errno and the log line of a refusal."""
    assert isinstance(answer, Refusal)
    assert answer.errno in ERRNO
    return f"{answer.errno} {answer.log}".strip()


def shared(name: str, flags: int = 0, is_level: bool = True) -> Request:
    return Request(name, IRQF_SHARED | flags, is_level)


def test_a_line_that_is_not_shared_is_busy() -> None:
    """The log has the new flags first, with the trigger."""
    answer = ask(Request("a", 0, True), shared("b"))
    assert (
        refused(answer)
        == "EBUSY genirq: Flags mismatch irq 24. 00000084 (b) vs. 00000004 (a)"
    )
    assert "request_irq() returns -EBUSY" in str(answer)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (shared("a"), shared("b", is_level=False)),
        (shared("a", IRQF_ONESHOT), shared("b")),
        (shared("a"), shared("b", IRQF_ONESHOT)),
        (shared("a"), shared("b", IRQF_PERCPU)),
        (shared("a"), Request("b", 0, True)),
    ],
)
def test_flags_that_disagree_are_busy(old: Request, new: Request) -> None:
    assert refused(ask(old, new)).startswith("EBUSY genirq: Flags mismatch irq 24.")


def test_flags_that_agree_share() -> None:
    assert isinstance(ask(shared("a"), shared("b"), shared("c", IRQF_NO_THREAD)), ExistingAction)


def test_thread_without_handler_needs_oneshot() -> None:
    new = Request("touch", 0, True, has_handler=False, has_thread=True)
    assert refused(ask(new)) == (
        "EINVAL genirq: Threaded irq requested with handler=NULL and !ONESHOT for touch (irq 24)"
    )
    oneshot = Request("touch", IRQF_ONESHOT, True, has_handler=False, has_thread=True)
    assert isinstance(ask(oneshot), ExistingAction)
    assert isinstance(ask(new, line=Line("24", is_oneshot_safe=True)), ExistingAction)


def test_request_without_handler_and_thread_is_invalid() -> None:
    assert refused(ask(Request("a", 0, True, has_handler=False))) == "EINVAL"


def test_shared_and_no_autoen_exclude_each_other() -> None:
    assert refused(ask(shared("a", IRQF_NO_AUTOEN))) == "EINVAL"


def test_line_of_a_chained_controller_is_not_requested() -> None:
    assert refused(ask(Request("a", 0, True), line=Line("24", is_chained=True))) == "EINVAL"


@pytest.mark.parametrize("flag", [IRQF_SHARED, IRQF_PERCPU, IRQF_ONESHOT, IRQF_NO_SUSPEND])
def test_percpu_line_takes_no_flags(flag: int) -> None:
    """Source: __request_percpu_irq()."""
    line = Line("10", is_per_cpu_devid=True)
    assert refused(ask(Request("a", flag, True), line=line)) == "EINVAL"


def test_percpu_line_takes_no_thread_and_no_second_driver() -> None:
    line = Line("10", is_per_cpu_devid=True)
    threaded = Request("a", 0, True, has_thread=True)
    assert refused(ask(threaded, line=line)) == "EINVAL"
    busy = ask(Request("a", 0, True), Request("b", 0, True), line=line)
    assert refused(busy) == (
        "EBUSY genirq: Flags mismatch irq 10. 00004404 (b) vs. 00004404 (a)"
    )


def test_word_of_bits_limits_oneshot_sharers() -> None:
    requests = [shared(f"d{number}", IRQF_ONESHOT) for number in range(33)]
    assert isinstance(ask(*requests, bits_per_long=64), ExistingAction)
    assert refused(ask(*requests, bits_per_long=32)) == "EBUSY"


def test_forced_threading_makes_oneshot() -> None:
    """Then a sharer that is exempt from it disagrees.  Source: irq_setup_forced_threading()."""
    answer = ask(shared("a"), force_irqthreads=True)
    assert isinstance(answer, ExistingAction)
    assert answer.flags & IRQF_ONESHOT
    mixed = ask(shared("a"), shared("b", IRQF_NO_THREAD), force_irqthreads=True)
    assert refused(mixed).startswith("EBUSY")


def test_cond_oneshot_follows_the_first_action() -> None:
    """Releases whose request_irq() passes it share with a oneshot line."""
    first = Request("a", IRQF_SHARED | IRQF_ONESHOT, True, has_thread=True)
    answer = ask(first, shared("b"), has_cond_oneshot=True)
    assert isinstance(answer, ExistingAction)
    assert answer.flags & (IRQF_ONESHOT | IRQF_COND_ONESHOT) == IRQF_ONESHOT | IRQF_COND_ONESHOT
    assert refused(ask(first, shared("b"))).startswith("EBUSY")


def test_nmi_shares_nothing() -> None:
    nmi = Request("watchdog", 0, False, is_nmi=True)
    assert refused(ask(nmi, shared("b", is_level=False))) == "EINVAL"
    assert refused(ask(Request("n", IRQF_SHARED, False, is_nmi=True))) == "EINVAL"
    assert refused(ask(Request("n", 0, False, has_thread=True, is_nmi=True))) == "EINVAL"


@given(REQUESTS, REQUESTS)
def test_sharing_is_symmetric(first: Request, second: Request) -> None:
    """Two requests that are each granted alone share a line in either order, or in none."""
    if any(isinstance(ask(each), Refusal) for each in (first, second)):
        return
    if (first.flags | second.flags) & IRQF_COND_ONESHOT:
        return
    forwards, backwards = ask(first, second), ask(second, first)
    assert isinstance(forwards, Refusal) == isinstance(backwards, Refusal)
    if isinstance(forwards, ExistingAction):
        assert first.flags & second.flags & IRQF_SHARED
        assert first.is_level == second.is_level


@given(REQUESTS)
def test_refusal_changes_nothing_and_grant_keeps_the_flags(request_made: Request) -> None:
    answer = ask(request_made)
    if isinstance(answer, ExistingAction):
        assert answer.flags & request_made.flags == request_made.flags
        assert (answer.name, answer.is_level) == (request_made.name, request_made.is_level)
