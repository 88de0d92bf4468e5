"""Messages of gRPC, and those of KServe's protocol, version 2, built byte by byte."""

BYTES = b"BYTES"
WEB_TRAILERS = 0x80

_NAME, _DATATYPE, _SHAPE, _CONTENTS, _BYTES_CONTENTS = 1, 2, 3, 5, 8  # of a tensor
_MODEL_NAME, _MODEL_VERSION, _INPUTS, _OUTPUTS, _RAW_OUTPUT_CONTENTS = 1, 2, 5, 5, 6
_ERROR_MESSAGE, _INFER_RESPONSE = 1, 2


def frame(body: bytes, flags: int = 0) -> bytes:
    """A message as gRPC sends it."""
    return bytes([flags]) + len(body).to_bytes(4, "big") + body


def field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message that has a length."""
    length, size = b"", len(value)
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


def _tensor(name: bytes, datatype: bytes, contents: bytes = b"") -> bytes:
    contents = field(_CONTENTS, contents) if contents else b""
    return field(_NAME, name) + field(_DATATYPE, datatype) + field(_SHAPE, b"\1") + contents


def infer_request(model: str, text: str) -> bytes:
    tensor = _tensor(b"text_input", BYTES, field(_BYTES_CONTENTS, text.encode()))
    return field(_MODEL_NAME, model.encode()) + field(_INPUTS, tensor)


def infer_response(
    text: str | None, version: str = "1", raw: bool = True, name: bytes = b"text_output", datatype: bytes = BYTES
) -> bytes:
    """A `ModelInferResponse` with one output, or with none."""
    head = field(_MODEL_NAME, b"llm") + field(_MODEL_VERSION, version.encode())
    if text is None:
        return head
    content = text.encode()
    if not raw:
        return head + field(_OUTPUTS, _tensor(name, datatype, field(_BYTES_CONTENTS, content)))
    element = len(content).to_bytes(4, "little") + content
    return head + field(_OUTPUTS, _tensor(name, datatype)) + field(_RAW_OUTPUT_CONTENTS, element)


def stream_response(response: bytes = b"", error: str = "") -> bytes:
    """A `ModelStreamInferResponse`."""
    return (field(_ERROR_MESSAGE, error.encode()) if error else b"") + field(_INFER_RESPONSE, response)


def web_trailers(status: int) -> bytes:
    """The last frame of gRPC-Web."""
    return frame(b"grpc-status:%d\r\ngrpc-message:\r\n" % status, WEB_TRAILERS)
