"""Passwords hashed by what apps hash them with, and what is said of bad arguments: the same where OpenSSL and cffi are."""

import hashlib
from collections.abc import Callable
from typing import Any

import argon2
from argon2 import low_level
from argon2.low_level import Type
from fastapi import FastAPI
from passlib.context import CryptContext
from pwdlib import PasswordHash
from werkzeug.security import check_password_hash, generate_password_hash

app = FastAPI()
asked: list[str] = []

# Made by argon2-cffi, Werkzeug and passlib on a server, with their defaults.
BY_ARGON2 = "$argon2id$v=19$m=65536,t=3,p=4$V3yvFtrAcZevl6noQrohXA$Xy/54fXlW+Mqtx2STygiv+lGSOEtPOiUpAMsmUu+IIU"
BY_WERKZEUG = "scrypt:32768:8:1$9djS0vJLeUYjzN3H$6e85ea43c00f20ac69c7382bea21034b88ed24ba9247a82c2d9bc2a0a64034ff27748b45e30c533e3564d971900fc6620beaff6e2b1708498084c394d692486e"
BY_PASSLIB = {
    "argon2": "$argon2id$v=19$m=65536,t=3,p=4$l5LSGsOYU0ppjXFOae09Zw$Q2wA11cFv8JYpgmX1ge7pbF5bGwWp1H9WAIIT95VtAE",
    "scrypt": "$scrypt$ln=16,r=8,p=1$Wktp7d3b2xuD8N67F8K4dw$YXLH414xPEM0ac29V5z19tkKGpu/ydjf5MNj6s+5EJo",
    "pbkdf2_sha1": "$pbkdf2$131000$ac2ZU0qJMQagFGIMYaz1vg$RqaUsiizr1gANDmbp8pV5K4lR/w",
    "pbkdf2_sha256": "$pbkdf2-sha256$29000$WIuRsraWEmJsjRHCOOec0w$vVoIjHhIPjVUOAhGlVsiYALZU6.EB/evxebJP1Rck.g",
    "pbkdf2_sha512": "$pbkdf2-sha512$25000$cU7pHYOQ8n7vnROidO69dw$YlSt7/FYWVXS48Ld1SBZ2D/uOUR/4yhBAyNA1uXGJRU69GfGSmesB6l76Jo/d8gPhk9G/58UnKerkdgn3LU39g",
}


