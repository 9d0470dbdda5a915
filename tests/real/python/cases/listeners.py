"""Widgets subscribe to a bus and are thrown away without unsubscribing."""


class Bus:
    def __init__(self):
        self.listeners = []


class Widget:
    def __init__(self, bus):
        self.pixels = bytearray(2000)
        bus.listeners.append(self.refresh)

    def refresh(self):
        pass


BUS = Bus()


def step(i):
    Widget(BUS)
