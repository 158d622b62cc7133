#!/usr/bin/env python3
"""test.py BINARY SHIM: after start, the service itself does not call malloc.

Starts mayfly with malloc_count.so preloaded, warms up, takes the counts, sends some thousand
requests of every kind, and takes them again. Between the two no allocation may come from the
program, or from jansson, zlib, zstd or PCRE2, be it directly or through libc; what libmicrohttpd allocates
for a connection and a reply is listed, and must all be given back.

First the shim itself is tried on malloc_maker, which stands beside it: what it does must be seen,
and must fail the same judgement.
"""

import gzip
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time

WARM_UP = 300
REQUESTS = 2000

# Until connections that clients left in the middle are closed too.
SETTLE_SECONDS = 1

# Who may allocate while it serves, and through whom libc may.
MAY_ALLOCATE = re.compile(r'libmicrohttpd\.so|libc\.so|ld-linux|linux-vdso|libpthread')
ALLOCATING = ['allocations', 'reallocations', 'mappings', 'via_libc']


# ---- the shim's table ----

def read_table(path):
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip('\n').split('\t') for line in file]
    names = lines[0][1:]
    return {line[0]: dict(zip(names, map(int, line[1:]))) for line in lines[1:] if len(line) > 2}


def take_table(process, path):
    """The counts at this moment."""
    if os.path.exists(path):
        os.unlink(path)
    process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 10
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError('the shim wrote no table')
        time.sleep(0.01)
    return read_table(path)


def difference(before, after):
    return {name: {figure: row[figure] - before.get(name, {}).get(figure, 0) for figure in row}
            for name, row in after.items()}


def offenders(table):
    """Rows of objects that must not allocate, but did."""
    return {name: row for name, row in table.items()
            if not MAY_ALLOCATE.search(name) and any(row[figure] for figure in ALLOCATING)}


def net(table):
    """Allocations that were not given back, of all objects together."""
    return sum(row['allocations'] - row['frees'] for row in table.values())


def net_mappings(table):
    return sum(row['mappings'] - row['unmappings'] for row in table.values())


def shim_environment(shim, path):
    return dict(os.environ, LD_PRELOAD=os.path.abspath(shim), MALLOC_COUNT_FILE=path)


def check_shim(shim, folder):
    """What malloc_maker does is seen, to the number."""
    path = os.path.join(folder, 'maker')
    maker = os.path.join(os.path.dirname(os.path.abspath(shim)), 'malloc_maker')
    subprocess.run([maker], env=shim_environment(shim, path), check=True)
    row = read_table(path)['malloc_maker']
    expected = {'allocations': 8, 'reallocations': 1, 'frees': 7, 'mappings': 1, 'unmappings': 0,
                'via_libc': 3}
    if row != expected:
        raise AssertionError(f'the shim saw {row}, but malloc_maker did {expected}')
    if 'malloc_maker' not in offenders(read_table(path)):
        raise AssertionError('the judgement lets a program pass that allocates')


# ---- requests ----

def zstd(data):
    """One frame with one raw block: zstd's format without its library."""
    assert len(data) < 256
    header = (len(data) << 3) | 1
    return b'\x28\xb5\x2f\xfd\x20' + bytes([len(data)]) + header.to_bytes(3, 'little') + data


TEXT = b'# TYPE hits counter\n# HELP hits What was hit.\n' + b''.join(
    b'hits{b="2",a="%d"} 1\n' % i for i in range(20))
CLASSIC = b'# TYPE t histogram\nt_bucket{le="1"} 1\nt_bucket{le="+Inf"} 2\nt_sum 3\nt_count 2\n'
NDJSON = (b'{"name":"seconds","kind":"histogram","labels":{"route":"/a\\n"},"values":[0.1,2,30]}\n'
          b'{"name":"users","kind":"set","value":"x"}\n{"name":"up","value":1}\n')
ARRAY = b'[{"name":"up","value":1},{"name":"hits2","kind":"counter","value":2}]'
SHORT = b'up 1\nplain{a="1"} 2\n'


def request(method, target, body=None, **headers):
    lines = [f'{method} {target} HTTP/1.1', 'Host: x']
    lines += [f'{name.replace("_", "-")}: {value}' for name, value in headers.items()]
    if body is not None:
        lines.append(f'Content-Length: {len(body)}')
    return ('\r\n'.join(lines) + '\r\n\r\n').encode() + (body or b'')


