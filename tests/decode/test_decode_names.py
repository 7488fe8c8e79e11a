"""The public names of decoding, and that looking at them loads no decoder."""

from __future__ import annotations

import subprocess
import sys

import deeplens_kit.decode


def test_public_names_are_sorted_and_real():
    names = deeplens_kit.decode.__all__
    assert set(names) == set(dir(deeplens_kit.decode))
    constants = sorted(name for name in names if name.isupper())
    classes = sorted(name for name in names if name[0].isupper() and not name.isupper())
    functions = sorted(name for name in names if name.islower())
    assert names == constants + classes + functions
    for name in names:
        assert getattr(deeplens_kit.decode, name) is not None


def test_importing_the_stage_loads_no_decoder():
    code = (
        "import sys, deeplens_kit.decode, deeplens_kit.decode.signature;"
        "print(sorted({'PIL', 'numpy', 'simplejpeg', 'pillow_heif', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
