"""The words for the processor's view: how it takes an IRQ exception, and how it returns.

Source: arch/arm64/kernel/entry.S; arch/arm/kernel/entry-armv.S.
"""

from __future__ import annotations

from typing import Final

from irqsim.analysis.words import Words

_ENTRY: Final = "{entry_file}"

ENTRY_WORDS: Final = (
    Words(
        "entry.arm64.el1", "processor",
        "takes an IRQ exception at EL1, in {who}: return address to ELR_EL1, PSTATE to SPSR_EL1, "
        "PSTATE.DAIF all set; goes on at VBAR_EL1 + 0x280",
        "{who} 실행 중 EL1에서 IRQ 익셉션 발생: 복귀 주소를 ELR_EL1에, PSTATE를 SPSR_EL1에 "
        "저장하고 PSTATE.DAIF를 모두 1로 만든 뒤 익셉션 벡터 VBAR_EL1 + 0x280으로 분기",
        "{el1_irq}", _ENTRY,
    ),
    Words(
        "entry.arm64.el0", "processor",
        "takes an IRQ exception from EL0, out of {who}: return address to ELR_EL1, PSTATE to "
        "SPSR_EL1, PSTATE.DAIF all set, stack pointer SP_EL1; goes on at VBAR_EL1 + 0x480",
        "유저 모드(EL0)에서 {who} 실행 중 IRQ 익셉션 발생: 복귀 주소를 ELR_EL1에, PSTATE를 "
        "SPSR_EL1에 저장하고 PSTATE.DAIF를 모두 1로, 스택 포인터를 SP_EL1로 바꾼 뒤 익셉션 벡터 "
        "VBAR_EL1 + 0x480으로 분기",
        "{el0_irq}", _ENTRY,
    ),
    Words(
        "entry.arm64.either", "processor",
        "takes an IRQ exception, out of {who}: return address to ELR_EL1, PSTATE to SPSR_EL1, "
        "PSTATE.DAIF all set; goes on at VBAR_EL1 + 0x480 if that was user code (EL0), at + "
        "0x280 if it was in a system call (EL1): the log does not say which",
        "{who} 실행 중 IRQ 익셉션 발생: 복귀 주소를 ELR_EL1에, PSTATE를 SPSR_EL1에 저장하고 "
        "PSTATE.DAIF를 모두 1로 만든 뒤, 유저 코드(EL0)였다면 VBAR_EL1 + 0x480, 시스템 콜 처리 "
        "중(EL1)이었다면 + 0x280으로 분기. 어느 쪽인지는 로그에 나타나지 않음",
        "{el0_irq} / {el1_irq}", _ENTRY,
    ),
    Words(
        "entry.arm.svc", "processor",
        "takes an IRQ exception in SVC mode, in {who}: next instruction + 4 to LR_irq, CPSR to "
        "SPSR_irq, IRQ mode, CPSR.I set; goes on at 0xFFFF0018, and from vector_irq, back in SVC "
        "mode, to __irq_svc",
        "{who} 실행 중 SVC 모드에서 IRQ 익셉션 발생: 다음 명령어 주소 + 4를 LR_irq에, CPSR을 "
        "SPSR_irq에 저장하고 IRQ 모드로 바뀌며 CPSR.I를 1로 설정. 인터럽트 벡터 0xFFFF0018의 "
        "vector_irq에서 다시 SVC 모드로 바꿔 __irq_svc 레이블로 분기",
        "__irq_svc", "arch/arm/kernel/entry-armv.S",
    ),
    Words(
        "entry.arm.usr", "processor",
        "takes an IRQ exception in user mode, out of {who}: next instruction + 4 to LR_irq, CPSR "
        "to SPSR_irq, IRQ mode, CPSR.I set; goes on at 0xFFFF0018, and from vector_irq, in SVC "
        "mode, to __irq_usr",
        "유저 모드에서 {who} 실행 중 IRQ 익셉션 발생: 다음 명령어 주소 + 4를 LR_irq에, CPSR을 "
        "SPSR_irq에 저장하고 IRQ 모드로 바뀌며 CPSR.I를 1로 설정. 인터럽트 벡터 0xFFFF0018의 "
        "vector_irq에서 SVC 모드로 바꿔 __irq_usr 레이블로 분기",
        "__irq_usr", "arch/arm/kernel/entry-armv.S",
    ),
    Words(
        "entry.arm.either", "processor",
        "takes an IRQ exception, out of {who}: next instruction + 4 to LR_irq, CPSR to SPSR_irq, "
        "IRQ mode, CPSR.I set; goes on at 0xFFFF0018, and from vector_irq, in SVC mode, to "
        "__irq_usr if that was user code, to __irq_svc if it was in a system call: the log does "
        "not say which",
        "{who} 실행 중 IRQ 익셉션 발생: 다음 명령어 주소 + 4를 LR_irq에, CPSR을 SPSR_irq에 "
        "저장하고 IRQ 모드로 바뀌며 CPSR.I를 1로 설정. 인터럽트 벡터 0xFFFF0018의 vector_irq에서 "
        "SVC 모드로 바꿔, 유저 코드였다면 __irq_usr, 시스템 콜 처리 중이었다면 __irq_svc "
        "레이블로 분기. 어느 쪽인지는 로그에 나타나지 않음",
        "__irq_usr / __irq_svc", "arch/arm/kernel/entry-armv.S",
    ),
    Words(
        "entry.unknown", "processor",
        "takes an IRQ exception, out of {who}: saves return address and processor state, masks "
        "interrupts and goes on at the IRQ vector (the log does not name the architecture; "
        "--arch does)",
        "{who} 실행 중 IRQ 익셉션 발생: 복귀 주소와 프로세서 상태를 저장하고 인터럽트를 막은 뒤 "
        "IRQ 인터럽트 벡터로 분기 (로그에 아키텍처 정보가 없음. --arch 옵션으로 지정 가능)",
        "handle_arch_irq", "kernel/irq/handle.c",
    ),
    Words(
        "print.exception_entry", "processor",
        "takes an IRQ exception, out of {who}: from mode {mode_from}, goes on at "
        "{exception_vector}; {bytes} bytes of registers are saved",
        "{who} 실행 중 IRQ 익셉션 발생: {mode_from} 모드에서 익셉션 벡터 "
        "{exception_vector}(으)로 분기하고 레지스터 {bytes}바이트를 저장",
        "{el1_irq}", _ENTRY,
    ),
    Words(
        "print.exception_return", "processor",
        "returns from the exception to mode {mode_to}: {bytes} bytes of registers are restored",
        "익셉션에서 {mode_to} 모드로 복귀: 레지스터 {bytes}바이트를 복원",
        "{exception_return}", _ENTRY,
    ),
    Words(
        "return", "processor",
        "has returned from the exception before this line: saved state back, interrupts on again",
        "이 줄 이전에 익셉션에서 복귀: 저장해 둔 프로세서 상태를 복원하고 인터럽트를 다시 허용",
        "{exception_return}", _ENTRY,
    ),
)  # fmt: skip
