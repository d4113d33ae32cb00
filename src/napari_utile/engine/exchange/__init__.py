"""The model exchange of the field: bioimage.io packages out and in, ONNX and plain checkpoints in."""
