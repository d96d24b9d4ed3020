/* What takes long of the two functions of hashlib that CPython leaves to OpenSSL: PBKDF2's rounds (RFC 8018) and scrypt's
 * mixing (RFC 7914), by pycryptodome's code. The rest of them is Python: fasterapi/_build/hash_stand_in.py. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "errors.h"

/* NAME_rounds(): the XOR of `iterations` HMACs, of which `first` is the first; `inner` and `outer` are the padded key. */
#define ROUNDS(NAME, OF_INIT, INIT, OF_ASSIST, ASSIST)                                                           \
  typedef struct NAME##_state NAME##_state;                                                                      \
  int NAME##_init(NAME##_state **OF_INIT);                                                                       \
  int NAME##_update(NAME##_state *, const uint8_t *, size_t);                                                    \
  int NAME##_destroy(NAME##_state *);                                                                            \
  int NAME##_pbkdf2_hmac_assist(const NAME##_state *, const NAME##_state *, const uint8_t *, uint8_t *, size_t OF_ASSIST); \
  static int NAME##_rounds(const Py_buffer *inner, const Py_buffer *outer, const uint8_t *first, uint8_t *mixed, \
                           size_t iterations) {                                                                  \
    NAME##_state *in = NULL, *out = NULL;                                                                        \
    int failed = NAME##_init(&in INIT) || NAME##_init(&out INIT) ||                                              \
                 NAME##_update(in, inner->buf, inner->len) || NAME##_update(out, outer->buf, outer->len) ||      \
                 NAME##_pbkdf2_hmac_assist(in, out, first, mixed, iterations ASSIST);                            \
    NAME##_destroy(in);                                                                                          \
    NAME##_destroy(out);                                                                                         \
    return failed;                                                                                               \
  }
#define SIZE(n) , n

ROUNDS(MD5, , , , )
ROUNDS(SHA1, , , , )
ROUNDS(SHA224, , , SIZE(size_t), SIZE(28))
ROUNDS(SHA256, , , SIZE(size_t), SIZE(32))
ROUNDS(SHA384, , , SIZE(size_t), SIZE(48))
ROUNDS(SHA512, SIZE(size_t), SIZE(64), SIZE(size_t), SIZE(64))

static const struct {
  const char *name;
  Py_ssize_t digest, block;
  int (*rounds)(const Py_buffer *, const Py_buffer *, const uint8_t *, uint8_t *, size_t);
} DIGESTS[] = {
  {"md5", 16, 64, MD5_rounds},        {"sha1", 20, 64, SHA1_rounds},      {"sha224", 28, 64, SHA224_rounds},
  {"sha256", 32, 64, SHA256_rounds},  {"sha384", 48, 128, SHA384_rounds}, {"sha512", 64, 128, SHA512_rounds},
};

static PyObject *rounds_by(const char *name, const Py_buffer *inner, const Py_buffer *outer, const Py_buffer *first,
                           size_t iterations) {
  for (size_t i = 0; i < sizeof DIGESTS / sizeof *DIGESTS; i++) {
    if (strcmp(name, DIGESTS[i].name)) continue;
    if (inner->len != DIGESTS[i].block || outer->len != DIGESTS[i].block || first->len != DIGESTS[i].digest) break;
    PyObject *mixed = PyBytes_FromStringAndSize(NULL, DIGESTS[i].digest);
    if (mixed && DIGESTS[i].rounds(inner, outer, first->buf, (uint8_t *)PyBytes_AS_STRING(mixed), iterations)) {
      Py_CLEAR(mixed);
      PyErr_NoMemory();
    }
    return mixed;
  }
  return PyErr_Format(PyExc_ValueError, "no rounds of %s with these lengths", name);
}

static PyObject *pbkdf2_rounds(PyObject *module, PyObject *args) {
  const char *name;
  Py_buffer inner, outer, first;
  Py_ssize_t iterations;
  if (!PyArg_ParseTuple(args, "sy*y*y*n", &name, &inner, &outer, &first, &iterations)) return NULL;
  PyObject *mixed = rounds_by(name, &inner, &outer, &first, iterations);
  PyBuffer_Release(&inner);
  PyBuffer_Release(&outer);
  PyBuffer_Release(&first);
  return mixed;
}

int scryptROMix(const uint8_t *, uint8_t *, size_t, unsigned, size_t, size_t, size_t);

static PyObject *scrypt_mix(PyObject *module, PyObject *args) {
  Py_buffer blocks;
  Py_ssize_t size, n;
  if (!PyArg_ParseTuple(args, "y*nn", &blocks, &size, &n)) return NULL;
  PyObject *mixed = PyBytes_FromStringAndSize(NULL, blocks.len);
  if (mixed && size > 0) {
    uint8_t *to = (uint8_t *)PyBytes_AS_STRING(mixed);
    int error = scryptROMix(blocks.buf, to, size, n, 0, blocks.len / size, blocks.len);
    if (error) Py_CLEAR(mixed);
    if (error == ERR_MEMORY) PyErr_NoMemory();
    else if (error) PyErr_SetString(PyExc_ValueError, "not scrypt's blocks");
  }
  PyBuffer_Release(&blocks);
  return mixed;
}

static PyMethodDef METHODS[] = {
  {"pbkdf2_rounds", pbkdf2_rounds, METH_VARARGS, NULL},
  {"scrypt_mix", scrypt_mix, METH_VARARGS, NULL},
  {NULL, NULL, 0, NULL},
};

static PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, .m_name = "_fasterapi_kdf", .m_size = 0, .m_methods = METHODS};

PyMODINIT_FUNC PyInit__fasterapi_kdf(void) { return PyModuleDef_Init(&MODULE); }
