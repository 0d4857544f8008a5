#!/usr/bin/env python3
"""Frames that no sane host sends, out of one end of a veth pair to who lives at the other.

usage (root): frames.py INTERFACE MAC IPV4 IPV6 PORT SEED SECONDS [COUNT [RATE [SPARED]]]
Sends malformed and mutated frames of ARP, IPv4, IPv6, ICMP, IGMP, TCP, UDP and of what is
none of these until the time is over or COUNT frames are sent, RATE in a second at most.
PORT is one at which the victim listens. Part of the frames answers what the victim sends:
connections get half open, are continued, and reset; not those of the port SPARED.
Prints how many frames it sent, and how many of each kind.
"""
import random, select, socket, struct, sys, time

INTERFACE, MAC, V4, V6, PORT, SEED, SECONDS = sys.argv[1:8]
COUNT, RATE, SPARED = [int(value) for value in sys.argv[8:]] + [1 << 62, 1 << 30, 0][len(sys.argv) - 8:]
R = random.Random(int(SEED))
PORT = int(PORT)
VICTIM = bytes.fromhex(MAC.replace(':', ''))
OURS = bytes.fromhex('020000000077')
THEIRS4, THEIRS6 = socket.inet_aton(V4), socket.inet_pton(socket.AF_INET6, V6)
SOL_PACKET, PACKET_VNET_HDR = 263, 15


def bits(count):
    return R.getrandbits(count)


def noise(most):
    return R.randbytes(R.randrange(most + 1))


