"""How a network is computed: on torch or ONNX Runtime, on GPU or CPU, how exactly."""
