"""How `make app` serves the studio: Voilà reads this file, and no other configuration."""

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.Voila.ip = "127.0.0.1"
# Bytes of a message: an upload is smaller, and is refused in the page if it is not.
# A page that closes ends its session by a message without an XSRF token, which would be refused.
# All that a stranger's message could do is the same, to a session whose random name he knows.
c.Voila.tornado_settings = {"websocket_max_message_size": 10 * 2**20, "disable_check_xsrf": True}
c.VoilaConfiguration.template = "nst"
c.VoilaConfiguration.strip_sources = True
c.VoilaConfiguration.show_tracebacks = False
# JupyterLab's other extensions do not work in Voilà, and say so in the console.
c.VoilaConfiguration.extension_allowlist = [
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
]
# Sessions whose page was lost without a word end ten minutes later.
c.MappingKernelManager.cull_idle_timeout = 600
c.MappingKernelManager.cull_interval = 60
c.MappingKernelManager.cull_connected = False
