"""Finished runs in a folder: written as they finish, and found there by the next page.

A run is a PNG with its settings inside, which anybody can open; beside it a JSON file of the same
name with its losses and the names of the pictures that were brought along for it. Those lie in
the folder `pictures`, by what they hold.
"""

import json
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from nst.errors import ImageError, NstError, SettingsError
from nst.files import expand, refusing, write_atomically
from nst.files.temporary import remove
from nst.images import read_settings
from nst.runs.checking import are_losses, check_history, demand, has_keys, is_count
from nst.settings import make_settings
from nst.widgets.common import png
from nst.widgets.library import Library
from nst.widgets.page import AGAIN, Page
from nst.widgets.runs import ENDS, KEPT, Run

SPACE = 500_000_000  # bytes of one browser's runs; the oldest go first
ABOUT = {"reason", "planned", "history", "delivered", "own", "picture"}  # beside a picture
DAYS = 30  # after which the runs of a browser that has not come back are removed


APP = {
    "kernel": "Reload the page to go on: finished runs come back.",
    "server": "Start it again (make app) and open its link: finished runs come back. Until then "
    "the pictures on this page can still be saved.",
}


def find_shelf(
    folder: str | os.PathLike | None, page: Page, found: Callable[["Shelf"], None]
) -> None:
    """Call `found` with the folder's shelf; in the app, once the page has named its browser.

    Without a folder, and elsewhere than in the app, there is none.
    """
    app = os.environ.get("NST_RUNS", "")
    if folder is not None:
        page.advice = dict.fromkeys(page.advice, f"{AGAIN}: finished runs come back.")
        found(Shelf(expand(os.fspath(folder), SettingsError)))
    elif app:
        page.advice = APP
        page.observe(
            lambda change: found(Shelf(folder_of(change["new"], Path(app)), limited=True)),
            "browser",
        )


def folder_of(browser: str, runs: Path) -> Path:
    """Where a browser's runs are kept among those of all; forgotten ones are removed."""
    folder = runs / sha256(browser.encode(errors="replace")).hexdigest()[:32]
    for path in runs.iterdir() if runs.is_dir() else ():
        with suppress(OSError):  # another kernel may be removing it
            if path != folder and time.time() - path.stat().st_mtime > DAYS * 86400:
                shutil.rmtree(path, ignore_errors=True)
    return folder


def said_of(count: int) -> str:
    """What is said where runs were found, of which the last is shown beside other settings."""
    them = "The run that was" if count == 1 else f"The {count} runs that were"
    return (
        f"{them} finished before can be seen and opened again below; Start and Refine paint what "
        "the controls say."
    )


def read_about(path: Path) -> dict[str, Any]:
    """What `Shelf.keep` wrote beside a picture; empty if it is not there, or not that."""
    try:
        about: dict[str, Any] = json.loads(path.read_bytes())
        check_about(about)
    except (OSError, ValueError, RecursionError):
        return {}
    return about


def name_of(picture: bytes) -> str:
    """How the file of a picture that was brought along is called."""
    return sha256(picture).hexdigest()[:32]


def check_about(about: Any) -> None:
    """Raise a ValueError for anything else than what `Shelf.keep` writes."""
    demand(has_keys(about, ABOUT), "it is of another version")
    own, reason = about["own"], about["reason"]
    texts = [*own, *own.values()] if isinstance(own, dict) else [""]
    demand(all(isinstance(text, str) and text for text in texts), "its pictures have no names")
    demand(isinstance(reason, str) and reason in ENDS, "its end is none")
    demand(is_count(about["planned"]), "its steps cannot be counted")
    demand(are_losses(about["delivered"]), "its losses are none")
    check_history(about["history"], [])


