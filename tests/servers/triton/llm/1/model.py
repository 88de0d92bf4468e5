"""Says the words of its input one by one, each with the model's version, and fails where the input says `fail`."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args) -> None:
        self._version = np.array([int(args["model_version"])], dtype=np.int32)

    def execute(self, requests) -> None:
        for request in requests:
            sender = request.get_response_sender()
            [text] = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)
            for word in text.decode().split():
                if word == "fail":
                    sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError("told to fail")))
                    break
                sender.send(self._answer(f"{word} "))
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def _answer(self, text):
        output = pb_utils.Tensor("text_output", np.array([text.encode()], dtype=object))
        return pb_utils.InferenceResponse([output, pb_utils.Tensor("said_by", self._version)])
