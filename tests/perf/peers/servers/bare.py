"""The bare script behind HTTP: asyncio's own streams, and no more than must be read of a request.

python bare.py PORT GRAPH TOKENIZER
"""

import asyncio
import json
import sys

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


def main() -> None:
    """Load the model, and answer until the process is ended."""
    port, graph, tokenizer_file = sys.argv[1:4]
    tokenizer = Tokenizer.from_file(tokenizer_file)
    tokenizer.enable_padding()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])

    def answer(body: bytes) -> bytes:
        rows = tokenizer.encode_batch([json.loads(body)["inputs"]])
        feeds = {
            "input_ids": np.array([row.ids for row in rows], dtype=np.int64),
            "attention_mask": np.array([row.attention_mask for row in rows], dtype=np.int64),
        }
        return json.dumps(session.run(None, feeds)[0].tolist()).encode()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                content = answer(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(content))
                writer.write(content)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(connected, "127.0.0.1", int(port))
        await server.serve_forever()

    asyncio.run(serve())


main()
