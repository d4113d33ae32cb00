"""What is said at the end of a training."""

from dataclasses import replace

import pytest

from napari_utile.engine.training.fine_tune import FineTuned, new_model
from napari_utile.engine.training.run import TrainResult
from napari_utile.session.fine_tuning import FineTuneResult
from napari_utile.session.training_verdict import choices_of


@pytest.mark.parametrize(("training", "said"), [({}, "no model"), ({"seed": 0}, "small")])
def test_the_model_that_training_started_from_is_named_where_it_had_learnt(training, said) -> None:
    start = new_model("small", width=2, depth=1)
    base = replace(start, card=replace(start.card, training=training))
    tuned = FineTuned(start, base, None, None, (), TrainResult(start.network, 1, 0.1, 1, 0.5, (), "budget"))
    assert choices_of(FineTuneResult(tuned, (), 1.0))[1] == f"Stay with {said}"
