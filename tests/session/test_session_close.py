"""Closing a viewer gives the memory of its networks back."""

import dataclasses
import gc
import weakref

from napari_utile.engine.inference.device import choose_compute
from napari_utile.engine.inference.warm import warm_network
from napari_utile.engine.models.card import ModelCard
from napari_utile.engine.models.library import Model, fingerprint_of
from napari_utile.engine.networks.unet import UNet, UNetConfig
from napari_utile.session.state import Session


def test_a_closed_session_keeps_no_network_in_memory():
    network = UNet(UNetConfig(width=1, depth=1))
    card = ModelCard("tiny", "unet", dataclasses.asdict(network.config))
    model = Model(card, network, fingerprint_of(card, network))
    compute = choose_compute("cpu", "float32")
    kept = weakref.ref(warm_network(model, compute))
    assert warm_network(model, compute) is kept()
    Session().close()
    gc.collect()
    assert kept() is None