def push(body, target='/v1/push', **headers):
    return request('POST', target, body, **headers)


OPENMETRICS = 'application/openmetrics-text; version=1.0.0'

# (expected status, bytes)
KINDS = [
    (200, push(TEXT, Content_Type='text/plain')),
    (200, push(TEXT + b'# EOF\n', Content_Type=OPENMETRICS)),
    (200, push(CLASSIC)),
    (200, push(NDJSON, Content_Type='application/x-ndjson')),
    (200, push(NDJSON)),
    (200, push(ARRAY, Content_Type='application/json')),
    (200, push(gzip.compress(TEXT), Content_Encoding='gzip')),
    (200, push(gzip.compress(NDJSON), Content_Encoding='gzip',
               Content_Type='application/x-ndjson')),
    (200, push(zstd(SHORT), Content_Encoding='zstd')),
    (200, push(TEXT, '/v1/push?atomic=1')),
    (200, push(ARRAY, '/v1/push?atomic=1', Content_Type='application/json')),
    (200, push(gzip.compress(TEXT), '/v1/push?atomic=1', Content_Encoding='gzip')),
    (200, push(SHORT, '/metrics/job/j/instance/a%2Fb')),
    (200, push(SHORT, '/metrics/job@base64/ag')),
    (200, request('POST', '/v1/push', None, Transfer_Encoding='chunked')
     + b'5\r\nup 1\n\r\n0\r\n\r\n'),
    (200, request('GET', '/metrics')),
    (200, request('GET', '/metrics', Accept_Encoding='gzip')),
    (200, request('GET', '/metrics', Accept=OPENMETRICS)),
    (200, request('GET', '/metrics', Accept=OPENMETRICS, Accept_Encoding='gzip')),
    (200, request('GET', '/metrics?scope=self')),
    (200, request('GET', '/memory')),
    (200, request('GET', '/memory?format=prometheus')),
    (200, request('GET', '/memory/holders')),
    (200, request('GET', '/v1/series?match=a=1&limit=5')),
    (200, request('GET', '/v1/series?metric=hits')),
    (200, request('GET', '/v1/series?match=a=~1.*|(2|3)*')),
    (200, request('GET', '/v1/labels?match=__name__!~hits.*')),
    (200, request('DELETE', '/v1/series?match=__name__=~hits[2-9]%2B')),
    (422, request('GET', '/v1/series?match=a!~x&match=b!~(2%2B)%2B%24&match=c=~((%3FR)|x)')),
    (200, request('GET', '/v1/labels')),
    (200, request('GET', '/v1/labels/a/values')),
    (200, request('GET', '/v1/cardinality')),
    (200, request('DELETE', '/v1/series?metric=hits2')),
    (200, request('GET', '/v1/config')),
    (200, request('GET', '/healthz')),
    (200, request('GET', '/readyz')),
    (200, request('HEAD', '/healthz')),
    (404, request('GET', '/nothing')),
    (405, request('GET', '/v1/push')),
    (400, push(b'up{ 1\nup 2\n')),
    (400, push(b'up 1\n', '/v1/push?atomic=maybe')),
    (400, push(b'[{"name":"up","value":1}', Content_Type='application/json')),
    (400, push(b'{"name":"up","value":"x"}\n', Content_Type='application/x-ndjson')),
    (400, push(gzip.compress(TEXT)[:-9], Content_Encoding='gzip')),
    (400, push(b'not gzip', Content_Encoding='gzip')),
    (400, push(b'not zstd', Content_Encoding='zstd')),
    (415, push(SHORT, Content_Encoding='br')),
    (415, push(SHORT, Content_Type='image/png')),
    (400, request('GET', '/v1/series?match=a=~(b')),
    (414, request('GET', '/' + 'x' * 3000)),
]