class Shelf:
    """A folder of runs; `limited` to as many as the studio shows, and to `SPACE`."""

    def __init__(self, folder: Path, limited: bool = False):
        self.folder, self.limited = folder, limited
        self.pictures = folder / "pictures"

    def keep(self, run: Run, library: Library) -> None:
        """Write the run, in place of what was kept of it before.

        Raises:
            ImageError: the folder cannot be written to.
        """
        with refusing(self.folder, ImageError):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            own = {
                name: self._keep_picture(name, library)
                for name in (run.settings.content or "", *run.settings.styles)
                if name in library.own
            }
            if not run.kept:
                now = datetime.now().strftime("%Y%m%d-%H%M%S-%f")[:-3]  # in the order of time
                run.kept = self._free(f"{now}-{run.file_name[:-4]}")
            about = {
                "reason": run.reason,
                "planned": run.planned,
                "history": run.history,
                "delivered": run.delivered,
                "own": own,
                "picture": sha256(run.png).hexdigest(),
            }
            text = json.dumps(about).encode()
            write_atomically(self.folder / f"{run.kept}.json", lambda file: file.write(text))
            write_atomically(self.folder / f"{run.kept}.png", lambda file: file.write(run.png))
            if self.limited:
                self._trim()

    def runs(self, library: Library) -> list[Run]:
        """The last runs that are kept here, from the oldest to the newest; their pictures too.

        What cannot be read is left where it is, and left out.
        """
        found = []
        for path in self._paths()[-KEPT:]:
            with suppress(NstError, OSError, ValueError, KeyError, TypeError):
                found.append(self._read(path, library))
        for number, run in enumerate(found, start=1):
            run.number = number
        return found

    def _read(self, path: Path, library: Library) -> Run:
        settings, data = make_settings(**read_settings(path)), path.read_bytes()
        about = read_about(path.with_suffix(".json"))
        if about.get("picture") != sha256(data).hexdigest():
            about = {}  # of an earlier state of the run, or of another
        names = self._take_pictures(about.get("own", {}), library)
        content = settings.content and names.get(settings.content, settings.content)
        settings = replace(
            settings, content=content, styles=tuple(names.get(n, n) for n in settings.styles)
        )
        fields: dict[str, Any] = {n: about[n] for n in ("history", "delivered") if n in about}
        reason, planned = about.get("reason", "finished"), about.get("planned", 0)
        return Run(0, settings, reason, png=data, planned=planned, kept=path.stem, **fields)

    def _keep_picture(self, name: str, library: Library) -> str:
        """Write a picture that was brought along, once; returns its name in the folder."""
        one = library.own[name]
        if not one.file:
            one.file = png(one.picture)
        data = one.file
        path = self.pictures / name_of(data)
        if not (path.is_file() and name_of(path.read_bytes()) == path.name):
            self.pictures.mkdir(exist_ok=True)
            write_atomically(path, lambda file: file.write(data))
        return path.name

    def _take_pictures(self, own: dict[str, str], library: Library) -> dict[str, str]:
        """Put a run's own pictures into the library; returns their names there."""
        names = {}
        for name, kept in own.items():
            with suppress(OSError, ValueError):  # then it can be seen, but not painted again
                data = (self.pictures / Path(kept).name).read_bytes()
                if name_of(data) == kept:
                    names[name] = library.add(name, None, data)
        return names

    def _paths(self) -> list[Path]:
        """Of the pictures, from the oldest to the newest."""
        return sorted(path for path in self.folder.glob("*.png") if path.is_file())

    def _free(self, name: str) -> str:
        """A name that no run has yet."""
        names = (f"{name}{f'-{n}' * bool(n)}" for n in range(1000))
        return next(n for n in names if not (self.folder / f"{n}.png").exists())

    def _trim(self) -> None:
        """Remove the oldest runs beyond the limits, and pictures that none of the others used."""
        paths = self._paths()
        while len(paths) > KEPT or (len(paths) > 1 and self._size() > SPACE):
            oldest = paths.pop(0)
            for path in (oldest, oldest.with_suffix(".json")):
                remove(path)
            abouts = [read_about(path.with_suffix(".json")) for path in paths]
            used = {name for about in abouts for name in about.get("own", {}).values()}
            for picture in self.pictures.glob("*"):
                if picture.name not in used and not self.pictures.is_symlink():
                    remove(picture)

    def _size(self) -> int:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
