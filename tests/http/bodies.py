"""bodies.py: request bodies, good and bad. Names are the caller's, so that tests do not meet in the store."""
import json
import subprocess
import zlib


def counters(name, count, value=1):
    """`count` series of a counter, their label going up."""
    lines = [f'{name}_total{{i="{i}"}} {value}\n' for i in range(count)]
    return "".join(lines).encode()


def ndjson(*samples):
    return "".join(json.dumps(sample) + "\n" for sample in samples).encode()


def json_array(*samples):
    return json.dumps(samples).encode()


def gzip(data, level=6):
    packer = zlib.compressobj(level, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def zstd(data, *arguments):
    command = ["zstd", "--quiet", "--stdout", *arguments]
    return subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout


def gzip_repeated(byte, count):
    """`count` times the same byte, made and compressed a piece at a time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = byte * (1 << 20)
    parts = [packer.compress(piece) for _ in range(count >> 20)]
    return b"".join(parts) + packer.compress(byte * (count & ((1 << 20) - 1))) + packer.flush()
