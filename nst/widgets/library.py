"""The pictures of a studio, by name: the samples, and those that were uploaded."""

from pathlib import Path

from PIL import Image, ImageChops
from torch import Tensor

from nst.errors import ImageError
from nst.images import open_image, postprocess_image, sample_names
from nst.runs.job import Picture


class Library:
    """Pictures that settings can name. What is not in it cannot be had, whatever a name says."""

    def __init__(self) -> None:
        self.samples = sample_names()
        self.own: dict[str, Image.Image] = {}

    def names(self, kind: str) -> list[str]:
        """All names: one's own first, then the samples of that kind, "content" or "style"."""
        other = {"content": "style", "style": "content"}[kind]
        return [*self.own, *self.samples[kind], *self.samples[other]]

    def add(self, name: str, picture: Image.Image) -> str:
        """Take in a picture; returns the name that it got, since the name may be taken already."""
        path, number, new = Path(name), 1, name
        while self.has(new):
            if new in self.own and _alike(self.own[new], picture):
                return new
            number += 1
            new = f"{path.stem} ({number}){path.suffix}"
        self.own[new] = picture
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

    def open(self, name: str) -> Image.Image:
        """The picture of that name; raises `ImageError` if it is not here."""
        found = self.find(name)
        return self.own[found] if found in self.own else open_image(found)


def _alike(one: Image.Image, other: Image.Image) -> bool:
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None
