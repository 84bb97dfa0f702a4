"""Painting in one pass: networks that were taught styles, how they are taught, and how they paint.

Johnson et al. 2016 trained a network for one style, Dumoulin et al. 2017 one for several, Huang and
Belongie 2017 one for any. `networks` has them, `training` teaches them on `photographs`, `painting`
uses them (`tiles`: where a picture is large), `files` keeps them, and `starting` begins a run of
style transfer with one pass.
"""

from nst.painters.files import load_painter, save_painter
from nst.painters.networks import AnyPainter, Painter, StylesPainter
from nst.painters.painting import paint
from nst.painters.photographs import Photographs, pictures_in, read_photographs
from nst.painters.training import Lesson, Training

__all__ = [
    "AnyPainter",
    "Lesson",
    "Painter",
    "Photographs",
    "StylesPainter",
    "Training",
    "load_painter",
    "paint",
    "pictures_in",
    "read_photographs",
    "save_painter",
]
