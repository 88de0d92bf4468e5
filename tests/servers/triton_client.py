"""Triton's own client of gRPC. It asks a server, and prints what it saw of each answer. It runs in an environment of
its own, so it imports nothing of ours.

    python triton_client.py HOST:PORT < asks.json > views.json

An ask is {model, texts, conversation, stream}, and may have {outputs, final}: the names of the outputs wanted, and
whether empty last responses are. A stream sends all texts, as a request each; otherwise there is one. A view is {text,
versions, said_by, responses, empty, errors}: the text of all responses, the model's version as Triton and as the model
say it, how many responses had outputs and how many had none, and the messages of errors.
"""

import json
import queue
import sys

import numpy as np
import tritonclient.grpc as triton

ANSWER_S_MAX = 20


def inputs(text):
    tensor = triton.InferInput("text_input", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([text.encode()], dtype=object))
    return [tensor]


def infer(client, ask, headers, outputs):
    [text] = ask["texts"]
    yield lambda: client.infer(ask["model"], inputs(text), outputs=outputs, headers=headers)


def stream(client, ask, headers, outputs):
    came = queue.Queue()
    client.start_stream(lambda result, error: came.put((result, error)), headers=headers)

    def take():
        result, error = came.get(timeout=ANSWER_S_MAX)
        if error:
            raise error
        return result

    for text in ask["texts"]:
        options = {"outputs": outputs, "enable_empty_final_response": ask.get("final", False)}
        client.async_stream_infer(ask["model"], inputs(text), **options)
    client.stop_stream()  # waits until the server has ended the stream
    while not came.empty():
        yield take


def view(client, ask):
    seen = {"text": "", "versions": [], "said_by": [], "responses": 0, "empty": 0, "errors": []}
    outputs = [triton.InferRequestedOutput(name) for name in ask["outputs"]] if "outputs" in ask else None
    headers = {"x-conversation-id": ask["conversation"]}
    for take in (stream if ask["stream"] else infer)(client, ask, headers, outputs):
        try:
            result = take()
        except triton.InferenceServerException as error:
            seen["errors"].append(error.message())
            continue
        response = result.get_response()
        if response.model_version:  # an empty last response has none
            seen["versions"].append(response.model_version)
        seen["responses" if response.outputs else "empty"] += 1
        if (text := result.as_numpy("text_output")) is not None:
            seen["text"] += b"".join(text.reshape(-1)).decode()
        if (said_by := result.as_numpy("said_by")) is not None:
            seen["said_by"] += [str(version) for version in said_by]
    return seen


views = []
for ask in json.load(sys.stdin):
    with triton.InferenceServerClient(sys.argv[1]) as client:
        views.append(view(client, ask))
json.dump(views, sys.stdout)
