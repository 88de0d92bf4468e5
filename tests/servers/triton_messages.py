"""Random bodies of gRPC, coded by the code that is generated from Triton's protocol, and what is in them. It runs in an
environment of its own, so it imports nothing of ours.

    python triton_messages.py COUNT SEED > cases.json

A case is {method, body, text_chars, events, tokens}; the body is in base64. `events` is null if it is no stream.
"""

import base64
import json
import random
import sys

from tritonclient.grpc import service_pb2 as pb

WORDS = ["", "a", "Grüße", "四", "🚀", "\0", '\n{}[]"', "one two " * 40, "x" * 130]
OTHERS = ["OUTPUT_0", "role", "answer"]  # names of tensors whose strings are text where none is called text_output


def contents(tensor, response, values, is_raw):
    """Adds strings or numbers to a tensor in one of the two forms."""
    if tensor.datatype == "BYTES":
        values = [value.encode() for value in values]
        if is_raw:
            raw = b"".join(len(value).to_bytes(4, "little") + value for value in values)
            response.raw_output_contents.append(raw)
        else:
            tensor.contents.bytes_contents.extend(values)
    elif is_raw:
        response.raw_output_contents.append(b"".join(value.to_bytes(4, "little") for value in values))
    elif tensor.datatype == "UINT32":
        tensor.contents.uint_contents.extend(values)
    else:
        tensor.contents.fp32_contents.extend(values)


def fill(response, choose, facts):
    response.model_name = choose.choice(["llm", "a-much-longer-name-of-a-model" * 5])
    response.model_version = choose.choice(["", "1", "12", "2024-rc1"])
    response.id = choose.choice(["", "id-1"])
    response.parameters["triton_final_response"].bool_param = choose.random() < 0.5
    response.parameters["sequence_id"].int64_param = choose.choice([0, -1, 1 << 40])
    is_raw = choose.random() < 0.5
    is_named = facts["is_named"]
    words = choose.choices(WORDS, k=choose.randrange(1, 4))
    if is_named:  # where its text is empty, that of others counts
        outputs = [("text_output", "BYTES", ["text", *words])]
        outputs.append((choose.choice([*OTHERS, "logprobs"]), "BYTES", choose.choices(WORDS, k=2)))
    else:
        outputs = [(choose.choice(OTHERS), "BYTES", words)]
    tokens = choose.choice([0, 1, 127, 128, 300])
    outputs.append(("num_output_tokens", "UINT32", [tokens]))
    outputs.append(("scores", "FP32", [choose.randrange(1 << 32) for _ in range(choose.randrange(40))]))
    choose.shuffle(outputs)
    for name, datatype, values in outputs:
        tensor = response.outputs.add(name=name, datatype=datatype, shape=[len(values)])
        tensor.parameters["binary_data_size"].int64_param = 7
        contents(tensor, response, values, is_raw)
    facts["tokens"] += tokens
    facts["text_chars"] += sum(len(value) for name, _, values in outputs for value in values if name in facts["texts"])


def case(choose):
    is_named = choose.random() < 0.5
    texts = ["text_output"] if is_named else OTHERS
    facts = {"text_chars": 0, "tokens": 0, "is_named": is_named, "texts": texts}
    is_stream = choose.random() < 0.7
    count = choose.randrange(1, 6) if is_stream else 1
    body = b""
    for _ in range(count):
        message = pb.ModelStreamInferResponse() if is_stream else pb.ModelInferResponse()
        fill(message.infer_response if is_stream else message, choose, facts)
        if is_stream and choose.random() < 0.2:
            count += 1
            last = pb.ModelStreamInferResponse()
            last.infer_response.parameters["triton_final_response"].bool_param = True
            body += frame(last)
        body += frame(message)
    return {
        "method": "ModelStreamInfer" if is_stream else "ModelInfer",
        "body": base64.b64encode(body).decode(),
        "text_chars": facts["text_chars"],
        "events": count if is_stream else None,
        "tokens": facts["tokens"],
    }


def frame(message):
    coded = message.SerializeToString()
    return b"\0" + len(coded).to_bytes(4, "big") + coded


choose = random.Random(int(sys.argv[2]))
json.dump([case(choose) for _ in range(int(sys.argv[1]))], sys.stdout)
