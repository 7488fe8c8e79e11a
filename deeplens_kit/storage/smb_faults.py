"""What the answers of a file server of Windows' kind mean.

Takes an NTSTATUS number (MS-ERREF 2.3.1), gives a Fault; must not know the library that received it.
"""

from __future__ import annotations

from types import MappingProxyType

from deeplens_kit.storage.resilience import Fault, FaultKind

__all__ = ["FULL", "TAKEN", "breaks_connection", "fault_of_status"]

_LOGON = "; see to the user, the domain and the password of the location"

_MEANINGS = MappingProxyType(
    {
        0xC0000022: (FaultKind.FORBIDDEN, "the user may not do this on the share or in the folder (access denied)"),
        0xC0000061: (FaultKind.FORBIDDEN, "the user lacks a privilege"),
        0xC0000121: (FaultKind.FORBIDDEN, "the file is marked as read-only"),
        0xC00000A2: (FaultKind.FORBIDDEN, "the storage of the share is write-protected"),
        0xC000006A: (FaultKind.CREDENTIALS, "the password is not accepted" + _LOGON),
        0xC000006D: (FaultKind.CREDENTIALS, "the user or the password is not accepted" + _LOGON),
        0xC0000064: (FaultKind.CREDENTIALS, "the user is not known" + _LOGON),
        0xC000006E: (FaultKind.CREDENTIALS, "the account is restricted" + _LOGON),
        0xC000006F: (FaultKind.CREDENTIALS, "the user may not log in at this hour"),
        0xC0000070: (FaultKind.CREDENTIALS, "the user may not log in from this machine"),
        0xC0000071: (FaultKind.CREDENTIALS, "the password has expired" + _LOGON),
        0xC0000072: (FaultKind.CREDENTIALS, "the account is disabled"),
        0xC000015B: (FaultKind.CREDENTIALS, "the user may not log in over the network"),
        0xC0000193: (FaultKind.CREDENTIALS, "the account has expired"),
        0xC0000224: (FaultKind.CREDENTIALS, "the password must be changed first"),
        0xC0000234: (FaultKind.CREDENTIALS, "the account is locked after too many wrong passwords"),
        0xC00000CC: (FaultKind.LOCATION, "the server has no share of this name"),
        0xC00000CB: (FaultKind.LOCATION, "the share is not one of files"),
        0xC0000257: (FaultKind.LOCATION, "the folder lies on another server (DFS); name that server and share"),
        0xC000000F: (FaultKind.GONE, "there is no such file"),
        0xC0000034: (FaultKind.GONE, "there is no such name"),
        0xC000003A: (FaultKind.GONE, "there is no such folder"),
        0xC0000056: (FaultKind.GONE, "it is being removed"),
        0xC0000225: (FaultKind.GONE, "it was not found"),
        0xC0000035: (FaultKind.EXISTS, "the name is taken"),
        0xC0000043: (FaultKind.PASSING, "another program has the file open and lets nobody else in"),
        0xC0000054: (FaultKind.PASSING, "another program has locked a part of the file"),
        0xC0000001: (FaultKind.PASSING, "the server failed"),
        0xC000009A: (FaultKind.PASSING, "the server has no resources left"),
        0xC0000205: (FaultKind.PASSING, "the server has no resources left"),
        0xC00000B5: (FaultKind.PASSING, "the storage of the server timed out"),
        0xC0000120: (FaultKind.PASSING, "the server gave the request up"),
        0xC00000D0: (FaultKind.PASSING, "the server takes no more connections"),
        0xC0000466: (FaultKind.PASSING, "the server is busy"),
        0xC00000C9: (FaultKind.PASSING, "the share was closed and may come back"),
        0xC0000203: (FaultKind.PASSING, "the session was ended by the server"),
        0xC000035C: (FaultKind.PASSING, "the session has expired"),
        0xC0000128: (FaultKind.PASSING, "the server closed the file"),
        0xC0000008: (FaultKind.PASSING, "the server closed the file"),
        0xC000020C: (FaultKind.PASSING, "the connection was closed"),
        0xC000007F: (FaultKind.BROKEN, "no space is left on the share"),
        0xC0000044: (FaultKind.BROKEN, "the quota of the user is used up"),
        0xC0000802: (FaultKind.BROKEN, "the quota of the share is used up"),
        0xC0000033: (FaultKind.BROKEN, "the server cannot have a file of this name"),
        0xC0000039: (FaultKind.BROKEN, "the server cannot have a path like this"),
        0xC000003B: (FaultKind.BROKEN, "the server cannot have a path like this"),
        0xC00000BA: (FaultKind.BROKEN, "it is a folder and no file"),
        0xC0000103: (FaultKind.BROKEN, "it is a file and no folder"),
        0x8000002D: (FaultKind.BROKEN, "it is a symbolic link, which is not followed"),
        0xC0000032: (FaultKind.BROKEN, "the storage of the server is damaged"),
        0xC000003E: (FaultKind.BROKEN, "the storage of the server cannot read the data"),
        0xC000009C: (FaultKind.BROKEN, "the storage of the server cannot read a sector"),
        0xC0000185: (FaultKind.BROKEN, "the storage of the server failed"),
    }
)

TAKEN = frozenset({0xC0000035, 0xC0000056, 0xC0000043, 0xC00000BA})
"""Answers to an exclusive create: the name is there, is being made by another, or is a folder's."""

FULL = frozenset({0xC000007F, 0xC0000044, 0xC0000802})
"""Answers that mean that nothing new has space."""

# After these what was opened over the connection is lost.
_BREAKING = frozenset({0xC00000C9, 0xC0000203, 0xC000035C, 0xC000020C, 0xC0000466})


def fault_of_status(status: int) -> Fault:
    """What an answer means; one that is not known concerns the one object, for good."""
    kind, reason = _MEANINGS.get(status, (FaultKind.BROKEN, "the server refused"))
    return Fault(kind, f"{reason} (NTSTATUS 0x{status:08X})")


def breaks_connection(status: int) -> bool:
    """Whether nothing more can be asked over the connection that gave this answer."""
    return status in _BREAKING
