"""A worker that lives for ever keeps a list in a local variable and one in a threading.local."""
import queue
import threading


class Seen:
    def __init__(self):
        self.text = "x" * 1000


class Job:
    def __init__(self):
        self.blob = bytearray(2000)


jobs, local = queue.Queue(), threading.local()


def work():
    backlog = []
    local.seen = []
    while True:
        job = jobs.get()
        if job is None:
            return
        backlog.append(job)
        local.seen.append(Seen())
        del job
        jobs.task_done()


worker = threading.Thread(target=work, name="worker", daemon=True)
worker.start()


def step(i):
    jobs.put(Job())
    jobs.join()


def end():
    jobs.put(None)
    worker.join()
