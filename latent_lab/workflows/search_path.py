"""Hydra's search path, with the configurations of installed extensions beside latent_lab's own."""

from __future__ import annotations

from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.plugins import Plugins
from hydra.plugins.search_path_plugin import SearchPathPlugin

from latent_lab.installation import extensions


class ExtensionConfigurations(SearchPathPlugin):
    """A plugin that adds the ``conf`` folder of each installed extension, see
    :func:`latent_lab.installation.extensions`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append the ``conf`` folders of installed extensions to Hydra's search path."""
        for name, folder in extensions().items():
            if (folder / "conf").is_dir():
                search_path.append(provider=name, path=f"file://{folder / 'conf'}")


def find_extensions() -> None:
    """Tell Hydra of the configurations of installed extensions, once."""
    if ExtensionConfigurations not in Plugins.instance().discover(SearchPathPlugin):
        Plugins.instance().register(ExtensionConfigurations)
