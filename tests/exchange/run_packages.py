"""Check packages with bioimageio.spec, and run them in bioimageio.core: a program of its own, see conftest.py.

    python run_packages.py PACKAGE IMAGE.npy OUTPUT.npy N [PACKAGE ...]

An image is (C, Y, X). The output is (3, K, Y, X): by ONNX whole, by ONNX in blocks of size N, by the state dict in
blocks.
"""

import sys
from pathlib import Path

import numpy as np
from bioimageio.core import create_prediction_pipeline
from bioimageio.core.digest_spec import create_sample_for_model
from bioimageio.spec import load_model_description
from loguru import logger

logger.remove()
arguments = sys.argv[1:]
for package, image, output, n in zip(*(iter(arguments),) * 4, strict=True):
    described = load_model_description(Path(package), perform_io_checks=True)
    if described.validation_summary.status == "failed":
        sys.exit(described.validation_summary.format())
    found = []
    for weights, blocks in (("onnx", False), ("onnx", True), ("pytorch_state_dict", True)):
        sample = create_sample_for_model(described, inputs={"image": np.load(image)[None]})
        with create_prediction_pipeline(described, weight_format=weights) as pipeline:
            if blocks:
                predicted = pipeline.predict_sample_with_blocking(sample, ns=int(n))
            else:
                predicted = pipeline.predict_sample_without_blocking(
                    sample, skip_input_padding=True, skip_output_cropping=True
                )
        found.append(np.asarray(predicted.members["outputs"].data)[0])
    np.save(output, np.stack(found))
