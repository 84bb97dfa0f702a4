"""The studio as an app: Voilà with a lock on its door. `make app` runs this.

    python tools/serve.py                         for this machine only
    python tools/serve.py --server=laptop.local   for all who have the link; the machine's name

Whoever opens the app runs a kernel on this machine. So a page is served only to a browser that has
the token in the printed link, under the names that this server has, and not because another site
asked for it; and there are at most so many kernels at once: --Kernels.most=20 for more.
"""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado.web import Finish, HTTPError
from traitlets import Integer, Unicode, default
from traitlets.config import Config
from voila.app import Voila

APP = Path(__file__).parent / "app"
NOTEBOOK = APP.parents[1] / "notebooks" / "explore.ipynb"
RUNS = APP.parents[1] / "outputs" / "studio"


class Kernels(AsyncMappingKernelManager):
    """Voilà's kernels, so many and no more: each takes about 0.9 GB."""

    most = Integer(4, min=1, config=True, help="the most kernels at once")

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._starting: set[str] = set()

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]
        """As Voilà asks for it; refuses with a page that says why."""
        if len({*self.list_kernel_ids(), *self._starting}) >= self.most:
            raise HTTPError(
                503,
                f"The studio is open as often as it can be at once ({self.most} times). "
                "Close one, or wait: a page that is left ends within ten minutes.",
            )
        kernel = options.setdefault("kernel_id", str(uuid4()))
        self._starting.add(kernel)
        try:
            return await super()._async_start_kernel(**options)
        finally:
            self._starting.discard(kernel)


def refuse_other_sites(handler: JupyterHandler, **_: Any) -> None:
    """No kernel for a request that the browser marks as another site's; called before each.

    A link that has the token is no stranger's, wherever it stands: it leads to a page that goes on
    to the studio by itself. (A browser that is told to open a file does so as another site.)
    """
    if handler.request.headers.get("Sec-Fetch-Site", "none") in ("none", "same-origin"):
        return
    if not handler.token_authenticated:
        raise HTTPError(403, "Another site asked for the studio, so it was not started.")
    handler.finish(handler.render_template("go-on.html"))
    raise Finish


class Studio(Voila):
    """Voilà with this configuration and no other."""

    server = Unicode("", config=True, help="the machine's name, if others are to reach the app")
    ip = Unicode(config=True, help="the address to listen at")
    runs = Unicode(str(RUNS), config=True, help="the folder for finished runs, by browser")
    aliases = Voila.aliases | {"server": "Studio.server"}

    @default("ip")
    def _default_ip(self) -> str:
        return "0.0.0.0" if self.server else "127.0.0.1"

    def initialize(self, argv: list[str] | None = None) -> None:
        """Settings first, since those of the command line are to count for more."""
        self.update_config(configuration())
        super().initialize(argv)
        os.environ["NST_RUNS"] = self.runs  # the studio, in its kernels, reads it

    def init_settings(self) -> dict[str, Any]:
        """A page under a name that others have given to this address is not served."""
        settings = super().init_settings()
        settings["voila_jinja2_env"].globals["link_token"] = self.identity_provider.token
        names = ["localhost", *([self.server] if self.server else [])]
        return settings | {"allow_remote_access": False, "local_hostnames": names}

    def _url(self, ip: str) -> str:
        return super()._url(self.server or ip)


def configuration() -> Config:
    """What Voilà is told."""
    c = Config()
    c.Voila.notebook_path = str(NOTEBOOK)
    c.Voila.config_file_paths = [str(APP)]  # there is none: those of the user do not count
    c.Voila.auto_token = True
    # Bytes of a message: the page sends files in parts, which are smaller.
    # A page that closes ends its session by a message without an XSRF token, which would be
    # refused. All that a stranger's message could do is the same, to a session whose random name
    # he knows.
    c.Voila.tornado_settings = {
        "websocket_max_message_size": 10 * 2**20,
        "disable_check_xsrf": True,
    }
    page = c.VoilaConfiguration
    page.template = "nst"
    page.strip_sources = True
    page.show_tracebacks = False
    page.file_allowlist = []  # files beside the notebook: the page needs none
    page.prelaunch_hook = refuse_other_sites
    page.multi_kernel_manager_class = Kernels
    # JupyterLab's other extensions do not work in Voilà, and say so in the console.
    page.extension_allowlist = [
        "@jupyter-widgets/jupyterlab-manager",
        "@voila-dashboards/widgets-manager8",
        "anywidget",
    ]
    # Sessions whose page was lost without a word end ten minutes later: for the first of them
    # the view still sends signs of life (nst/widgets/page.py), which count as work.
    c.MappingKernelManager.cull_idle_timeout = 390
    c.MappingKernelManager.cull_interval = 60
    c.MappingKernelManager.cull_connected = False
    return c


if __name__ == "__main__":
    # Where Voilà looks for the template.
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        [str(APP), *filter(None, [os.getenv("JUPYTER_PATH")])]
    )
    Studio.launch_instance()
