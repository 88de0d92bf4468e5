"""Says its input again, with the model's version, and fails where the input says `fail`."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args) -> None:
        self._version = np.array([int(args["model_version"])], dtype=np.int32)

    def execute(self, requests):
        return [self._answer(request) for request in requests]

    def _answer(self, request):
        [text] = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)
        if b"fail" in text:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError("told to fail"))
        output = pb_utils.Tensor("text_output", np.array([text], dtype=object))
        return pb_utils.InferenceResponse([output, pb_utils.Tensor("said_by", self._version)])
