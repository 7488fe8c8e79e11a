"""What a decoder process can be asked for, as it runs there and as its answer is read here.

Takes the name of a job with its arguments, gives plain values and arrays; must not know of processes. Each job is one
function of `decode`: run in this process it would give the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.converting import Converted
from deeplens_kit.decode.file_tags import FileTags
from deeplens_kit.decode.isolation.framing import Block
from deeplens_kit.decode.metadata import PictureMetadata
from deeplens_kit.decode.picture import DecodedPicture, decode_preview
from deeplens_kit.decode.tags import PictureTags, picture_dates
from deeplens_kit.settings import DecodeSettings

__all__ = [
    "Answer",
    "Job",
    "most_answer_bytes",
    "read_array",
    "read_converted",
    "read_picture",
    "read_tags_of_file",
    "run_job",
]

_SPARE_BYTES = 2**20  # maker notes, and what a container adds
_TIMES = ("taken_at", "dated_at", "taken_at_utc")


class Job(StrEnum):
    """What is wanted of the bytes of a file."""

    PREVIEW = "preview"
    GREY = "grey"
    SAMPLES = "samples"
    EFFECTIVE_PIXELS = "effective_pixels"
    TAGS = "tags"
    CONVERT = "convert"


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a job gives: plain values, and blocks of bytes, which arrays of 8-bit samples are too."""

    values: Mapping[str, Any]
    blocks: Sequence[NDArray[np.uint8] | bytes] = ()


def most_answer_bytes(job: Job, settings: DecodeSettings, arguments: Mapping[str, Any]) -> int:
    """The most bytes that the blocks of an answer may have: more was not made by this job."""
    side = arguments.get("side_px")
    pixels = settings.max_pixels if side is None else min(settings.max_pixels, int(side) ** 2)
    samples = {Job.PREVIEW: 3 * pixels, Job.GREY: pixels, Job.CONVERT: 8 * pixels}
    return samples.get(job, 0) + _SPARE_BYTES


def run_job(job: Job, data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    """Do what is asked; raises as the function of `decode` that does it."""
    return _JOBS[job](data, settings, arguments)


def read_picture(values: Mapping[str, Any], blocks: Sequence[Block]) -> DecodedPicture:
    """The picture that `Job.PREVIEW` gave."""
    facts = dict(values["metadata"])
    facts |= {name: _time(facts[name]) for name in _TIMES}
    maker_note = bytes(blocks[1]) if len(blocks) > 1 else None
    tags = PictureTags.from_json(values["tags"], maker_note)
    return DecodedPicture(read_array(values["shape"], blocks[0]), PictureMetadata(**facts), tags)


def read_tags_of_file(values: Mapping[str, Any], blocks: Sequence[Block]) -> FileTags:
    """The tags that `Job.TAGS` gave."""
    tags = PictureTags.from_json(values["tags"], bytes(blocks[0]) if blocks else None)
    return FileTags(values["format"], tags, picture_dates(tags))


def read_converted(values: Mapping[str, Any], blocks: Sequence[Block]) -> Converted:
    """The copy that `Job.CONVERT` gave."""
    return Converted(**{**values, "lost": tuple(values["lost"]), "data": bytes(blocks[0])})


def read_array(shape: Sequence[int], block: Block) -> NDArray[np.uint8]:
    """Samples as an array.

    Raises:
        ValueError: There are not as many as the shape says.
    """
    if memoryview(block).nbytes != math.prod(shape):
        raise ValueError(f"{memoryview(block).nbytes} samples for the shape {shape}")
    return np.frombuffer(block, np.uint8).reshape(shape)


def _preview(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    picture = decode_preview(data, settings, arguments["side_px"])
    facts = asdict(picture.metadata)
    facts |= {name: _text(facts[name]) for name in _TIMES}
    note = picture.tags.maker_note
    values = {"metadata": facts, "shape": picture.rgb.shape, "tags": picture.tags.to_json()}
    return Answer(values, [picture.rgb] if note is None else [picture.rgb, note])


def _grey(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    from deeplens_kit.decode.grey import decode_grey

    grey = decode_grey(data, settings, arguments["side_px"])
    return Answer({"shape": grey.shape}, [grey])


def _samples(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    from deeplens_kit.decode.samples import native_samples

    return Answer({"samples": native_samples(data, settings)})


def _effective_pixels(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    from deeplens_kit.decode.detail import effective_pixels

    return Answer({"effective_pixels": effective_pixels(data, settings)})


def _tags(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    from deeplens_kit.decode.file_tags import file_tags

    found = file_tags(data, settings)
    note = found.tags.maker_note
    values = {"format": found.format, "tags": found.tags.to_json()}
    return Answer(values, [] if note is None else [note])


def _convert(data: bytes, settings: DecodeSettings, arguments: Mapping[str, Any]) -> Answer:
    from deeplens_kit.decode.converting import ConversionTarget, convert_picture

    found = convert_picture(data, ConversionTarget(**arguments["target"]), settings)
    facts = asdict(found)
    return Answer(facts, [facts.pop("data")])


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


_JOBS: Mapping[Job, Callable[[bytes, DecodeSettings, Mapping[str, Any]], Answer]] = {
    Job.PREVIEW: _preview,
    Job.GREY: _grey,
    Job.SAMPLES: _samples,
    Job.EFFECTIVE_PIXELS: _effective_pixels,
    Job.TAGS: _tags,
    Job.CONVERT: _convert,
}
