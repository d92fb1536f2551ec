"""Checks with Python's `websockets`: python client.py 127.0.0.1:8081"""

import asyncio
import json
import sys

import websockets

BASE = f"ws://{sys.argv[1]}"


async def chat():
    async with websockets.connect(f"{BASE}/v1/chat") as socket:
        for sequence in range(1, 4):
            await socket.send(json.dumps({"text": "hello"}))
            assert json.loads(await socket.recv())["sequence"] == sequence
        await (await socket.ping())
        await socket.send("")
        await socket.wait_closed()
        assert socket.close_code == 1000, socket.close_code


async def fragments():
    async with websockets.connect(f"{BASE}/v1/chat") as socket:
        await socket.send(['{"te', 'xt": "in ', 'pieces"}'])
        assert json.loads(await socket.recv())["sequence"] == 1


async def failure():
    async with websockets.connect(f"{BASE}/v1/shelves/none/books:stream") as socket:
        error = json.loads(await socket.recv())["error"]
        assert error["status"] == "NOT_FOUND", error
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4005, error["message"])


async def too_large():
    async with websockets.connect(f"{BASE}/v1/chat") as socket:
        try:
            await socket.send(json.dumps({"text": "x" * (5 << 20)}))
            assert json.loads(await socket.recv())["error"]["status"] == "RESOURCE_EXHAUSTED"
        except websockets.ConnectionClosed:
            pass  # refused by its length, before all of it was sent
        await socket.wait_closed()
        assert socket.close_code == 4008, socket.close_code


async def main():
    failed = 0
    for check in (chat, fragments, failure, too_large):
        try:
            await asyncio.wait_for(check(), 20)
            print(f"ok {check.__name__} (websockets)")
        except Exception as error:  # told below
            failed += 1
            print(f"not ok {check.__name__} (websockets): {error!r}")
    sys.exit(1 if failed else 0)


asyncio.run(main())
