"""The pictures of a studio, by name: the samples, and those that were uploaded."""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops
from torch import Tensor

from nst.errors import ImageError
from nst.images import open_image, postprocess_image, sample_names
from nst.runs.job import Picture


@dataclass
class Own:
    """A picture that was brought along; decoded when it is first looked at.

    `file` holds the bytes of its file, empty if there is none; `decoded` the picture; `thumbnail`
    a small file of it, once there is one.
    """

    file: bytes = b""
    decoded: Image.Image | None = None
    thumbnail: bytes = b""

    @property
    def picture(self) -> Image.Image:
        """In all its pixels."""
        if self.decoded is None:
            self.decoded = open_image(self.file)
        return self.decoded


class Library:
    """Pictures that settings can name. What is not in it cannot be had, whatever a name says."""

    def __init__(self) -> None:
        self.samples = sample_names()
        self.own: dict[str, Own] = {}
        self.masks: dict[str, str] = {}  # that came as files, as settings have them

    def names(self, kind: str) -> list[str]:
        """All names: one's own first, then the samples of that kind, "content" or "style"."""
        other = {"content": "style", "style": "content"}[kind]
        return [*self.own, *self.samples[kind], *self.samples[other]]

    def add(self, name: str, picture: Image.Image | None, file: bytes = b"") -> str:
        """Take in a picture; returns the name that it got, since the name may be taken already.

        Args:
            name: of its file.
            picture: None if it is to be decoded only when it is needed.
            file: the bytes of its file, if there is one.
        """
        path, number, new, one = Path(name), 1, name, Own(file, picture)
        while self.has(new):
            if new in self.own and _alike(self.own[new], one):
                return new
            number += 1
            new = f"{path.stem} ({number}){path.suffix}"
        self.own[new] = one
        return new

    def take(self, picture: Picture) -> str:
        """The name of a sample, file, picture or tensor, which is taken in if it is not here."""
        if isinstance(picture, str) and self.has(picture):
            return picture
        name = Path(picture).name if isinstance(picture, str | Path) else "picture"
        opened = postprocess_image(picture) if isinstance(picture, Tensor) else open_image(picture)
        return self.add(name, opened)

    def has(self, name: str) -> bool:
        """Whether there is a picture of that name."""
        return name in self.own or any(name in names for names in self.samples.values())

    def find(self, name: str) -> str:
        """The name here of a picture that settings name, perhaps with its folder.

        Raises:
            ImageError: it is not here.
        """
        for known in (name, Path(name.replace("\\", "/")).name):
            if self.has(known):
                return known
        raise ImageError(f"the picture '{name}' is not here; upload it, then open the run again")

    def source(self, name: str) -> Picture:
        """As `open`, but a sample by its name: painters know some of them."""
        found = self.find(name)
        return self.own[found].picture if found in self.own else found

    def open(self, name: str) -> Image.Image:
        """The picture of that name; raises `ImageError` if it is not here."""
        found = self.find(name)
        return self.own[found].picture if found in self.own else open_image(found)


def _alike(one: Own, other: Own) -> bool:
    if one.file and one.file == other.file:
        return True
    a, b = one.picture, other.picture
    return a.size == b.size and ImageChops.difference(a, b).getbbox() is None
