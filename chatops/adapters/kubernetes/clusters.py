"""A cluster for each environment: a kubeconfig context, or the cluster the assistant itself runs in."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from chatops.adapters.kubernetes.connection import Connection, OnCall, Patience
from chatops.adapters.kubernetes.handle import Reader, Writer
from chatops.adapters.kubernetes.official import ApiClient, Configuration, config
from chatops.adapters.kubernetes.paths import Paths
from chatops.kernel.catalog import Environment
from chatops.kernel.errors import Unavailable
from chatops.kernel.people import Identity


class KubernetesClusters:
    """Implements ``kernel.ports.Clusters``.

    ``kubeconfig``: a path (several with ``:``), the parsed content, or empty for ``~/.kube/config`` and then the
    service account of the pod. Environments with the same ``cluster`` share one connection; different ones share
    nothing, so that a slow cluster delays no other. ``on_call(verb, object)`` is told ``before apply`` just before a
    request leaves and ``after apply`` just after its answer came (likewise get, list, watch, logs, dry_run, restore).
    ``on_answer(context, verb, result, seconds)`` hears of each exchange, repeated ones too; the result is ``ok``, a
    status, or ``away``; for a watch, the seconds until it stood.
    """

    def __init__(
        self,
        kubeconfig: str | Path | Mapping[str, Any] = "",
        *,
        on_call: OnCall | None = None,
        on_answer: Callable[[str, str, str, float], None] | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._kubeconfig = kubeconfig
        self._on_call = on_call
        self._on_answer = on_answer
        self._patience = patience or Patience()
        self._sleep = sleep
        self._known: dict[str, tuple[Connection, Paths]] = {}

    def reader(self, environment: Environment) -> Reader:
        """Reads the environment's cluster."""
        return Reader(*self._of(environment))

    def writer(self, environment: Environment) -> Writer:
        """Reads and writes the environment's cluster."""
        return Writer(*self._of(environment))

    def acting_for(self, identity: Identity) -> ActingFor:
        """The same clusters, asked as this identity where the environment says so."""
        return ActingFor(self, identity)

    async def unreachable(self, environments: Iterable[Environment]) -> list[str]:
        """Environments whose address or credentials are missing, in words; asks no cluster anything."""
        said = []
        for one in {one.cluster: one for one in environments}.values():
            connection, _ = self._of(one)
            try:
                await connection.connect()
            except Unavailable as no:
                said.append(f"{no.message}. {no.hint}".rstrip())
        return said

    async def close(self) -> None:
        """Ends every connection."""
        for connection, _ in self._known.values():
            await connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _of(self, environment: Environment) -> tuple[Connection, Paths]:
        context = environment.cluster
        if context not in self._known:
            connection = Connection(
                f"the cluster {context}" if context else "the cluster",
                lambda: self._connect(context),
                patience=self._patience,
                on_call=self._on_call,
                on_answer=partial(self._on_answer, context) if self._on_answer else None,
                sleep=self._sleep,
            )

            async def discover(path: str) -> dict[str, Any]:
                return await connection.json("get", path, "GET", path)

            self._known[context] = (connection, Paths(discover))
        return self._known[context]

    async def _connect(self, context: str) -> ApiClient:
        """A client with the context's address and credentials.

        Raises ``Unavailable`` saying what is missing; never what the credentials are.
        """
        settings = Configuration()
        # Left to itself the HTTP library reads ~/.netrc before each call, in a thread, and refuses to make it when the
        # file names the cluster's host, for it will not send two credentials. What else it reads there is `_proxy`.
        settings.client_session_kwargs = {"trust_env": False}
        settings.connection_pool_maxsize = 0  # calls are bounded by Patience.at_once; watches must not wait for them
        try:
            async with asyncio.timeout(self._patience.total):  # a credential plug-in may hang
                await self._load(settings, context)
        except TimeoutError as error:
            raise Unavailable(f"the credentials for the cluster {context or 'in use'} did not come in time") from error
        except config.ConfigException as error:
            name = context or "(current context)"
            hint = "Check KUBECONFIG and the `cluster` of the environment."
            raise Unavailable(f"there is no way to reach the cluster {name}: {error}", hint=hint) from error
        settings.proxy = settings.proxy or _proxy(str(settings.host))
        return ApiClient(settings)

    async def _load(self, settings: Configuration, context: str) -> None:
        given, chosen = self._kubeconfig, context or None
        if isinstance(given, Mapping):
            await config.load_kube_config_from_dict(  # type: ignore[no-untyped-call]
                dict(given), context=chosen, client_configuration=settings
            )
        elif files := _existing(str(given) or str(Path.home() / ".kube" / "config")):
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                files, context=chosen, client_configuration=settings, persist_config=False
            )
        elif given or context:
            raise config.ConfigException("the kubeconfig file does not exist")
        else:
            config.load_incluster_config(settings)  # type: ignore[no-untyped-call]


def _proxy(host: str) -> str | None:
    """The proxy that the environment names for an address (``HTTPS_PROXY``, ``NO_PROXY``)."""
    address = urlsplit(host)
    return None if proxy_bypass(address.netloc) else getproxies().get(address.scheme)


class ActingFor:
    """Implements ``kernel.ports.Clusters`` for one identity, over the connections of ``clusters``."""

    def __init__(self, clusters: KubernetesClusters, identity: Identity) -> None:
        self._clusters = clusters
        self._identity = identity

    def reader(self, environment: Environment) -> Reader:
        """Reads the environment's cluster as the identity."""
        found = self._clusters.reader(environment)
        return found.acting_for(self._identity) if environment.impersonate else found

    def writer(self, environment: Environment) -> Writer:
        """Reads and writes the environment's cluster as the identity."""
        found = self._clusters.writer(environment)
        return found.acting_for(self._identity) if environment.impersonate else found

    def acting_for(self, identity: Identity) -> ActingFor:
        """The same clusters, asked as another identity."""
        return ActingFor(self._clusters, identity)


def _existing(files: str) -> str:
    return os.pathsep.join(name for name in files.split(os.pathsep) if name and Path(name).expanduser().is_file())
