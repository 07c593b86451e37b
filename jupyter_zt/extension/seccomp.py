"""Which system calls a sandboxed kernel may not make: a classic BPF program for `bwrap --seccomp`.

An own network namespace stops what has one. AF_VSOCK (a virtual machine's line to its host) has
none, and io_uring opens sockets without the `socket` call. The rest is what no notebook needs and
what flaws in operating system kernels have been reached through.

Numbers: Linux ``arch/x86/entry/syscalls/syscall_64.tbl`` and ``scripts/syscall.tbl`` (arm64).
Layout of the program and its data: seccomp(2), ``linux/filter.h``.
"""

from __future__ import annotations

import errno
import os
import platform
import socket
import stat
import struct

_AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_SOCKET = {"x86_64": 41, "aarch64": 198}
_X32_BIT = 0x40000000
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)

# By name: the number on x86_64, and on aarch64.
_REFUSED = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "delete_module": (176, 106),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "sched_setaffinity": (203, 122),  # which processors it gets is the sandbox's to say
    "setns": (308, 268),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
_MISSING = {  # refused as if this Linux did not have them: programs then do without
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
}
# By name: the numbers, and which argument is the mode. -1: that machine has no such call.
_CHMOD = {
    "chmod": ((90, -1), 1),
    "fchmod": ((91, 52), 1),
    "fchmodat": ((268, 53), 2),
    "fchmodat2": ((452, 452), 2),
}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER_OFFSET, _ARCH_OFFSET, _FIRST_ARGUMENT_OFFSET, _ARGUMENT_BYTES = 0, 4, 16, 8
_KILL, _ALLOW, _ERRNO = 0x80000000, 0x7FFF0000, 0x00050000


def program(machine: str | None = None) -> bytes:
    """The filter for a machine (`platform.machine()`), or b"" for one that it does not know."""
    machine = machine or platform.machine()
    if machine not in _AUDIT_ARCH:
        return b""
    column = list(_AUDIT_ARCH).index(machine)
    # (1) Another architecture's calls have other numbers.
    code = [
        _step(_LOAD, _ARCH_OFFSET),
        _step(_EQUAL, _AUDIT_ARCH[machine], when_true=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_OFFSET),
    ]
    if machine == "x86_64":
        code += [
            _step(_AT_LEAST, _X32_BIT, when_false=1),
            _step(_RETURN, _ERRNO | errno.EPERM),
        ]
    # (2) Calls that nobody needs.
    for calls, error in ((_REFUSED, errno.EPERM), (_MISSING, errno.ENOSYS)):
        for numbers in calls.values():
            code += [
                _step(_EQUAL, numbers[column], when_false=1),
                _step(_RETURN, _ERRNO | error),
            ]
    # (3) A set-uid file in the work folder would be the server's user's, outside of the sandbox.
    for numbers, argument in _CHMOD.values():
        if numbers[column] >= 0:
            code += [
                _step(_EQUAL, numbers[column], when_false=4),
                _step(_LOAD, _FIRST_ARGUMENT_OFFSET + argument * _ARGUMENT_BYTES),
                _step(_ANY_BIT, stat.S_ISUID | stat.S_ISGID, when_false=1),
                _step(_RETURN, _ERRNO | errno.EPERM),
                _step(_RETURN, _ALLOW),
            ]
    # (4) Sockets of families that the network namespace confines.
    code += [
        _step(_EQUAL, _SOCKET[machine], when_true=1),
        _step(_RETURN, _ALLOW),
        _step(_LOAD, _FIRST_ARGUMENT_OFFSET),
    ]
    for left, family in enumerate(reversed(_FAMILIES)):
        code.append(_step(_EQUAL, family, when_true=len(_FAMILIES) - left))
    code += [_step(_RETURN, _ERRNO | errno.EAFNOSUPPORT), _step(_RETURN, _ALLOW)]
    return b"".join(code)


def program_file() -> int | None:
    """The filter in a file of its own that bwrap reads from; None where there is no filter.

    Returns:
        A file descriptor, which the caller closes.
    """
    text = program()
    if not text:
        return None
    descriptor = os.memfd_create("zt-seccomp")
    os.write(descriptor, text)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _step(operation: int, operand: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", operation, when_true, when_false, operand)
