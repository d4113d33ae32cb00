"""FCN-32s, FCN-16s, FCN-8s and a U-Net on one image, with the cells at the same size."""

from collections.abc import Generator
from dataclasses import dataclass, replace

from napari_utile.engine.steps import Run
from napari_utile.session.jobs import segment_job
from napari_utile.session.results import SegmentRequest, SegmentResult
from napari_utile.session.state import Session

FCNS = {"fcn32s": "FCN-32s", "fcn16s": "FCN-16s", "fcn8s": "FCN-8s"}
"""Names of the bundled models, and of their networks."""


@dataclass(frozen=True, eq=False)
class ArchitectureStep:
    """How many of the networks are done, of how many; and what is being computed."""

    done: int
    total: int
    network: str


def architectures_job(
    session: Session, request: SegmentRequest
) -> Generator[ArchitectureStep, None, dict[str, SegmentResult]]:
    """Segment one plane by the model that was asked for, and then by the three FCNs at the size that it found.

    Returns
    -------
    dict of str to SegmentResult
        By the name of the network: the FCNs from coarse to fine, then ``"U-Net"``.
    """
    networks = {request.params.model: "U-Net", **FCNS}
    if request.params.model in FCNS:
        networks = {"nuclei": "U-Net", **FCNS}
    found: dict[str, SegmentResult] = {}
    diameter = request.params.diameter
    for model, network in networks.items():
        params = replace(request.params, model=model, diameter=diameter, instances=None)
        run = Run(segment_job(session, replace(request, params=params)))
        made = yield from run.yielding(ArchitectureStep(len(found), len(networks), network))
        found[network], diameter = made, made.segmentation.diameter
    return {network: found[network] for network in (*FCNS.values(), "U-Net")}
