"""A decoder in another process gives what one in this process gives, and its crash or hang costs one file."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from deeplens_kit.decode import (
    ConversionTarget,
    IsolatedDecoder,
    close_decoders,
    convert_picture,
    decode_grey,
    decode_picture,
    decode_preview,
    effective_pixels,
    native_samples,
)
from deeplens_kit.decode.file_tags import file_tags
from deeplens_kit.decode.isolation import shelf
from deeplens_kit.errors import (
    CorruptPictureError,
    DecoderCrashedError,
    DecoderUnavailableError,
    DecodeTimeoutError,
    LimitExceededError,
    NotAPictureError,
    ObjectError,
    UnsupportedFormatError,
)
from deeplens_kit.settings import DecodeSettings

LIMITS = DecodeSettings()
# What a library looks like in the eyes of a decoder process that finds it first on its path.
LIBRARY = "def decode_jpeg(*arguments, **options):\n"
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF", "AVIF")

Encode = Callable[..., bytes]


@pytest.fixture(autouse=True)
def new_decoders() -> Iterator[None]:
    """Decoders of earlier tests have loaded their libraries already."""
    close_decoders()
    yield
    close_decoders()


@pytest.fixture
def broken_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Replaces the decoder of JPEGs in every decoder process that is started from now on."""

    def replace(body: str) -> None:
        (tmp_path / "simplejpeg.py").write_text(LIBRARY + textwrap.indent(body, "    "))
        monkeypatch.syspath_prepend(tmp_path)

    return replace


@pytest.fixture
def jpeg(encode: Encode, small_photo: Image.Image) -> bytes:
    return encode(small_photo, "JPEG", quality=90)


@pytest.fixture
def png(encode: Encode, small_photo: Image.Image) -> bytes:
    return encode(small_photo, "PNG")


def idle_pids() -> list[int]:
    return [process.pid for process in shelf._idle]


@pytest.mark.parametrize("format_name", FORMATS)
def test_answers_are_those_of_this_process(encode: Encode, photo: Image.Image, format_name: str) -> None:
    data, decoder = encode(photo, format_name), IsolatedDecoder(LIMITS)
    for found, expected in (
        (decoder.picture(data), decode_picture(data, LIMITS)),
        (decoder.preview(data, 200), decode_preview(data, LIMITS, 200)),
    ):
        assert np.array_equal(found.rgb, expected.rgb)
        assert found.metadata == expected.metadata
        assert found.tags == expected.tags
    assert np.array_equal(decoder.grey(data, 300), decode_grey(data, LIMITS, 300))
    assert np.array_equal(decoder.grey(data), decode_grey(data, LIMITS))
    assert decoder.samples(data) == native_samples(data, LIMITS)
    assert decoder.tags(data) == file_tags(data, LIMITS)
    target = ConversionTarget("jpeg", quality=80, max_side_px=100)
    assert decoder.converted(data, target) == convert_picture(data, target, LIMITS)
    assert decoder.effective_pixels(data) == effective_pixels(data, LIMITS)
    assert len(idle_pids()) == 1


@pytest.mark.parametrize(
    ("data", "settings", "kind"),
    [
        (b"no picture at all", LIMITS, NotAPictureError),
        (b"%PDF-1.7", LIMITS, UnsupportedFormatError),
        (b"\xff\xd8\xff\xe0 and no more", LIMITS, CorruptPictureError),
        (None, DecodeSettings(max_pixels=100), LimitExceededError),
        (None, DecodeSettings(max_bytes=100), LimitExceededError),
        (b"", LIMITS, UnsupportedFormatError),
    ],
)
def test_errors_are_those_of_this_process(
    jpeg: bytes, data: bytes | None, settings: DecodeSettings, kind: type[ObjectError]
) -> None:
    data = jpeg if data is None else data
    with pytest.raises(kind) as here:
        decode_picture(data, settings)
    with pytest.raises(kind) as there:
        IsolatedDecoder(settings).picture(data)
    assert str(there.value).split(";")[0] in str(here.value) + "."
    assert there.value.code == here.value.code


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import os; os._exit(7)", "exit code 7"),
        ("import sys; sys.exit('a library that ends the program')", "exit code 1"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ],
)
def test_a_crash_costs_the_file_alone(
    broken_library: Callable[[str], None], jpeg: bytes, png: bytes, body: str, words: str
) -> None:
    broken_library(body)
    decoder = IsolatedDecoder(LIMITS)
    before = decoder.picture(png)
    with pytest.raises(DecoderCrashedError, match=words):
        decoder.picture(jpeg)
    assert np.array_equal(decoder.picture(png).rgb, before.rgb)