class Client:
    """A connection that is kept, and made again when the server ends it."""

    def __init__(self, address):
        self.address = address
        self.socket = None

    def send(self, data):
        """The status and whether the connection goes on."""
        if self.socket is None:
            self.socket = socket.create_connection(self.address, timeout=10)
        self.socket.sendall(data)
        status, keep = self.receive(data.startswith(b'HEAD'))
        if not keep:
            self.close()
        return status

    def receive(self, is_head):
        file = self.socket.makefile('rb')
        line = file.readline()
        if not line:
            raise ConnectionError('closed without a reply')
        headers = {}
        while (header := file.readline().strip()):
            name, _, value = header.partition(b':')
            headers[name.lower()] = value.strip().lower()
        if not is_head:
            self.read_body(file, headers)
        file.close()
        return int(line.split()[1]), headers.get(b'connection') != b'close'

    @staticmethod
    def read_body(file, headers):
        if headers.get(b'transfer-encoding') == b'chunked':
            while (size := int(file.readline().split(b';')[0], 16)) > 0:
                file.read(size + 2)
            while file.readline().strip():
                pass
        else:
            file.read(int(headers.get(b'content-length', 0)))

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def too_many_headers(address):
    """libmicrohttpd refuses this below the request: 431."""
    client = Client(address)
    fields = {f'X-{i}': 'y' * 1000 for i in range(60)}
    try:
        status = client.send(request('GET', '/metrics', **fields))
    except (ConnectionError, BrokenPipeError):
        status = 431  # ended before all was sent: the reply was lost, not the refusal
    client.close()
    return status


def half_a_body(address):
    """A client that goes away in the middle."""
    with socket.create_connection(address, timeout=10) as half:
        half.sendall(request('POST', '/v1/push', None, Content_Length=1000) + SHORT)


def mixed_requests(address, count):
    client = Client(address)
    wrong = set()
    for i in range(count):
        expected, data = KINDS[i % len(KINDS)]
        status = client.send(data)
        if status != expected:
            wrong.add(f'{status} instead of {expected}: {data[:60]!r}')
        if i % 100 == 7:
            client.close()
        if i % 50 == 11 and too_many_headers(address) != 431:
            wrong.add('not 431: too many headers')
        if i % 50 == 31:
            half_a_body(address)
    client.close()
    if wrong:
        raise AssertionError('unexpected replies:\n  ' + '\n  '.join(sorted(wrong)))


# ---- the service ----

def start(binary, shim, path):
    process = subprocess.Popen(
        [binary, '--listen', '127.0.0.1:0', '--operator-listen', '127.0.0.1:0'],
        env=shim_environment(shim, path), stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        match = re.search(r'msg=listening listen=(\S+):(\d+) operator_listen=(\S+):(\d+)', line)
        if match:
            host, port, operator_host, operator_port = match.groups()
            return process, (host, int(port)), (operator_host, int(operator_port))
    raise RuntimeError('mayfly did not begin to listen')


def run_round(addresses, count):
    """Requests on both listeners; afterwards nobody is connected and the ticker has run."""
    data, operator = addresses
    mixed_requests(data, count)
    client = Client(operator)
    for target in ['/memory', '/memory?format=prometheus', '/healthz', '/metrics?scope=self'] * 10:
        if client.send(request('GET', target)) != 200:
            raise AssertionError(f'the operator listener refused {target}')
    client.close()
    time.sleep(SETTLE_SECONDS)


def report(table, requests):
    print(f'{"object":24} {"calls a request":>16} {"via libc":>10} {"frees":>10}')
    for name, row in sorted(table.items()):
        calls = row['allocations'] + row['reallocations'] + row['mappings']
        if calls or row['via_libc'] or row['frees']:
            print(f'{name:24} {calls / requests:16.2f} {row["via_libc"] / requests:10.2f} '
                  f'{row["frees"] / requests:10.2f}')


def judge(table, requests):
    problems = [f'{name} allocates: {row}' for name, row in sorted(offenders(table).items())]
    if net(table) > 0:
        problems.append(f'{net(table)} allocations were not given back in {requests} requests')
    if net_mappings(table) > 0:
        problems.append(f'{net_mappings(table)} mappings were not given back')
    return problems


def main(arguments):
    if len(arguments) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    binary, shim = arguments
    with tempfile.TemporaryDirectory() as folder:
        check_shim(shim, folder)
        path = os.path.join(folder, 'table')
        process, *addresses = start(binary, shim, path)
        try:
            run_round(addresses, WARM_UP)
            before = take_table(process, path)
            run_round(addresses, REQUESTS)
            steady = difference(before, take_table(process, path))
        finally:
            process.terminate()
            rest = process.communicate(timeout=30)[1]
    report(steady, REQUESTS)
    problems = judge(steady, REQUESTS)
    if process.returncode != 0:
        problems.append(f'it ended with {process.returncode}:\n{rest}')
    for problem in problems:
        print(problem)
    print(f'{REQUESTS} requests, {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
