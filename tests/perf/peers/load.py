"""Requests over HTTP/1.1, from one process that does as little as it can.

post(port, path, body)                                    # status; OSError while nobody listens
answer_seconds(port, path, body, count=200)               # one after the other
requests_per_second(port, path, body, connections=8, seconds=3)
"""

import asyncio
import http.client
import time

HEADERS = {"content-type": "application/json"}


def post(port: int, path: str, body: bytes) -> int:
    """Send one request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body, HEADERS)
        answer = connection.getresponse()
        answer.read()
    finally:
        connection.close()
    return answer.status


def answer_seconds(port: int, path: str, body: bytes, *, count: int) -> list[float]:
    """How long each of many requests takes, over one connection."""

    async def run() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        request, spent = _request(path, body), []
        for _ in range(count):
            before = time.perf_counter()
            writer.write(request)
            await _read(reader)
            spent.append(time.perf_counter() - before)
        writer.close()
        return spent

    return asyncio.run(run())


def requests_per_second(
    port: int, path: str, body: bytes, *, connections: int, seconds: float
) -> float:
    """How many are answered when each connection asks again as soon as it was answered."""

    async def run() -> float:
        request = _request(path, body)
        started = time.perf_counter()
        end = started + seconds

        async def ask() -> int:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            answered = 0
            while time.perf_counter() < end:
                writer.write(request)
                await _read(reader)
                answered += 1
            writer.close()
            return answered

        counts = await asyncio.gather(*(ask() for _ in range(connections)))
        return sum(counts) / (time.perf_counter() - started)

    return asyncio.run(run())


def _request(path: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body


async def _read(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"A server answered {head[:40]!r}.")
    await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