def test_an_answer_that_is_none_counts_as_a_crash(broken_library: Callable[[str], None], jpeg: bytes) -> None:
    broken_library(
        "import gc, socket\n"
        "for item in gc.get_objects():\n"
        "    if isinstance(item, socket.socket):\n"
        "        item.sendall(b'\\xff' * 100)\n"
    )
    with pytest.raises(DecoderCrashedError):
        IsolatedDecoder(LIMITS).picture(jpeg)


def test_a_hang_ends_in_time_and_so_does_its_process(broken_library: Callable[[str], None], jpeg: bytes) -> None:
    broken_library("from pathlib import Path\nimport os\nwhile True: pass")
    children = psutil.Process().children
    before = set(children())
    with pytest.raises(DecodeTimeoutError, match=r"0\.5 s .setting decode.max_seconds"):
        IsolatedDecoder(DecodeSettings(max_seconds=0.5)).picture(jpeg)
    assert set(children()) <= before


def test_a_bomb_costs_its_memory_and_no_more(encode: Encode, png: bytes) -> None:
    bomb = encode(Image.new("RGB", (9000, 9000)), "PNG")
    assert len(bomb) < 1_000_000
    decoder = IsolatedDecoder(DecodeSettings(max_memory_bytes=128 * 2**20))
    assert decoder.picture(png).rgb.any()
    (pid,) = idle_pids()
    with pytest.raises(LimitExceededError, match=r"max_memory_bytes.*deeplens failures retry"):
        decoder.picture(bomb)
    assert decoder.picture(png).rgb.any()
    assert idle_pids() == [pid]
    assert IsolatedDecoder(LIMITS).picture(bomb).rgb.shape == (384, 384, 3)


def test_a_file_that_does_not_fit_into_memory_is_too_large(png: bytes) -> None:
    decoder = IsolatedDecoder(DecodeSettings(max_memory_bytes=64 * 2**20))
    with pytest.raises(LimitExceededError, match=r"max_memory_bytes.*deeplens failures retry"):
        decoder.picture(png + bytes(100 * 2**20))
    assert decoder.picture(png).rgb.any()


def test_what_ends_a_decoder_from_outside_is_not_laid_at_a_files_door(png: bytes) -> None:
    decoder = IsolatedDecoder(LIMITS)
    expected = decoder.picture(png)
    for stop in (signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV):
        (pid,) = idle_pids()
        os.kill(pid, stop)
        assert np.array_equal(decoder.picture(png).rgb, expected.rgb)
        assert idle_pids() != [pid]


def test_what_an_earlier_file_broke_is_not_laid_at_a_files_door(
    broken_library: Callable[[str], None], jpeg: bytes, png: bytes
) -> None:
    # As memory that is spoilt by one file and used by the next.
    broken_library(
        "import os\n"
        "from deeplens_kit.decode import picture\n"
        "picture.require_format = lambda data: os.abort()\n"
        "raise ValueError('damaged')"
    )
    decoder = IsolatedDecoder(LIMITS)
    with pytest.raises(CorruptPictureError, match="damaged"):
        decoder.picture(jpeg)
    (pid,) = idle_pids()
    assert decoder.picture(png).rgb.any()
    assert idle_pids() != [pid]


def test_a_system_that_allows_less_memory_is_heard(png: bytes) -> None:
    decoder = IsolatedDecoder(LIMITS)
    decoder.picture(png)
    (pid,) = idle_pids()
    allowed = 600 * 2**20
    resource.prlimit(pid, resource.RLIMIT_DATA, (allowed, allowed))
    assert decoder.picture(png).rgb.any()
    assert idle_pids() == [pid]


@pytest.mark.parametrize(
    "values",
    [
        "{'metadata': {}, 'shape': (1, 1, 3), 'tags': {}}",
        "{'shape': (10**6, 10**6, 3)}",
        "{}",
    ],
)
def test_an_answer_with_other_values_counts_as_a_crash(
    broken_library: Callable[[str], None], jpeg: bytes, png: bytes, values: str
) -> None:
    broken_library(
        "import numpy as np\n"
        "from deeplens_kit.decode.isolation import jobs\n"
        "answer = jobs.Answer\n"
        f"jobs.Answer = lambda values, blocks=(): answer({values}, blocks)\n"
        "return np.zeros((80, 120, 3), np.uint8)"
    )
    decoder = IsolatedDecoder(LIMITS)
    with pytest.raises(DecoderCrashedError, match="is no answer"):
        decoder.picture(jpeg)
    assert decoder.picture(png).rgb.any()


def test_idle_decoders_end_after_a_while(monkeypatch: pytest.MonkeyPatch, png: bytes) -> None:
    monkeypatch.setattr(shelf, "_IDLE_SECONDS", 0.2)
    IsolatedDecoder(LIMITS).picture(png)
    (pid,) = idle_pids()
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(20)
    assert not idle_pids()


