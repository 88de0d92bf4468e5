"""llama.cpp's own server, on one thread, with a real model. Needs the package xllamacpp."""

import argparse
import signal

import xllamacpp

CONTEXT_TOKENS = 2048  # shared by the slots
SLOTS = 2

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, required=True)
parser.add_argument("--version", required=True, help="the name under which the model is listed")
parser.add_argument("--model", required=True, help="a .gguf file")
parser.add_argument("--chat-template", help="a template in place of the model's own")
options = parser.parse_args()

parameters = xllamacpp.CommonParams()
parameters.model.path = options.model
parameters.model_alias = {options.version}
parameters.hostnames = ["127.0.0.1"]
parameters.port = options.port
parameters.n_ctx = CONTEXT_TOKENS
parameters.n_parallel = SLOTS
parameters.cpuparams.n_threads = 1
parameters.cpuparams_batch.n_threads = 1
parameters.n_threads_http = 8
parameters.warmup = False
if options.chat_template:
    parameters.chat_template = options.chat_template

server = xllamacpp.Server(parameters)
print(f"{options.version} listens on {server.listening_address}", flush=True)
signal.pause()
