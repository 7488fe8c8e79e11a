"""How fast a folder of pictures is indexed, by stage, beside the limit that was measured in the same run.

The limit is `workers` / (CPU seconds per picture summed over the stages, each measured on its own threads while the
run goes on): what perfect overlap without any waiting would give. Pictures are crops of photographs that
scikit-image ships, enlarged to the size asked for, each with bytes of its own. What the isolation of decoders costs is
told by the same run with decoders in the process itself, the two taking turns.

    python -m benchmarks.indexing [--pictures 240] [--width 2048] [--height 1536] [--memory 1000,50000] [--json]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.processes import cpu_seconds
from benchmarks.report import Report, print_report
from deeplens_kit.decode import DecodedPicture, decode_picture
from deeplens_kit.pipeline import Workspace, analysis, index
from deeplens_kit.settings import DecodeSettings, FeatureSettings
from deeplens_kit.telemetry import collect_stage_times, configure_logging

SEED = 20261123
_HASHES = ("clarity", "phash", "dhash", "pdq")
_SETS = {"digests, hashes, thumbnail": _HASHES, "and small SSCD": (*_HASHES, "sscd_small")}


def make_pictures(folder: Path, count: int, size: tuple[int, int], seed: int = SEED) -> int:
    """Write `count` distinct JPEGs (quality 88) of `size` (width, height); returns their bytes in all."""
    from skimage import data

    photographs = [Image.fromarray(data.astronaut()), Image.fromarray(data.coffee()), Image.fromarray(data.chelsea())]
    random = np.random.default_rng(seed)
    total = 0
    for number in range(count):
        photograph = photographs[number % len(photographs)]
        width = int(random.integers(photograph.width // 3, photograph.width))
        height = min(photograph.height, max(1, width * size[1] // size[0]))
        left = int(random.integers(0, photograph.width - width + 1))
        top = int(random.integers(0, photograph.height - height + 1))
        crop = photograph.crop((left, top, left + width, top + height)).resize(size, Image.Resampling.BICUBIC)
        # Grain like that of a sensor: enlarged crops are smooth, and smooth JPEGs decode too easily.
        grain = random.normal(0.0, 6.0, (size[1], size[0], 1)).astype(np.float32)
        pixels = np.clip(np.asarray(crop, np.float32) + grain, 0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
        path = folder / f"{number // 1000:03d}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(buffer.getvalue())
        total += len(buffer.getvalue())
    return total


class _InThisProcess:
    """Decodes where it is called: what the product did before decoders were isolated."""

    def __init__(self, settings: DecodeSettings, niceness: int = 0) -> None:
        self._settings = settings

    def picture(self, data: bytes) -> DecodedPicture:
        return decode_picture(data, self._settings)


@contextlib.contextmanager
def decoding_in_this_process() -> Iterator[None]:
    """Decode in this process until the block ends."""
    isolated = analysis.IsolatedDecoder
    analysis.IsolatedDecoder = _InThisProcess  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        analysis.IsolatedDecoder = isolated  # type: ignore[misc]


def measure(pictures: Path, workspace_dir: Path, enabled: tuple[str, ...], workers: int) -> dict[str, object]:
    """Index a folder in a new workspace; give rate, limit, ratio and the CPU milliseconds of each stage."""
    with Workspace.create(workspace_dir) as workspace:
        workspace.settings = replace(workspace.settings, features=FeatureSettings(enabled=enabled))
        workspace.ledger.add_location("pictures", str(pictures), {})
        warm_up(workspace)
        cpu = cpu_seconds()
        with collect_stage_times() as clock:
            began = time.perf_counter()
            (report,) = index(workspace, workers=workers, and_match=False)
            seconds = time.perf_counter() - began
        cpu = cpu_seconds() - cpu
    if report.missing_features:
        raise SystemExit(f"features missing: {report.missing_features}")
    count = report.pictures
    stages = {name: 1000 * item.cpu_seconds / count for name, item in clock.times().items()}
    limit = workers * 1000 / sum(stages.values())
    return {
        "pictures": count,
        "images_per_second": count / seconds,
        "limit_per_second": limit,
        "ratio_to_limit": count / seconds / limit,
        "process_cpu_ms": 1000 * cpu / count,
        "stages_cpu_ms": {name: round(value, 3) for name, value in sorted(stages.items())},
    }


def warm_up(workspace: Workspace) -> None:
    """Load models and compile kernels before the clock starts; a real run does it once in hours."""
    from deeplens_kit.features import available

    noise = np.random.default_rng(0).integers(0, 255, (288, 384, 3), dtype=np.uint8)
    for extractor in available(workspace.settings.features).extractors.values():
        extractor.extract([noise] * workspace.settings.features.batch_size)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG")
    waiting = [threading.Thread(target=workspace.decoder.picture, args=(stream.getvalue(),)) for _ in range(2)]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()


def peak_memory(count: int) -> dict[str, object]:
    """Index `count` small pictures in a process of its own, matching included; peak resident memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, "pictures")
        make_pictures(pictures, count, (320, 240))
        script = (
            "import sys\n"
            "from benchmarks.processes import memory_peak\n"
            "from deeplens_kit.pipeline import Workspace, index\n"
            "with Workspace.create(sys.argv[1]) as w, memory_peak() as peak:\n"
            "    w.ledger.add_location('p', sys.argv[2], {})\n"
            "    (r,) = index(w)\n"
            "print(r.pictures, r.seconds, peak.own_mib, peak.together_mib)\n"
        )
        command = [sys.executable, "-c", script, str(Path(folder, "workspace")), str(pictures)]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return {
        "pictures": int(answer[0]),
        "seconds": float(answer[1]),
        "peak_memory_mib": round(float(answer[2])),
        "peak_memory_with_decoders_mib": round(float(answer[3])),
    }


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=240)
    parser.add_argument("--width", type=int, default=2048)
    parser.add_argument("--height", type=int, default=1536)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--memory", default="", help="counts of small pictures to measure peak memory at")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    configure_logging(level="warning")
    report = Report("indexing", SEED)
    with tempfile.TemporaryDirectory() as folder:
        pictures = Path(folder, "pictures")
        size_bytes = make_pictures(pictures, options.pictures, (options.width, options.height))
        for title, enabled in _SETS.items():
            runs, others = [], []
            for repeat in range(options.repeats):
                where = Path(folder, f"{len(enabled)}-{repeat}")
                runs.append(measure(pictures, where / "isolated", enabled, options.workers))
                with decoding_in_this_process():
                    others.append(measure(pictures, where / "together", enabled, options.workers))
            median = sorted(runs, key=lambda run: run["ratio_to_limit"])[len(runs) // 2]
            rates = [statistics.median(float(run["images_per_second"]) for run in kind) for kind in (runs, others)]
            median |= {"not_isolated_per_second": rates[1], "ratio_to_not_isolated": rates[0] / rates[1]}
            megapixels = options.width * options.height / 1e6
            average = size_bytes // options.pictures
            report.add(features=title, megapixels=round(megapixels, 2), file_bytes=average, **median)
    for count in [int(item) for item in options.memory.split(",") if item]:
        report.add(features="memory, all default features", **peak_memory(count))
    report.figures["own_peak_memory_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print_report(report, as_json=options.json)


if __name__ == "__main__":
    main()
