"""What a studio paints with: style transfer by a run's settings, with networks loaded once."""

from collections.abc import Callable
from typing import Any

from PIL import Image
from torch import Tensor

from nst.loop import Callback
from nst.networks import Network, load_network
from nst.runs.job import Picture
from nst.runs.results import Result
from nst.settings import Settings, settled
from nst.transfer import resume, style_transfer


class Engine:
    """Begins runs and goes on with them; knows nothing of how they are shown."""

    def __init__(self, device: str | None):
        self.device = device
        self.networks: dict[tuple[Any, ...], Network] = {}

    def paint(
        self,
        settings: Settings,
        content: Image.Image,
        styles: list[Picture],
        start: Callable[[], Tensor] | None,
        watch: Callback,
    ) -> Result:
        """A run with these settings, but for the pictures that they name.

        `start` makes the picture that it begins with; None: the settings say which.
        """
        network = self.network(settings)
        given = ("content", "styles", *network.settings)
        fields = {n: v for n, v in settings.to_dict().items() if n not in given}
        if start is not None:
            fields["init"] = start()
        options: dict[str, Any] = {"device": self.device, "callback": watch, "progress": False}
        return style_transfer(content, styles, network=network, **options, **fields)

    def go_on(self, last: Result, steps: int | None, watch: Callback) -> Result:
        """The run from where it ended, to `steps` at its last size, or to its planned end."""
        options: dict[str, Any] = {"device": self.device, "callback": watch, "progress": False}
        return resume(last, steps, network=self.network(last.settings), **options)

    def network(self, settings: Settings) -> Network:
        """The network, loaded once: with it, the style's targets are known from run to run."""
        made = settled(settings).made()  # as a run that goes on has them: the same network
        if made not in self.networks:
            self.networks[made] = load_network(*made)
        return self.networks[made]
