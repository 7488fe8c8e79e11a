"""The published TorchScript path, with a small module scripted here in place of the 99 MB file."""

from __future__ import annotations

import threading
import warnings
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from deeplens_kit.errors import ModelCorruptError
from deeplens_kit.features.sscd_torch import PUBLISHED, sscd_torch_extractor
from deeplens_kit.features.weights import Download, sha256_of

torch = pytest.importorskip("torch", reason="the extra `torch` is not installed")

NAME = "tiny.torchscript.pt"


class Tiny(torch.nn.Module):
    """Means of a grid of patches through a fixed matrix: (n, 3, 288, 288) float32 to (n, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pool = torch.nn.AdaptiveAvgPool2d(8)
        self.mix = torch.nn.Linear(3 * 8 * 8, width, bias=False)
        with torch.no_grad():
            generator = torch.Generator().manual_seed(3)
            self.mix.weight.copy_(torch.randn(width, 3 * 8 * 8, generator=generator))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.mix(self.pool(pictures).flatten(1))


def scripted(folder: Path, width: int = 512) -> Download:
    """A TorchScript file in `folder`, described as a published one."""
    path = folder / NAME
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Tiny(width)).save(str(path))
    return Download(f"http://127.0.0.1:9/{NAME}", NAME, path.stat().st_size, sha256_of(path))


def expected(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    squeezed = Image.fromarray(pixels).resize((288, 288), Image.Resampling.BILINEAR)
    samples = (np.asarray(squeezed, dtype=np.float32) / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    with torch.no_grad():
        row = Tiny(512)(torch.tensor(samples.transpose(2, 0, 1)[None], dtype=torch.float32))[0].numpy()
    return np.asarray(row / np.linalg.norm(row))


def test_vectors_are_those_of_the_module(tmp_path: Path, pictures: dict[str, NDArray[np.uint8]]) -> None:
    made = sscd_torch_extractor(str(tmp_path), published=scripted(tmp_path))
    batch = list(pictures.values())
    vectors = made.extract(batch)["vector"]
    assert vectors.dtype == np.float16
    assert vectors == pytest.approx(np.stack([expected(pixels) for pixels in batch]), abs=1e-3)
    alone = np.concatenate([made.extract([pixels])["vector"] for pixels in batch])
    assert vectors.tobytes() == alone.tobytes()
    assert made.extract([])["vector"].shape == (0, 512)
    assert made.extract([np.zeros((1, 1, 3), dtype=np.uint8)])["vector"].shape == (1, 512)


def test_the_descriptor_names_the_weights(tmp_path: Path) -> None:
    published = scripted(tmp_path)
    spec = sscd_torch_extractor(str(tmp_path), published=published).spec
    assert spec.weights == f"{NAME}:{published.sha256[:8]}"
    assert spec.table == f"vectors_sscd_torch_1_{published.sha256[:8]}"


def test_it_is_fetched_when_it_is_nowhere(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    local = scripted(tmp_path / "site")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "site"))

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/{NAME}"
        published = Download(url, NAME, local.size_bytes, local.sha256)
        made = sscd_torch_extractor("", published=published, cache_dir=tmp_path / "cache")
        server.shutdown()
        thread.join()
    assert made.spec.size == 512
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [NAME]
    # The server is gone: the second time it comes from the cache.
    again = sscd_torch_extractor("", published=published, cache_dir=tmp_path / "cache")
    assert again.spec == made.spec


def test_a_module_of_another_width_is_refused(tmp_path: Path) -> None:
    published = scripted(tmp_path, width=256)
    with pytest.raises(ModelCorruptError, match=r"gives \(1, 256\) for one picture, should be \(1, 512\)"):
        sscd_torch_extractor(str(tmp_path), published=published)


def test_a_file_that_is_no_torchscript_is_refused(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"PK\x03\x04 not a module")
    published = Download("http://127.0.0.1:9/", NAME, path.stat().st_size, sha256_of(path))
    with pytest.raises(ModelCorruptError, match="cannot be run as a TorchScript model") as caught:
        sscd_torch_extractor(str(tmp_path), published=published)
    assert "\n" not in str(caught.value)


def test_a_program_with_another_checksum_is_never_loaded(tmp_path: Path) -> None:
    """TorchScript is code: a valid module under the published name is refused before it is opened."""
    scripted(tmp_path)
    (tmp_path / NAME).rename(tmp_path / PUBLISHED.file_name)
    with pytest.raises(ModelCorruptError, match=r"should be 98,791,638 bytes with 9f26bd4c848cc19b"):
        sscd_torch_extractor(str(tmp_path))
