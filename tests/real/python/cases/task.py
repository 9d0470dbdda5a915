"""Tasks that wait for ever, and what their coroutines have in variables."""
import asyncio

LOOP = asyncio.new_event_loop()
LOOP.set_exception_handler(lambda loop, context: None)
TASKS = set()


async def audit():
    body = bytearray(4000)
    await LOOP.create_future()
    return body


def step(i):
    TASKS.add(LOOP.create_task(audit()))
    LOOP.run_until_complete(asyncio.sleep(0))
