"""KServe's model server: models with its OpenAI paths, in front of another server, and models with its own protocol,
version 2."""

import argparse

from kserve import InferOutput, InferResponse, Model, ModelServer, model_server
from kserve.protocol.rest.openai import OpenAIProxyModel

PORT_OF_NO_GRPC = 0


class Chat(OpenAIProxyModel):
    """Says whose answer it is by its own name, as servers do that have the model themselves."""

    def __init__(self, name, upstream) -> None:
        super().__init__(name, predictor_url=upstream, skip_upstream_validation=True)
        self.ready = True

    def _sign(self, answer, request) -> None:
        answer.model = self.name

    postprocess_completion = postprocess_completion_chunk = _sign
    postprocess_chat_completion = postprocess_chat_completion_chunk = _sign


class Echo(Model):
    def __init__(self, name) -> None:
        super().__init__(name)
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        [given] = payload.inputs
        texts = [text.decode() if isinstance(text, bytes) else text for text in given.as_numpy().reshape(-1)]
        if "fail" in texts:
            raise RuntimeError("told to fail")
        output = InferOutput(name="text_output", shape=[len(texts)], datatype="BYTES", data=texts)
        return InferResponse(response_id="1", model_name=self.name, infer_outputs=[output])


parser = argparse.ArgumentParser(parents=[model_server.parser], description=__doc__)
parser.set_defaults(grpc_port=PORT_OF_NO_GRPC)
parser.add_argument("--upstream", required=True, help="base URL of the server behind the OpenAI paths")
parser.add_argument("--chat", required=True, action="append", help="name of a model with these paths")
parser.add_argument("--echo", required=True, action="append", help="name of a model with KServe's own protocol")
options, _ = parser.parse_known_args()

chats = [Chat(name, options.upstream) for name in options.chat]
has_grpc = options.grpc_port != PORT_OF_NO_GRPC
ports = {"http_port": options.http_port, "grpc_port": options.grpc_port}
ModelServer(**ports, enable_grpc=has_grpc).start([*chats, *map(Echo, options.echo)])
