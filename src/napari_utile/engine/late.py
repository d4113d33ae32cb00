"""torch, imported when something of it is first used: forms, lists, copied commands and `--help` need nothing of it.

Modules whose classes or decorators are torch's, such as the networks, import it themselves, and are imported late.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch as torch
else:

    class _Torch:
        def __getattr__(self, name: str) -> Any:
            import torch

            return getattr(torch, name)

    torch = _Torch()
