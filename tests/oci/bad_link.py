"""A bad link between two interfaces of this network namespace: what netem(8) does, for kernels
that lack it. Usage: bad_link.py A B DELAY_MS LOSS REORDERED; the last two are shares of frames."""

import heapq
import random
import select
import socket
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
SO_RCVBUFFORCE, ETH_P_ALL = 33, 3


def end(interface):
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # Frames whose checksum is still to be made stay so.
    made.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    made.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
    made.bind((interface, ETH_P_ALL))
    made.setblocking(False)
    return made


def main():
    ends = [end(sys.argv[1]), end(sys.argv[2])]
    delay, loss, reordered = float(sys.argv[3]) / 1000, float(sys.argv[4]), float(sys.argv[5])
    chance = random.Random(1)
    counts = {"passed": 0, "lost": 0, "late": 0}
    waiting, number = [], 0
    print("ready", flush=True)
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(waiting)
            try:
                to.send(frame)
            except OSError:
                pass
        timeout = max(waiting[0][0] - now, 0) if waiting else None
        for one in select.select(ends, [], [], timeout)[0]:
            other = ends[one is ends[0]]
            for _ in range(64):
                try:
                    frame = one.recv(70000)
                except BlockingIOError:
                    break
                now = time.monotonic()
                if chance.random() < loss:
                    counts["lost"] += 1
                    continue
                late = chance.random() < reordered
                counts["late" if late else "passed"] += 1
                number += 1
                # Whoever is late arrives after some of those who were sent after it.
                heapq.heappush(waiting, (now + delay + late * 0.003, number, other, frame))
        if len(sys.argv) > 6 and number % 500 == 0:
            print(counts, file=sys.stderr, flush=True)


main()
