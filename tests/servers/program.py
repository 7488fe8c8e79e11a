"""Programs that serve: where they are, which version they have, and what installs them.

An environment variable names a program first; then come the scripts of this Python, the search path, the folders of
system programs, and files inside installed packages. What is missing is a skip, or with DEEPLENS_REQUIRE_SERVERS=1 a
failure, and both name the line that installs it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRED = "DEEPLENS_REQUIRE_SERVERS"
REPOSITORY = Path(__file__).parents[2]
_COPIES = REPOSITORY / "build" / "test-servers"
_NUMBER = re.compile(r"\d+\.\d[\w.+-]*")
# Debian keeps smbd, sshd and vsftpd where an ordinary user's PATH does not lead.
_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"


def find(variable: str, *candidates: str, install: str) -> Path:
    """Path of a program.

    Args:
        variable: Environment variable that names it before all else.
        candidates: Names of programs, and `module:relative/path` for files inside installed packages.
        install: The command that installs it.

    Raises:
        pytest.skip.Exception: It is missing; `pytest.fail.Exception` with DEEPLENS_REQUIRE_SERVERS=1.
    """
    found = locate(variable, *candidates)
    if found is None:
        without(f"{candidates[0]} is not installed; {variable} may name it", install)
    return found


def without(reason: str, install: str) -> NoReturn:
    """Skip what needs a server that is missing, or fail where all of them must be there."""
    message = f"{reason}. Install it: {install}"
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{message} ({REQUIRED}=1)", pytrace=False)
    pytest.skip(message)


def locate(variable: str, *candidates: str) -> Path | None:
    """Path of a program, or nothing where it is missing; see `find`."""
    named = os.environ.get(variable)
    if named:
        found = shutil.which(named)
        return Path(found) if found else None
    for folders in (sysconfig.get_path("scripts"), None, _SYSTEM_FOLDERS):
        for candidate in candidates:
            if ":" not in candidate and (found := shutil.which(candidate, path=folders)):
                return Path(found)
    for candidate in candidates:
        module, _, relative = candidate.partition(":")
        if relative and (inside := _inside_package(module, relative)):
            return inside
    return None


def _inside_package(module: str, relative: str) -> Path | None:
    spec = importlib.util.find_spec(module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder, relative)
        if path.is_file():
            return path if os.access(path, os.X_OK) else _executable_copy(path)
    return None


def _executable_copy(path: Path) -> Path:
    """A copy that may be run: an installed package is not ours to change."""
    copy = _COPIES / path.name
    if not copy.exists() or copy.stat().st_size != path.stat().st_size:
        _COPIES.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=_COPIES)
        os.close(descriptor)
        shutil.copyfile(path, name)
        Path(name).chmod(0o755)
        Path(name).replace(copy)  # whole or not at all: another process may start it at this moment
    return copy


@dataclass(frozen=True, slots=True)
class Program:
    """A server as it is installed.

    Attributes:
        name: What people call it.
        variable: Environment variable that names the program.
        candidates: As `find` takes them.
        install: The command that installs it.
        asks: Arguments that make it print its version; empty where it cannot.
        distribution: Python distribution whose version is shown instead.
    """

    name: str
    variable: str
    candidates: tuple[str, ...]
    install: str
    asks: tuple[str, ...] = ()
    distribution: str = ""

    def find(self) -> Path:
        """Its path; skips or fails where it is missing, see `find`."""
        return find(self.variable, *self.candidates, install=self.install)

    def locate(self) -> Path | None:
        """Its path, or nothing."""
        return locate(self.variable, *self.candidates)

    def version(self) -> str:
        """Its version in a line, or `missing`."""
        found = self.locate()
        return "missing" if found is None else f"{self.name} {_version(found, self.asks, self.distribution)}"


@functools.cache
def _version(program: Path, asks: tuple[str, ...], distribution: str) -> str:
    if distribution:
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            return "of an unknown version"
    try:
        # vsftpd prints to its standard input, which it takes for the connection.
        with tempfile.TemporaryFile("w+") as connection:
            told = subprocess.run(
                [program, *asks], stdin=connection, capture_output=True, text=True, timeout=10, check=False
            )
            connection.seek(0)
            said = told.stdout + told.stderr + connection.read()
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"cannot be asked: {error}"
    numbered = _NUMBER.search(said)
    return numbered[0] if numbered else "of an unknown version"
