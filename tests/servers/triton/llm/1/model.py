"""Says the words of its input one by one, and fails where the input says `fail`."""

import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            [text] = pb_utils.get_input_tensor_by_name(request, "text_input").as_numpy().reshape(-1)
            for word in text.decode().split():
                if word == "fail":
                    sender.send(pb_utils.InferenceResponse(error=pb_utils.TritonError("told to fail")))
                    break
                piece = pb_utils.Tensor("text_output", np.array([f"{word} ".encode()], dtype=object))
                sender.send(pb_utils.InferenceResponse([piece]))
            sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
