"""What a file says about itself in words and numbers: EXIF, GPS, XMP, IPTC, ICC, and texts beside the samples.

Takes the bytes of one file, gives tags of bounded number and size, marked where they are private, and the date that
they agree on; must not decode a sample and must not raise: what is broken is noted and the rest is kept.
"""

from deeplens_kit.decode.tags.dates import PictureDates, picture_dates
from deeplens_kit.decode.tags.reading import read_tags
from deeplens_kit.decode.tags.sensitive import mask_tags, shown_value
from deeplens_kit.decode.tags.tag import PictureTags, Tag

__all__ = ["PictureDates", "PictureTags", "Tag", "mask_tags", "picture_dates", "read_tags", "shown_value"]