def outcome(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """What comes back, or the exception. The words of a TypeError are the Python version's."""
    try:
        found = function(*args, **named)
    except TypeError:
        return "TypeError"
    except Exception as error:
        kind = ValueError if isinstance(error, ValueError) else type(error)
        return f"{kind.__name__}: {error}"
    return found.hex() if isinstance(found, bytes) else found


@app.get("/pbkdf2")
def pbkdf2() -> list[Any]:
    rfc6070 = [("sha1", b"password", b"salt", 1, 20), ("sha1", b"password", b"salt", 2, 20), ("sha1", b"password", b"salt", 4096, 20)]
    rfc6070 += [("sha1", b"passwordPASSWORDpassword", b"saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096, 25), ("sha1", b"pass\0word", b"sa\0lt", 4096, 16)]
    rfc7914 = [("sha256", b"passwd", b"salt", 1, 64), ("sha256", b"Password", b"NaCl", 80000, 64)]
    names = ["md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "SHA256"]
    shapes: list[Any] = [(b"", b"", 1), (b"x" * 300, bytearray(99), 7, 150), (b"a" * 64, b"b", 100), (memoryview(b"a" * 128), b"b", 2, 129)]
    more = [(name, *shape) for name in names for shape in shapes]
    sound = ("sha256", b"a", b"b")
    bad: list[Any] = [(1, b"", b"", 1), ("sha256", "a", b"", 1), ("sha256", b"", "a", 1), (*sound, 0), (*sound, -1), (*sound, 2**31)]
    bad += [(*sound, 1, 0), (*sound, 1, 2**31), (*sound, 1.0), (*sound, 1, "x")]
    return [outcome(hashlib.pbkdf2_hmac, *case) for case in (*rfc6070, *rfc7914, *more, *bad)]


@app.get("/scrypt")
def scrypt() -> list[Any]:
    rfc7914 = [(b"", b"", 16, 1, 1), (b"password", b"NaCl", 1024, 8, 16), (b"pleaseletmein", b"SodiumChloride", 16384, 8, 1)]
    found = [outcome(hashlib.scrypt, password, salt=salt, n=n, r=r, p=p) for password, salt, n, r, p in rfc7914]
    changes: list[dict[str, Any]] = [{}, {"p": 5, "r": 3}, {"dklen": 1}, {"dklen": 200}, {"n": 2**15}, {"n": 2**14, "r": 16}, {"n": 2**16, "r": 1}]
    changes += [{"n": 2**15, "maxmem": 132 * 2**15 * 8}, {"n": 3}, {"n": 1}, {"n": 0}, {"n": -2}, {"n": 2.0}, {"n": None}, {"n": 2**70}, {"r": 0}]
    changes += [{"p": 0}, {"r": -1}, {"r": 2**30}, {"p": 2**30, "r": 1}, {"maxmem": -1}, {"maxmem": None}, {"dklen": 0}, {"dklen": -1}]
    changes += [{"dklen": "a"}, {"salt": "s"}, {"salt": None}, {"salt": b""}, {"password": "p"}, {"password": b""}, {"password": bytearray(70)}]
    for change in changes:
        named = {"password": b"p", "salt": b"s", "n": 16, "r": 8, "p": 1, **change}
        found.append(outcome(hashlib.scrypt, named.pop("password"), **named))
    return found


@app.get("/argon2/hashes")
def hashes() -> list[Any]:
    sound = {"secret": b"password", "salt": b"somesalt", "time_cost": 2, "memory_cost": 64, "parallelism": 1, "hash_len": 32, "type": Type.ID}
    changes: list[dict[str, Any]] = [{}, {"type": Type.I}, {"type": Type.D}, {"parallelism": 4}, {"version": 16}, {"version": 17}, {"secret": b""}]
    changes += [{"secret": b"a\0b" * 300, "salt": b"s" * 100, "hash_len": 100}, {"memory_cost": 65536, "time_cost": 3, "parallelism": 4}]
    changes += [{"salt": b"short"}, {"hash_len": 3}, {"hash_len": 0}, {"time_cost": 0}, {"memory_cost": 7}, {"parallelism": 0}, {"parallelism": 2**24}]
    changes += [{"hash_len": -1}, {"time_cost": -1}, {"memory_cost": 2**32}, {"time_cost": 1.5}, {"secret": "x"}, {"salt": "saltsalt"}, {"secret": None}]
    functions = [low_level.hash_secret, low_level.hash_secret_raw]
    return [outcome(function, **{**sound, **change}) for function in functions for change in changes]


@app.get("/argon2/verified")
def verified() -> list[Any]:
    made = low_level.hash_secret(b"password", b"somesalt", 2, 64, 1, 32, Type.ID)
    changes = [made[:-1], made + b"=", made.replace(b"m=64", b"m=4"), made.replace(b"p=1", b"p=0"), made.replace(b"v=19", b"v=16"), b"$argon2id$", b"", "x"]
    low = [(made, b"password", Type.ID), (made, b"other", Type.ID), (made, b"password", Type.I), (made, "password", Type.ID)]
    low += [(change, b"password", Type.ID) for change in changes]
    hasher = argon2.PasswordHasher(parallelism=1)
    own = hasher.hash("pässword", salt=b"0123456789abcdef")
    high = [(own, "pässword"), (own, "other"), (BY_ARGON2, "correct horse"), (BY_ARGON2, "other"), ("no hash", "x")]
    found = [outcome(low_level.verify_secret, *case) for case in low] + [outcome(hasher.verify, *case) for case in high]
    return [*found, own, hasher.check_needs_rehash(own), hasher.check_needs_rehash(BY_ARGON2)]


@app.get("/argon2/messages")
def messages() -> list[Any]:
    return [low_level.error_to_str(code) for code in range(-40, 2)] + [low_level.ARGON2_VERSION]


@app.get("/pwdlib")
def by_pwdlib() -> list[bool]:
    recommended = PasswordHash.recommended()
    made = recommended.hash("correct horse")
    return [recommended.verify(password, known) for known in (made, BY_ARGON2) for password in ("correct horse", "other")]


@app.get("/werkzeug")
def by_werkzeug() -> list[Any]:
    kept = [generate_password_hash("correct horse"), generate_password_hash("correct horse", "pbkdf2"), BY_WERKZEUG]
    return [(known.split("$")[0], check_password_hash(known, "correct horse"), check_password_hash(known, "other")) for known in kept]


@app.get("/passlib/{scheme}")
def by_passlib(scheme: str) -> list[bool]:
    context = CryptContext([scheme])
    kept = [context.hash("correct horse"), BY_PASSLIB[scheme]]
    return [context.verify(password, known) for known in kept for password in ("correct horse", "other")]


@app.get("/more-memory-than-there-is/{function}")
def too_much(function: str) -> dict[str, Any]:
    asked.append(function)
    if function == "scrypt":
        found = outcome(hashlib.scrypt, b"p", salt=b"s", n=2**20, r=8, p=1, maxmem=2**31 - 1)
    else:
        found = outcome(low_level.hash_secret, b"p", b"somesalt", 1, 2**20, 1, 32, Type.ID)
    return {"found": found, "asked": asked}
