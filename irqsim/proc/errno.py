"""Why a file cannot be read or written, in the words of a shell.

Source: include/uapi/asm-generic/errno-base.h, errno.h; the words are those of strerror().
"""

from __future__ import annotations

from typing import Final

from attrs import frozen

from irqsim.errors import IrqsimError


@frozen
class Errno:
    """An error number of the kernel's."""

    name: str
    text: str


EPERM: Final = Errno("EPERM", "Operation not permitted")
ENOENT: Final = Errno("ENOENT", "No such file or directory")
EIO: Final = Errno("EIO", "Input/output error")
EBADF: Final = Errno("EBADF", "Bad file descriptor")
EBUSY: Final = Errno("EBUSY", "Device or resource busy")
EEXIST: Final = Errno("EEXIST", "File exists")
EACCES: Final = Errno("EACCES", "Permission denied")
ENOTDIR: Final = Errno("ENOTDIR", "Not a directory")
EISDIR: Final = Errno("EISDIR", "Is a directory")
EINVAL: Final = Errno("EINVAL", "Invalid argument")
ERANGE: Final = Errno("ERANGE", "Numerical result out of range")
EOVERFLOW: Final = Errno("EOVERFLOW", "Value too large for defined data type")
EOPNOTSUPP: Final = Errno("EOPNOTSUPP", "Operation not supported")


class FileError(IrqsimError):
    """A file that is not there, or does not take what was written to it."""

    def __init__(self, errno: Errno, note: str = "", *, is_write: bool = False) -> None:
        """`note` is said in place of the errno's words; `is_write`: write() failed, not open()."""
        super().__init__(errno, note)
        self.errno = errno
        self.note = note
        self.is_write = is_write
        self.path = ""

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"

    @property
    def reason(self) -> str:
        """What a shell says behind the name of the file, or in its place."""
        if self.note:
            return self.note
        return f"write error: {self.errno.text}" if self.is_write else self.errno.text


def not_yet(what: str) -> FileError:
    """A write that a real machine would take."""
    return FileError(EOPNOTSUPP, f"{what} is not supported yet")
