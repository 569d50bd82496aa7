"""What an operator types, as the key `do` of `[[at]]` takes it."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from irqsim.scenario.commands import parse_command
from irqsim.scenario.spec import AtCommand


@pytest.mark.parametrize(
    ("typed", "command"),
    [
        ("cat /proc/interrupts", AtCommand("cat", "/proc/interrupts")),
        ("echo 2 > /proc/irq/24/node", AtCommand("echo", "/proc/irq/24/node", "2\n")),
        ("echo 2 >/a", AtCommand("echo", "/a", "2\n")),
        ("echo -n 2 > /a", AtCommand("echo", "/a", "2")),
        ("echo  two   words>/a", AtCommand("echo", "/a", "two words\n")),
        ("echo 'two   words' > /a", AtCommand("echo", "/a", "two   words\n")),
        ('echo "a \\"b\\" \\$" > /a', AtCommand("echo", "/a", 'a "b" $\n')),
        ("echo a\\ b'c'\"d\" > '/x y'", AtCommand("echo", "/x y", "a bcd\n")),
        ("echo > /a", AtCommand("echo", "/a", "\n")),
        ("> /a echo hi", AtCommand("echo", "/a", "hi\n")),
        ("echo irq:* !sched a#b >> /a", AtCommand("echo", "/a", "irq:* !sched a#b\n", append=True)),
        ("devmem 0x8000000", AtCommand("devmem", address=0x8000000)),
        ("devmem 4096 8", AtCommand("devmem", address=4096, width=8)),
        ("devmem 0x10 16 0xffff", AtCommand("devmem", address=16, width=16, value=0xFFFF)),
    ],
)
def test_commands(typed: str, command: AtCommand) -> None:
    assert parse_command(typed, 3) == (command,)
    assert parse_command(typed, 3)[0].source == typed
    assert parse_command(typed, 3)[0].line == 3


def test_cat_of_several_files_is_several_commands() -> None:
    assert parse_command("cat /a /b") == (AtCommand("cat", "/a"), AtCommand("cat", "/b"))


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "empty string"),
        ("dog /a", "unknown command 'dog'"),
        ("ech 1 > /a", "did you mean 'echo'?"),
        ("cat", "needs the path"),
        ("cat proc/interrupts", "a path from the root"),
        ("cat /proc/irq/*/spurious", "the path of one file"),
        ("cat /a > /b", "only 'echo' writes"),
        ("echo 1", "needs a file"),
        ("echo 1 >", "one file behind '>'"),
        ("echo 1 > /a > /b", "one file behind '>'"),
        ("echo 1 > a", "a path from the root"),
        ("echo 0>/a", "'0>' would redirect descriptor 0"),
        ("echo 'a > /b", "unfinished quotation"),
        ("cat /a | grep x", "'|' means something to a shell"),
        ("echo $HOME > /a", "'$' means something to a shell"),
        ('echo "$HOME" > /a', "'$' means something to a shell"),
        ("cat /a; cat /b", "';' means something to a shell"),
        ("cat /a\ncat /b", "one line"),
        ("devmem", "devmem ADDRESS"),
        ("devmem x", "expected a number"),
        ("devmem 0x10 12", "expected a width"),
        ("devmem 0x10 8 256", "expected a value of 8 bits"),
        ("devmem 99999999999999999999", "64 bits"),
    ],
)
def test_what_is_refused(typed: str, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_command(typed)
    assert message in str(caught.value)


@given(st.text(max_size=40))
def test_no_text_breaks_the_reader(typed: str) -> None:
    try:
        commands = parse_command(typed)
    except ValueError:
        return
    assert commands


@given(st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126)), max_size=4))
def test_quoted_words_are_read_as_a_shell_reads_them(words: list[str]) -> None:
    if words[:1] == ["-n"]:
        return
    typed = f"echo {shlex.join(words)} > /a"
    assert parse_command(typed) == (AtCommand("echo", "/a", " ".join(words) + "\n"),)
