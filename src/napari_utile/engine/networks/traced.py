"""A network as a graph of what it computes: torch traces for the whole process, and other threads compute on."""

import threading
from collections.abc import Callable
from typing import Any

from torch import fx, nn

one_trace = threading.Lock()
"""torch traces by what it changes for the whole process: two traces at a time end in errors."""


def traced(network: nn.Module) -> fx.GraphModule:
    """Return the graph of what a network computes at inference, traced while no other one is."""
    with one_trace:
        return fx.GraphModule(network.eval(), _TracerOfOneThread().trace(network))


class _TracerOfOneThread(fx.Tracer):
    """Traces what its own thread computes: torch hears the layers of the whole process while it traces."""

    def __init__(self) -> None:
        super().__init__()
        self._thread = threading.get_ident()

    def call_module(
        self, m: nn.Module, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """Let a layer compute what it computes, where another thread calls it."""
        if threading.get_ident() != self._thread:
            return forward(*args, **kwargs)
        return super().call_module(m, forward, args, kwargs)

    def getattr(self, attr: str, attr_val: Any, parameter_proxy_cache: dict[str, fx.Proxy]) -> Any:
        """Give another thread the parameter itself."""
        if threading.get_ident() != self._thread:
            return attr_val
        return super().getattr(attr, attr_val, parameter_proxy_cache)