def sum16(data):
    if len(data) & 1:
        data += b'\0'
    total = sum(struct.unpack('!%dH' % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ours4():
    # A neighbour on the link, mostly.
    place = R.random()
    if place < .8:
        return THEIRS4[:3] + bytes([R.randrange(100, 130)])
    return R.choice([bytes(4), b'\xff' * 4, b'\x7f\0\0\1', THEIRS4, b'\xe0\0\0\1', R.randbytes(4)])


def ours6():
    place = R.random()
    if place < .8:
        return THEIRS6[:15] + bytes([R.randrange(100, 130)])
    return R.choice([bytes(16), bytes(15) + b'\1', THEIRS6, b'\xff\2' + bytes(13) + b'\1', R.randbytes(16)])


def ethernet(kind, payload):
    to = VICTIM if R.random() < .9 else R.choice([b'\xff' * 6, b'\1\0\x5e\0\0\1', R.randbytes(6)])
    return to + OURS + struct.pack('!H', kind) + payload


def ipv4(proto, payload, source=None, flags=0x4000, ident=None, options=b''):
    options += b'\0' * (-len(options) % 4)
    length = 20 + len(options) + len(payload)
    ident = bits(16) if ident is None else ident
    head = struct.pack('!BBHHHBBH', 0x40 | (5 + len(options) // 4) & 15, bits(8) & R.choice([0, 255]), length & 0xffff,
                       ident, flags, R.choice([64, 1, 0, 255]), proto, 0)
    head += (source or ours4()) + THEIRS4 + options
    head = head[:10] + struct.pack('!H', sum16(head)) + head[12:]
    return ethernet(0x800, head + payload)


def ipv6(proto, payload, source=None):
    to = THEIRS6 if R.random() < .8 else b'\xff\2' + bytes(9) + b'\1\xff' + THEIRS6[13:]
    head = struct.pack('!IHBB', 6 << 28 | bits(28) & R.choice([0, 0xfffffff]), len(payload) & 0xffff, proto,
                       R.choice([64, 255, 1, 0]))
    return ethernet(0x86dd, head + (source or ours6()) + to + payload)


def pseudo(source, proto, payload):
    if len(source) == 4:
        return source + THEIRS4 + struct.pack('!BBH', 0, proto, len(payload) & 0xffff)
    return source + THEIRS6 + struct.pack('!IHBB', len(payload), 0, 0, proto)


def transport(proto, payload, at, version=None, source=None):
    """`payload` in IP, with its checksum at `at`."""
    version = version or R.choice([4, 6])
    source = source or (ours4() if version == 4 else ours6())
    if R.random() < .95:
        checksum = sum16(pseudo(source, proto, payload) + payload)
        payload = payload[:at] + struct.pack('!H', checksum) + payload[at + 2:]
    if version == 4:
        return ipv4(proto, payload, source, R.choice([0, 0x4000]), options=R.choice([b'', b'', b'', noise(40)]))
    headers = b''
    while R.random() < .15:
        # The chain of headers, as far as one goes on.
        kind = R.choice([0, 43, 60, 44, 51])
        body = noise(20) + b'\0' * 6
        body = body[:len(body) // 8 * 8 + 6 - 8 if len(body) % 8 < 6 else len(body) // 8 * 8 + 6]
        headers += bytes([proto, len(body) // 8]) + body
        proto = kind
    return ipv6(proto, headers + payload, source)


def tcp_options():
    known = [b'\1', b'\0', b'\2\4' + R.randbytes(2), b'\3\3' + R.randbytes(1), b'\4\2', b'\5\x0a' + R.randbytes(8),
             b'\x08\x0a' + R.randbytes(8), b'\x05\0', b'\2\1', b'\xfe\xff', noise(12)]
    got = b''.join(R.choice(known) for _ in range(R.randrange(6)))[:40]
    return got + b'\0' * (-len(got) % 4)


def segment(source_port, port, seq, ack, flags, data=b'', options=None):
    options = tcp_options() if options is None else options
    head = struct.pack('!HHIIBBHHH', source_port, port, seq & 0xffffffff, ack & 0xffffffff, (5 + len(options) // 4) << 4 & 255,
                       flags, R.choice([0, 1, 512, 65535]), 0, R.choice([0, 0, 1, 65535]))
    return head + options + data


def tcp():
    flags = R.choice([2, 2, 2, 16, 24, 17, 4, 20, 18, 0, 63, bits(8)])
    port = PORT if R.random() < .8 else bits(16)
    return transport(6, segment(bits(16), port, bits(32), bits(32), flags, noise(100)), 16)


def udp():
    data = noise(200)
    length = 8 + len(data) if R.random() < .8 else bits(16)
    return transport(17, struct.pack('!HHHH', bits(16), R.choice([PORT, 53, bits(16)]), length, 0) + data, 6)


def embedded():
    """What a message of ICMP says it is about: a packet that the victim has sent, maybe."""
    inner = segment(PORT, bits(16), bits(32), 0, 16)[:R.choice([8, 20])] if R.random() < .6 else noise(60)
    proto = R.choice([6, 17, 1, 58, bits(8)])
    if R.random() < .5:
        return struct.pack('!BBHHHBBH', R.choice([0x45, 0x4f, 0x40, bits(8)]), 0, 20 + len(inner), 0, 0, 64, proto, 0) \
            + THEIRS4 + ours4() + inner
    return struct.pack('!IHBB', 6 << 28, len(inner), proto, 64) + THEIRS6 + ours6() + inner


def icmp():
    kind = R.choice([8, 3, 3, 11, 12, 5, 0, 13, bits(8)])
    message = bytes([kind, R.choice([0, 1, 3, 4, 13, bits(8)])]) + b'\0\0' + R.randbytes(4)
    message += embedded() if kind in (3, 11, 12, 5) else noise(80)
    message = message[:2] + struct.pack('!H', sum16(message)) + message[4:]
    return ipv4(1, message)


def icmp6():
    kind = R.choice([128, 133, 134, 135, 136, 137, 1, 2, 3, 4, 130, 131, 143, 129, bits(8)])
    message = bytes([kind, R.choice([0, 1, bits(8)])]) + b'\0\0' + R.randbytes(4)
    if kind in (135, 136, 137):
        message += R.choice([THEIRS6, ours6()])
        message += R.choice([b'', bytes([R.choice([1, 2, 3, 0]), R.choice([1, 0, 2, 255])]) + R.randbytes(6), noise(24)])
    elif kind < 5:
        message += embedded()
    else:
        message += noise(80)
    return transport(58, message, 2, 6)


def igmp():
    message = bytes([R.choice([0x11, 0x12, 0x16, 0x17, 0x22, bits(8)]), bits(8), 0, 0]) \
        + R.choice([bytes(4), b'\xe0\0\0\1', R.randbytes(4)]) + noise(40)
    return ipv4(2, message[:2] + struct.pack('!H', sum16(message)) + message[4:], options=R.choice([b'', b'\x94\4\0\0']))


def arp():
    sender = R.choice([ours4(), THEIRS4, R.randbytes(4)])
    head = struct.pack('!HHBBH', R.choice([1, 1, bits(16)]), R.choice([0x800, 0x800, bits(16)]), R.choice([6, 6, bits(8)]),
                       R.choice([4, 4, bits(8)]), R.choice([1, 2, bits(16)]))
    hardware = R.choice([OURS, R.randbytes(6), b'\xff' * 6, bytes(6)])
    return ethernet(0x806, head + hardware + sender + bytes(6) + R.choice([THEIRS4, ours4()]) + noise(30))


def fragment():
    ident = R.randrange(8)
    offset = R.choice([0, 1, 8, 185, 1000, 8189, bits(13)])
    if R.random() < .5:
        flags = R.choice([0x2000, 0, 0x6000]) | offset
        return ipv4(R.choice([17, 6, 1, bits(8)]), noise(1400), THEIRS4[:3] + b'\x66', flags, ident)
    head = struct.pack('!BBHI', R.choice([17, 6, 58, 44, bits(8)]), bits(8), offset << 3 | R.choice([0, 1]), ident)
    return ipv6(44, head + noise(1400), THEIRS6[:15] + b'\x66')


def whole():
    """A datagram in fragments that make sense together: in any order, one twice, or without one."""
    proto, version = R.choice([17, 17, 1, 58]), R.choice([4, 6])
    source = THEIRS4[:3] + b'\x67' if version == 4 else THEIRS6[:15] + b'\x67'
    payload = struct.pack('!HHHH', bits(16), PORT, 0, 0) + R.randbytes(R.choice([100, 3000, 20000, 65000]))
    payload = payload[:4] + struct.pack('!H', len(payload)) + payload[6:]
    payload = payload[:6] + struct.pack('!H', sum16(pseudo(source, proto, payload) + payload)) + payload[8:]
    ident, size = bits(32), R.choice([8, 512, 1400]) if len(payload) < 2000 else 1400
    made = []
    for at in range(0, len(payload), size):
        part, more = payload[at:at + size], at + size < len(payload)
        if version == 4:
            made.append(ipv4(proto, part, source, at >> 3 | (0x2000 if more else 0), ident & 0xffff))
        else:
            made.append(ipv6(44, struct.pack('!BBHI', proto, 0, at | more, ident) + part, source))
    way = R.random()
    if way < .3:
        R.shuffle(made)
    elif way < .5:
        made.insert(R.randrange(len(made)), R.choice(made))
    elif way < .7:
        del made[R.randrange(len(made))]
    return made


def name():
    """One part of a domain name, or a pointer to another place."""
    return R.choice([b'\0', b'\5local\0', b'\xc0' + R.randbytes(1), b'\3' + noise(5), b'\x3f' + noise(63)])


def multicast():
    """Datagrams for groups: of mDNS, SSDP, and whoever else."""
    asked = struct.pack('!HHHHHH', bits(16), R.choice([0, 0x8400, bits(16)]), bits(2), bits(2), 0, bits(1))
    asked += b''.join(name() + struct.pack('!HH', R.choice([1, 12, 16, 28, 33, 255]), bits(16)) for _ in range(bits(2)))
    data = R.choice([asked, b'M-SEARCH * HTTP/1.1\r\n\r\n', noise(1200)])
    port = R.choice([5353, 1900, PORT])
    if R.random() < .5:
        source, to = ours4(), R.choice([b'\xe0\0\0\xfb', b'\xef\xff\xff\xfa', b'\xe0' + R.randbytes(3)])
        segment = struct.pack('!HHHH', port, port, 8 + len(data), 0) + data
        head = struct.pack('!BBHHHBBH', 0x45, 0, 20 + len(segment), bits(16), 0, R.choice([1, 255]), 17, 0) + source + to
        head = head[:10] + struct.pack('!H', sum16(head)) + head[12:]
        return b'\1\0\x5e' + bytes([to[1] & 127]) + to[2:] + OURS + b'\x08\0' + head + segment
    source, group = ours6(), R.choice([b'\0\0\xfb', b'\0\0\1', R.randbytes(3)])
    to = b'\xff' + R.choice([b'\1', b'\2', b'\5', b'\x0f']) + bytes(11) + group
    segment = struct.pack('!HHHH', port, port, 8 + len(data), 0) + data
    check = sum16(source + to + struct.pack('!IHBB', len(segment), 0, 0, 17) + segment)
    segment = segment[:6] + struct.pack('!H', check) + segment[8:]
    head = struct.pack('!IHBB', 6 << 28, len(segment), 17, R.choice([1, 255])) + source + to
    return b'\x33\x33' + to[12:] + OURS + b'\x86\xdd' + head + segment


def listeners():
    """Who is member of which group: questions and reports of MLD."""
    group = R.choice([bytes(16), b'\xff\2' + bytes(13) + b'\xfb', ours6()])
    kind = R.choice([130, 131, 132, 143])
    message = bytes([kind, 0, 0, 0]) + R.choice([bytes(4), R.randbytes(4)]) + group + R.choice([b'', bytes(4), noise(60)])
    source = b'\xfe\x80' + bytes(13) + b'\1'
    message = message[:2] + struct.pack('!H', sum16(pseudo(source, 58, message) + message)) + message[4:]
    return ipv6(0, b'\x3a\0\5\2\0\0\1\0' + message, source)


def other():
    """What is no frame of IP: tags of VLAN, 802.3, protocols that nobody speaks here."""
    inner = R.choice([ipv4, ipv6])(R.choice([6, 17, 4, 41, 47, 132]), noise(100))[12:]
    return ethernet(R.choice([0x8100, 0x88a8, 0x88cc, 0x8863, 0x8864, 0x0060, 0x05ff, 0x0600, 0x86dd, 0x0800, bits(16)]),
                    R.choice([b'', bytes([0, 5]) + inner, noise(1400), noise(4)]))


def tunnel():
    """A packet in a packet."""
    inner = R.choice([tcp, udp, icmp])()
    return R.choice([ipv4, ipv6])(4 if inner[12:14] == b'\x08\0' else 41, inner[14:])


def answer(frame):
    """Goes on with a connection of which the victim has sent a segment; or something like it."""
    kind = frame[12:14]
    if kind == b'\x08\0' and len(frame) >= 54 and frame[23] == 6:
        body, source, version = frame[14 + (frame[14] & 15) * 4:], frame[30:34], 4
    elif kind == b'\x86\xdd' and len(frame) >= 74 and frame[20] == 6:
        body, source, version = frame[54:], frame[38:54], 6
    elif kind == b'\x08\x06' and len(frame) >= 42 and frame[21] == 1:
        # Who is that? We, unless that is the host itself.
        if frame[41] < 100:
            return None
        return frame[6:12] + OURS + frame[12:20] + b'\0\2' + OURS + frame[38:42] + frame[22:32]
    elif kind == b'\x86\xdd' and len(frame) >= 78 and frame[20] == 58 and frame[54] == 135 and frame[77] >= 100:
        message = b'\x88\0\0\0\x60\0\0\0' + frame[62:78] + b'\2\1' + OURS
        return transport(58, message, 2, 6, frame[62:78])
    else:
        return None
    if len(body) < 20:
        return None
    theirs, port, seq, ack = struct.unpack('!HHII', body[:12])
    if SPARED in (theirs, port):
        return None
    flags = body[13]
    data = len(body) - (body[12] >> 4) * 4
    seq = seq + data + (flags & 3 != 0)
    shift = R.choice([0, 0, 0, 0, 1, -1, 100, 65536, bits(32)])
    gap = R.choice([0, 0, 0, 1, -1, 1400, -3000, 60000, bits(32)])
    flags = R.choice([16, 16, 24, 24, 17, 4, 20, 2, 18, 48, bits(8)])
    data = R.choice([b'', b'GET /file HTTP/1.0\r\n\r\n', noise(1400)])
    return transport(6, segment(port, theirs, ack + gap, seq + shift, flags, data), 16, version, source)


def mutate(frame):
    frame = bytearray(frame)
    for _ in range(R.choice([0, 0, 0, 1, 1, 2, 5])):
        if not frame:
            break
        way = R.random()
        at = R.randrange(len(frame))
        if way < .5:
            frame[at] ^= 1 << R.randrange(8)
        elif way < .7:
            frame[at] = R.choice([0, 255, 1, 127, 128, bits(8)])
        elif way < .85:
            del frame[at:]
        elif way < .95:
            frame += noise(64)
        else:
            frame[at:at] = noise(16)
    return bytes(frame[:1514])


KINDS = [tcp, tcp, tcp, udp, icmp, icmp6, igmp, arp, fragment, multicast, listeners, other, tunnel]


def offload(frame):
    """A header of virtio: what is said to be left to do, right or wrong."""
    if R.random() < .8:
        return bytes(10)
    start = R.choice([34, 54, bits(6)])
    return struct.pack('=BBHHHH', R.choice([0, 1, 2]), R.choice([0, 0, 1, 4, 3]), R.choice([54, 74, bits(8)]),
                       R.choice([0, 1, 500, 1448, bits(11)]), start, R.choice([16, 6, bits(5)]))


def main():
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    raw.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    raw.bind((INTERFACE, 0))
    raw.setblocking(False)
    begin = time.monotonic()
    sent, kinds = 0, {}
    while sent < COUNT and time.monotonic() - begin < float(SECONDS):
        # A little ahead of what the rate allows, or it waits.
        select.select([], [], [], max(0, sent / RATE - (time.monotonic() - begin)))
        frames = []
        for _ in range(8):
            try:
                heard = raw.recv(70000)[10:]
            except BlockingIOError:
                break
            if heard[6:12] == VICTIM and R.random() < .9:
                frames.append(('answer', answer(heard)))
        for kind in R.choices(KINDS, k=4):
            frames.append((kind.__name__, kind()))
        if R.random() < .02:
            frames += [('whole', frame) for frame in whole()]
        for kind, frame in frames:
            if frame is None:
                continue
            frame = mutate(frame) if kind != 'whole' or R.random() < .01 else frame
            try:
                raw.send(offload(frame) + frame)
                sent += 1
                kinds[kind] = kinds.get(kind, 0) + 1
            except BlockingIOError:
                select.select([], [raw], [], 1)
            except OSError:
                # The header makes no sense even to who sends, or the frame is too short.
                pass
    print(sent, 'frames:', *(f'{kind} {count}' for kind, count in sorted(kinds.items())))


main()
