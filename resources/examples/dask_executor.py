"""How to run a stage on a Dask cluster: its executor is the client's, and the pipeline stays as it is.

Run it with ``python dask_executor.py``, or open it in the app. It needs ``pip install "antflow-desk[dask]"``.
"""

import asyncio

from antflow_core import Pipeline, Stage

try:
    from distributed import Client, LocalCluster
except ImportError:
    Client = None


def measure(text):
    """A plain function; a worker of the cluster runs it in a thread of its own."""
    return {"words": len(text.split()), "text": text}


async def describe(measured):
    """An async one runs there too, on a loop of its own."""
    await asyncio.sleep(0.01)
    return f"{measured['words']} words: {measured['text']}"


def connect():
    """For a real cluster: ``Client("tcp://scheduler:8786")``; its workers need antflow-desk installed too."""
    return Client(LocalCluster(n_workers=1, threads_per_worker=4, processes=False, dashboard_address=None))


def disconnect(client):
    """A cluster that was started here ends with it."""
    client.close()
    client.cluster.close()


async def main():
    """The client must not be asynchronous; connecting takes a moment, so it is done beside the loop."""
    if Client is None:
        print('Dask is not installed; it comes with: pip install "antflow-desk[dask]"')
        return
    client = await asyncio.to_thread(connect)
    try:
        # A task costs some milliseconds more than here: give a cluster work that takes longer than that.
        stage = Stage("Far", 8, [measure, describe], executor=client.get_executor())
        for result in await Pipeline([stage]).run(["to be", "or not to be", "that is the question"]):
            print(result.value)
    finally:
        await asyncio.to_thread(disconnect, client)


if __name__ == "__main__":
    asyncio.run(main())
