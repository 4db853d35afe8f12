"""A script as people write them for AntFlow 0.10: what it prints was printed by the real one."""

# A user's script prints, and is written as users write.
# ruff: noqa: PERF401, PLW0108, T201
import asyncio
import contextlib

from antflow import AsyncExecutor, AsyncFuture, ExecutorShutdownError, WaitStrategy
from antflow.exceptions import AntFlowError
from antflow.executor import AsyncExecutor as SameExecutor


async def square(x):
    await asyncio.sleep(0)
    return x * x


async def pause(seconds, result=None):
    await asyncio.sleep(seconds)
    return result


async def refuse(x):
    raise ValueError(f"no {x}")


class Flaky:
    def __init__(self, failures):
        self.failures = failures
        self.calls = 0

    async def __call__(self):
        self.calls += 1
        if self.calls <= self.failures:
            raise ConnectionError(f"call {self.calls}")
        return self.calls


async def outcome(awaitable):
    """What comes of it, as text."""
    try:
        return repr(await awaitable)
    except BaseException as error:
        return f"{type(error).__name__}({error})"


async def submitting():
    async with AsyncExecutor(max_workers=3) as executor:
        future = executor.submit(square, 7)
        print("a future:", isinstance(future, AsyncFuture), future.sequence_id)
        print("not yet:", future.done(), future.exception())
        print("its result:", await future.result(), await future.result(timeout=1), future.done())
        print("keywords:", await executor.submit(pause, 0, result="given").result())
        print("a lambda:", await executor.submit(lambda x: square(x), 3).result())
        failed = executor.submit(refuse, 1)
        print("a failure:", await outcome(failed.result()), repr(failed.exception()), failed.done())
        late = executor.submit(pause, 0.2, "late")
        print("too late:", (await outcome(late.result(timeout=0.01))).partition("(")[0], late.done())
        print("and then:", await late.result())
    print("same class:", SameExecutor is AsyncExecutor)


async def mapping():
    async with AsyncExecutor(max_workers=4) as executor:
        print("map:", await executor.map(square, range(6)))
        print("two iterables:", await executor.map(pause, [0, 0, 0], "ab"))
        print("nothing:", await executor.map(square, []), await executor.map(square))
        print("map_iter:", [x async for x in executor.map_iter(square, (n for n in range(4)))])
        print("a failure:", await outcome(executor.map(refuse, [8, 9])))
        print("each in time:", await executor.map(pause, [0.2] * 8, timeout=0.35))
        print("too late:", (await outcome(executor.map(pause, [0.3], timeout=0.01))).partition("(")[0])
        async for x in executor.map_iter(square, range(3)):
            print("first:", x)
            break
        await executor.shutdown(cancel_futures=True)


async def retrying():
    async with AsyncExecutor(max_workers=2) as executor:
        flaky = Flaky(2)
        print("third time:", await executor.submit(flaky, retries=2, retry_delay=0.01).result(), flaky.calls)
        flaky = Flaky(9)
        future = executor.submit(flaky, retries=2, retry_delay=0.01)
        print("never:", await outcome(future.result()), flaky.calls)
        print("no retries:", await outcome(executor.submit(Flaky(1)).result()))
        print("map:", await executor.map(lambda _: square(2), [1], retries=1, retry_delay=0.01))


async def limiting():
    inside = most = 0

    async def work(x):
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        inside -= 1
        return x

    limit = asyncio.Semaphore(2)
    async with AsyncExecutor(max_workers=8) as executor:
        futures = [executor.submit(work, n, semaphore=limit) for n in range(20)]
        print("limited:", sum([await future.result() for future in futures]), most)


async def waiting():
    async with AsyncExecutor(max_workers=5) as executor:
        futures = [executor.submit(pause, seconds, seconds) for seconds in (0.3, 0.15, 0)]
        print("in order of ends:", [await f.result() async for f in executor.as_completed(futures)])
        futures = [executor.submit(pause, seconds) for seconds in (0, 5)]
        done, pending = await executor.wait(futures, return_when=WaitStrategy.FIRST_COMPLETED)
        print("first completed:", [futures.index(f) for f in done], [futures.index(f) for f in pending])
        mixed = [executor.submit(pause, 5), executor.submit(refuse, 2)]
        done, pending = await executor.wait(mixed, return_when=WaitStrategy.FIRST_EXCEPTION)
        print("first exception:", [mixed.index(f) for f in done], repr(mixed[1].exception()))
        done, pending = await executor.wait(mixed[1:])
        print("all:", len(done), len(pending), await executor.wait([]))
        print("all, too late:", (await outcome(executor.wait(mixed, timeout=0.01))).partition("(")[0])
        done, pending = await executor.wait(mixed[:1], 0.01, WaitStrategy.FIRST_COMPLETED)
        print("some, too late:", len(done), len(pending))
        seen = []
        with contextlib.suppress(asyncio.TimeoutError):
            async for future in executor.as_completed([futures[0], *mixed], timeout=0.05):
                seen.append(future.sequence_id)
        print("before the deadline:", len(seen))
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()


async def ending():
    async with AsyncExecutor(max_workers=1) as executor:
        for kind in (asyncio.CancelledError, KeyboardInterrupt, SystemExit, GeneratorExit):

            async def end(kind=kind):
                raise kind("own")

            future = executor.submit(end, retries=2, retry_delay=0)
            print("a task's own:", await outcome(future.result()), repr(future.exception()))
        print("the worker lives:", await executor.submit(square, 3).result())
    print("afterwards:", end_of(lambda: executor.submit(square, 1)))
    print("nor this:", await outcome(executor.map(square, [1])))
    executor = AsyncExecutor(max_workers=1)
    futures = [executor.submit(pause, 0.1, n) for n in range(3)]
    await asyncio.sleep(0.05)
    await executor.shutdown(wait=False, cancel_futures=True)
    print("cancelled:", [await outcome(future.result()) for future in futures])
    executor = AsyncExecutor(max_workers=1)
    futures = [executor.submit(square, n) for n in range(3)]
    await executor.shutdown(wait=True)
    await executor.shutdown()
    print("waited for:", [future.done() for future in futures])
    print("no workers:", end_of(lambda: AsyncExecutor(max_workers=0)).partition(",")[0])
    print("its kind:", issubclass(ExecutorShutdownError, AntFlowError))
    futures = []
    try:
        async with AsyncExecutor(max_workers=1) as executor:
            futures += [executor.submit(square, n) for n in range(3)]
            raise LookupError("body")
    except LookupError:
        print("left by an error:", [future.done() for future in futures])


def end_of(function):
    try:
        return repr(function())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


async def main():
    for part in (submitting, mapping, retrying, limiting, waiting, ending):
        print(f"-- {part.__name__}")
        await part()


if __name__ == "__main__":
    asyncio.run(main())
