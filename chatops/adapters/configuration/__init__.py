"""The configuration folder: read with line numbers, every mistake told at once, replaced while running.

In the order of reading: ``folder`` (files), ``document`` (YAML), ``fields`` (one mapping), ``catalog`` and ``policies``
(the sections), ``platform`` (the whole), ``live`` (changes while running).
"""

from chatops.adapters.configuration.folder import Build, Loaded, check, load
from chatops.adapters.configuration.live import LiveConfiguration
from chatops.adapters.configuration.problems import ConfigurationError, Problem

__all__ = ["Build", "ConfigurationError", "LiveConfiguration", "Loaded", "Problem", "check", "load"]
