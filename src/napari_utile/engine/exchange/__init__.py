"""The model exchange of the field: packages of bioimage.io out and in, ONNX and plain checkpoints in."""
