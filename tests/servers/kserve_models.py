"""KServe's model server with two models: `tiny`, by its OpenAI paths in front of another server, and `echo`, by its own
protocol, version 2."""

import argparse

from kserve import InferOutput, InferResponse, Model, ModelServer, model_server
from kserve.protocol.rest.openai import OpenAIProxyModel


class Echo(Model):
    def __init__(self):
        super().__init__("echo")
        self.ready = True

    def predict(self, payload, headers=None, response_headers=None):
        [given] = payload.inputs
        if "fail" in given.data:
            raise RuntimeError("told to fail")
        output = InferOutput(name="text_output", shape=[len(given.data)], datatype="BYTES", data=given.data)
        return InferResponse(response_id="1", model_name=self.name, infer_outputs=[output])


parser = argparse.ArgumentParser(parents=[model_server.parser], description=__doc__)
parser.add_argument("--upstream", required=True, help="base URL of the server behind `tiny`")
options, _ = parser.parse_known_args()

tiny = OpenAIProxyModel("tiny", predictor_url=options.upstream, skip_upstream_validation=True)
tiny.ready = True
ModelServer(http_port=options.http_port, enable_grpc=False).start([tiny, Echo()])
