"""The functions of `decode`, done by a process that may crash or hang without harm.

Takes the bytes of one file, gives what the function of the same name gives, and every error as an `ObjectError`; must
not decode anything here. A file is only said to have crashed a decoder where it did so in a fresh one: what an earlier
file broke is not laid at its door.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from deeplens_kit.decode.converting import ConversionTarget, Converted
from deeplens_kit.decode.file_tags import FileTags
from deeplens_kit.decode.isolation.framing import Block, Message
from deeplens_kit.decode.isolation.jobs import Job, read_array, read_converted, read_picture, read_tags_of_file
from deeplens_kit.decode.isolation.process import DecoderEndedError
from deeplens_kit.decode.isolation.shelf import put_back, take
from deeplens_kit.decode.picture import THUMBNAIL_SIDE_PX, DecodedPicture, limit_message
from deeplens_kit.errors import (
    CorruptPictureError,
    DecoderCrashedError,
    DecodeTimeoutError,
    LimitExceededError,
    NotAPictureError,
    ObjectError,
    UnsupportedFormatError,
)
from deeplens_kit.settings import DecodeSettings
from deeplens_kit.telemetry import add_cpu, get_logger

__all__ = ["IsolatedDecoder"]

_Found = TypeVar("_Found")

_log = get_logger(__name__)

_ERRORS: Mapping[str, type[ObjectError]] = {
    kind.code: kind for kind in (CorruptPictureError, LimitExceededError, NotAPictureError, UnsupportedFormatError)
}
_MOST_TRIES = 4
# What reading an answer raises that no decoder of ours wrote.
_NONSENSE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_CONVERTING = 20  # times as long: AVIF takes a second a megapixel, and the copy is decoded and compared


@dataclass(frozen=True, slots=True)
class IsolatedDecoder:
    """Decodes in other processes; threads may share it, and each then has a process of its own.

    Attributes:
        settings: Limits on what is decoded, each inclusive.
        niceness: How far the processes step back for others, 0..19.
    """

    settings: DecodeSettings
    niceness: int = 0

    def picture(self, data: bytes) -> DecodedPicture:
        """As `decode.decode_picture`."""
        return self.preview(data, THUMBNAIL_SIDE_PX)

    def preview(self, data: bytes, side_px: int) -> DecodedPicture:
        """As `decode.decode_preview`."""
        return self._ask(Job.PREVIEW, data, {"side_px": side_px}, read_picture)

    def grey(self, data: bytes, side_px: int | None = None) -> NDArray[np.uint8]:
        """As `decode.decode_grey`."""
        return self._ask(
            Job.GREY, data, {"side_px": side_px}, lambda values, blocks: read_array(values["shape"], blocks[0])
        )

    def samples(self, data: bytes) -> str:
        """As `decode.native_samples`."""
        return self._ask(Job.SAMPLES, data, {}, lambda values, _: str(values["samples"]))

    def effective_pixels(self, data: bytes) -> int:
        """As `decode.effective_pixels`."""
        return self._ask(Job.EFFECTIVE_PIXELS, data, {}, lambda values, _: int(values["effective_pixels"]))

    def tags(self, data: bytes) -> FileTags:
        """As `decode.file_tags.file_tags`."""
        return self._ask(Job.TAGS, data, {}, read_tags_of_file)

    def converted(self, data: bytes, target: ConversionTarget) -> Converted:
        """As `decode.convert_picture`, with more time and memory: it encodes, decodes again and compares."""
        patient = replace(
            self.settings,
            max_seconds=_CONVERTING * self.settings.max_seconds,
            max_memory_bytes=2 * self.settings.max_memory_bytes,
        )
        return replace(self, settings=patient)._ask(Job.CONVERT, data, {"target": asdict(target)}, read_converted)

    def _ask(
        self,
        job: Job,
        data: bytes,
        arguments: Mapping[str, Any],
        read: Callable[[Mapping[str, Any], Sequence[Block]], _Found],
    ) -> _Found:
        """What a job gives.

        Args:
            job: The job.
            data: The whole file.
            arguments: Of the job.
            read: Makes a value of the answer.

        Raises:
            ObjectError: Of the kind that the function of `decode` raises.
            DecoderCrashedError: It ended a fresh decoder, or several were ended from outside while they had it.
            DecodeTimeoutError: It was not done in time.
            DecoderUnavailableError: No decoder can be started.
        """
        if len(data) > self.settings.max_bytes:
            raise LimitExceededError(limit_message("bytes", len(data), self.settings.max_bytes))
        for tried in range(1, _MOST_TRIES + 1):
            process = take(self.niceness, fresh=tried > 1)
            fresh = process.jobs == 0
            try:
                answer = process.ask(job, data, self.settings, arguments)
                found = None if "code" in answer.header else read(answer.header["values"], answer.blocks)
            except TimeoutError:
                process.end()
                raise DecodeTimeoutError(
                    f"The file was not decoded within {self.settings.max_seconds:g} s (setting decode.max_seconds); "
                    "its decoder was ended. `deeplens failures retry` tries it again."
                ) from None
            except (DecoderEndedError, *_NONSENSE) as error:
                process.end()
                ended = error if isinstance(error, DecoderEndedError) else DecoderEndedError(0, garbled=True)
                _log.warning("a decoder ended", job=str(job), how=ended.words, fresh=fresh, tried=tried)
                if tried == _MOST_TRIES or (fresh and not ended.from_outside):
                    raise DecoderCrashedError(f"The decoder crashed on this file: {ended.words}.") from error
                continue
            except BaseException:
                # Stopped half-way: what it would answer next belongs to this file.
                process.end()
                raise
            put_back(process)
            return _told(answer, found)
        raise AssertionError("the last try returns or raises")


def _told(answer: Message, found: _Found | None) -> _Found:
    cost = answer.header.get("cpu_seconds", 0.0)
    add_cpu(cost if isinstance(cost, float) else 0.0)
    if found is None:
        kind = _ERRORS.get(str(answer.header["code"]), CorruptPictureError)
        raise kind(str(answer.header.get("message", "")))
    return found
