# SPDX-License-Identifier: Apache-2.0
"""Makes MCUboot images, written from its document "Boot Loader" (section "Image Format") without a look at what checks
them: mcuboot_make.py DIRECTORY writes the images as raw binaries, and DIRECTORY/keys/*.pub as openssl would.

Signatures come from libsodium through ctypes; keys are made from seeds, so that two runs give the same files."""
import base64
import ctypes
import hashlib
import pathlib
import struct
import sys

SODIUM = ctypes.CDLL("libsodium.so.23")
assert SODIUM.sodium_init() >= 0


class Key:
    def __init__(self, seed):
        self.public, self.secret = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_seed_keypair(self.public, self.secret, hashlib.sha256(seed).digest())
        # SubjectPublicKeyInfo: a sequence of the algorithm id-Ed25519 and a bit string
        self.info = bytes.fromhex("302a" "3005" "06032b6570" "0321" "00") + self.public.raw

    def sign(self, message):
        signature = ctypes.create_string_buffer(64)
        SODIUM.crypto_sign_detached(signature, None, message, ctypes.c_ulonglong(len(message)), self.secret)
        return signature.raw

    def pem(self):
        return f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(self.info).decode()}\n-----END PUBLIC KEY-----\n"


def tlv(kind, value):
    return struct.pack("<BxH", kind, len(value)) + value


def area(magic, *tlvs):
    body = b"".join(tlvs)
    return struct.pack("<HH", magic, 4 + len(body)) + body


def make(key, application, header_size=32, version=(1, 2, 3, 4), flags=0, protected=(), hash_tlv=None, more=(),
         sign=True, identify="hash", signature_kind=0x24, slack=b""):
    """The parts can be replaced one by one, to make what must be refused."""
    protection = area(0x6908, *protected) + slack if protected else b""
    header = struct.pack("<IIHHII", 0x96F3B83D, 0, header_size, len(protection), len(application), flags)
    header += struct.pack("<BBHI", *version) + struct.pack("<I", 0)
    signed = header.ljust(header_size, b"\0") + application + protection
    digest = hashlib.sha256(signed).digest()
    tlvs = [tlv(0x10, digest) if hash_tlv is None else hash_tlv]
    if sign:
        who = tlv(0x01, hashlib.sha256(key.info).digest()) if identify == "hash" else tlv(0x02, key.info)
        tlvs += [who, tlv(signature_kind, key.sign(digest))]
    return signed + area(0x6907, *tlvs, *more)


def images(board, other):
    """name: (bytes)"""
    application = hashlib.shake_128(b"application").digest(700)
    counter = tlv(0x50, struct.pack("<I", 7))
    yield "good", make(board, application, header_size=64, protected=[counter])
    yield "plain", make(board, application)
    yield "full-key", make(board, application, identify="full", protected=[counter, tlv(0x40, bytes(12))])
    yield "unsigned", make(board, application, sign=False)
    yield "other-key", make(other, application)
    yield "rsa", make(board, application, signature_kind=0x20)
    yield "ecdsa", make(board, application, signature_kind=0x22)
    yield "no-hash", make(board, application, hash_tlv=b"")
    yield "sha512", make(board, application, hash_tlv=tlv(0x12, hashlib.sha512(application).digest()))
    yield "loose-counter", make(board, application, more=[counter])
    yield "two-counters", make(board, application, protected=[counter, counter])
    yield "encrypted", make(board, application, flags=0x04)
    yield "compressed", make(board, application, flags=0x400)
    yield "slack", make(board, application, protected=[counter], slack=counter)
    good = make(board, application)
    yield "loose-signature", make(board, application, more=[good[-68:]])
    two = tlv(0x10, hashlib.sha256(b"").digest())
    yield "two-hashes", make(board, application, more=[two])
    # Two signatures: one by a stranger and one by us is what a key change looks like.
    stranger = make(other, application)
    extra = stranger[stranger.rindex(struct.pack("<BxH", 0x01, 32)):]
    yield "both-keys", make(board, application, more=[extra])


def main():
    directory = pathlib.Path(sys.argv[1])
    board, other = Key(b"board"), Key(b"other")
    (directory / "keys").mkdir()
    (directory / "keys" / "board.pub").write_text(board.pem())
    for name, content in images(board, other):
        (directory / f"{name}.bin").write_bytes(content)


main()