def test_another_priority_makes_room_on_the_shelf(monkeypatch: pytest.MonkeyPatch, png: bytes) -> None:
    monkeypatch.setattr(shelf, "_MOST_IDLE", 1)
    own = psutil.Process().nice()
    IsolatedDecoder(LIMITS).picture(png)
    nicer = IsolatedDecoder(LIMITS, niceness=own + 3)
    nicer.picture(png)
    (pid,) = idle_pids()
    nicer.picture(png)
    assert idle_pids() == [pid]


def test_a_decoder_that_stands_still_is_ended_in_time(png: bytes) -> None:
    decoder = IsolatedDecoder(DecodeSettings(max_seconds=0.5))
    decoder.picture(png)
    (pid,) = idle_pids()
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(DecodeTimeoutError):
        # More than fits into the buffers of a socket: not even the file can be handed over.
        decoder.picture(png + bytes(8 * 2**20))
    assert not psutil.pid_exists(pid)


def test_no_credentials_reach_a_decoder(
    broken_library: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, jpeg: bytes
) -> None:
    monkeypatch.setenv("EXAMPLE_SECRET_KEY", "very secret")
    broken_library("import os\nraise ValueError(' '.join(sorted(os.environ)))")
    with pytest.raises(CorruptPictureError, match="PATH") as found:
        IsolatedDecoder(LIMITS).picture(jpeg)
    assert "EXAMPLE" not in str(found.value)


def test_a_decoder_writes_no_file(broken_library: Callable[[str], None], tmp_path: Path, jpeg: bytes) -> None:
    target = tmp_path / "written.txt"
    broken_library(f"from pathlib import Path\nPath({str(target)!r}).write_bytes(bytes(1000))")
    with pytest.raises(CorruptPictureError, match="File too large"):
        IsolatedDecoder(LIMITS).picture(jpeg)
    assert not target.exists() or not target.stat().st_size


def test_threads_have_decoders_of_their_own(encode: Encode, photo: Image.Image) -> None:
    pictures = [encode(photo.rotate(90 * number, expand=True), "PNG") for number in range(4)]
    decoder = IsolatedDecoder(LIMITS)
    found: dict[int, bool] = {}
    at_once = threading.Barrier(len(pictures))

    def work(number: int) -> None:
        at_once.wait(30)
        expected = decode_picture(pictures[number], LIMITS).rgb
        found[number] = all(np.array_equal(decoder.picture(pictures[number]).rgb, expected) for _ in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == dict.fromkeys(range(len(pictures)), True)


def test_worn_decoders_are_replaced(monkeypatch: pytest.MonkeyPatch, png: bytes) -> None:
    monkeypatch.setattr(shelf, "_MOST_JOBS", 2)
    decoder = IsolatedDecoder(LIMITS)
    decoder.picture(png)
    (pid,) = idle_pids()
    decoder.picture(png)
    assert not idle_pids()
    assert not psutil.pid_exists(pid)
    assert decoder.picture(png).rgb.any()


def test_a_wish_for_stepping_back_is_heard(png: bytes) -> None:
    IsolatedDecoder(LIMITS).picture(png)
    own = psutil.Process().nice()
    IsolatedDecoder(LIMITS, niceness=own + 7).picture(png)
    assert sorted(psutil.Process(pid).nice() for pid in idle_pids()) == [own, own + 7]


def test_decoders_end_with_their_parent(tmp_path: Path, png: bytes) -> None:
    (tmp_path / "one.png").write_bytes(png)
    script = """
        import os, signal, sys
        from pathlib import Path
        from deeplens_kit.decode import IsolatedDecoder
        from deeplens_kit.decode.isolation import shelf
        from deeplens_kit.settings import DecodeSettings
        IsolatedDecoder(DecodeSettings()).picture(Path(sys.argv[1]).read_bytes())
        print(*[process.pid for process in shelf._idle], flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "one.png")],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert answer.returncode == -signal.SIGKILL
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(int(answer.stdout)).wait(20)


def test_one_that_is_ended_while_it_starts_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png: bytes
) -> None:
    # The first three that look for numpy are ended by a signal, as by somebody who watches for processes.
    (tmp_path / "numpy.py").write_text(
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "folder = Path(__file__).parent\n"
        "if len(list(folder.glob('started-*'))) < 3:\n"
        "    Path(folder, f'started-{os.getpid()}').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.path.remove(str(folder))\n"
        "del sys.modules['numpy']\n"
        "import numpy\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert IsolatedDecoder(LIMITS).picture(png).rgb.any()
    assert len(list(tmp_path.glob("started-*"))) == 3


def test_a_decoder_that_cannot_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, png: bytes) -> None:
    (tmp_path / "numpy.py").write_text("raise ImportError('no numpy for you')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(DecoderUnavailableError, match="no numpy for you"):
        IsolatedDecoder(LIMITS).picture(png)
