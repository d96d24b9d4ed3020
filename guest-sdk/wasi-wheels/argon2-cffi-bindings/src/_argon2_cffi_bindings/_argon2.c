/* libargon2 for Python with the names and arguments that cffi would give it: `lib` of _ffi.py. Arrays are buffers, NULL is None. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <argon2.h>

/* As cffi takes a number, with its messages. */
static int uint32(PyObject *number, void *to) {
  if (!PyIndex_Check(number)) {
    PyErr_SetString(PyExc_TypeError, "an integer is required");
    return 0;
  }
  PyObject *index = PyNumber_Index(number);
  if (!index) return 0;
  int overflow;
  long long value = PyLong_AsLongLongAndOverflow(index, &overflow);
  if (overflow < 0 || (!overflow && value < 0)) {
    PyErr_SetString(PyExc_OverflowError, "can't convert negative number to unsigned");
  } else if (overflow || value > UINT32_MAX) {
    PyErr_Format(PyExc_OverflowError, "integer %S does not fit '32-bit unsigned int'", index);
  }
  Py_DECREF(index);
  *(uint32_t *)to = (uint32_t)value;
  return !PyErr_Occurred();
}

/* Some bytes of an array, or nothing: `array` may be None. */
static int part(PyObject *array, Py_ssize_t length, int flags, Py_buffer *to) {
  if (array == Py_None) {
    memset(to, 0, sizeof *to);
    return 1;
  }
  if (PyObject_GetBuffer(array, to, flags)) return 0;
  if (length >= 0 && length <= to->len) return 1;
  PyBuffer_Release(to);
  PyErr_SetString(PyExc_IndexError, "longer than its array");
  return 0;
}

static PyObject *hash(PyObject *module, PyObject *args) {
  uint32_t t_cost, m_cost, parallelism, version;
  PyObject *arrays[4];
  Py_ssize_t lengths[4];
  Py_buffer parts[4];
  int type, held = 0;
  if (!PyArg_ParseTuple(args, "O&O&O&OnOnOnOniO&", uint32, &t_cost, uint32, &m_cost, uint32, &parallelism, &arrays[0],
                        &lengths[0], &arrays[1], &lengths[1], &arrays[2], &lengths[2], &arrays[3], &lengths[3], &type,
                        uint32, &version)) return NULL;
  while (held < 4 && part(arrays[held], lengths[held], held < 2 ? PyBUF_SIMPLE : PyBUF_WRITABLE, &parts[held])) held++;
  PyObject *code = NULL;
  if (held == 4) {
    code = PyLong_FromLong(argon2_hash(t_cost, m_cost, parallelism, parts[0].buf, lengths[0], parts[1].buf, lengths[1],
                                       parts[2].buf, lengths[2], parts[3].buf, lengths[3], type, version));
  }
  while (held) PyBuffer_Release(&parts[--held]);
  return code;
}

static PyObject *verify(PyObject *module, PyObject *args) {
  Py_buffer encoded, password;
  PyObject *array;
  Py_ssize_t length;
  int type;
  if (!PyArg_ParseTuple(args, "y*Oni", &encoded, &array, &length, &type)) return NULL;
  PyObject *code = NULL;
  if (!encoded.len || ((const char *)encoded.buf)[encoded.len - 1]) {
    PyErr_SetString(PyExc_ValueError, "a string without its end");
  } else if (part(array, length, PyBUF_SIMPLE, &password)) {
    code = PyLong_FromLong(argon2_verify(encoded.buf, password.buf, length, type));
    PyBuffer_Release(&password);
  }
  PyBuffer_Release(&encoded);
  return code;
}

static PyObject *encodedlen(PyObject *module, PyObject *args) {
  uint32_t numbers[5];
  int type;
  if (!PyArg_ParseTuple(args, "O&O&O&O&O&i", uint32, &numbers[0], uint32, &numbers[1], uint32, &numbers[2], uint32,
                        &numbers[3], uint32, &numbers[4], &type)) return NULL;
  return PyLong_FromSize_t(argon2_encodedlen(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], type));
}

static PyObject *error_message(PyObject *module, PyObject *code) {
  long number = PyLong_AsLong(code);
  return number == -1 && PyErr_Occurred() ? NULL : PyBytes_FromString(argon2_error_message((int)number));
}

static PyMethodDef METHODS[] = {
  {"argon2_hash", hash, METH_VARARGS, NULL},
  {"argon2_verify", verify, METH_VARARGS, NULL},
  {"argon2_encodedlen", encodedlen, METH_VARARGS, NULL},
  {"argon2_error_message", error_message, METH_O, NULL},
  {NULL, NULL, 0, NULL},
};

static const struct {
  const char *name;
  long value;
} CONSTANTS[] = {
#define CONSTANT(name) {#name, name}
  CONSTANT(Argon2_d), CONSTANT(Argon2_i), CONSTANT(Argon2_id), CONSTANT(ARGON2_VERSION_10), CONSTANT(ARGON2_VERSION_13),
  CONSTANT(ARGON2_VERSION_NUMBER), CONSTANT(ARGON2_OK), CONSTANT(ARGON2_VERIFY_MISMATCH),
  CONSTANT(ARGON2_MEMORY_ALLOCATION_ERROR), CONSTANT(ARGON2_DECODING_FAIL), CONSTANT(ARGON2_INCORRECT_PARAMETER),
};

static int exec(PyObject *module) {
  for (size_t i = 0; i < sizeof CONSTANTS / sizeof *CONSTANTS; i++) {
    if (PyModule_AddIntConstant(module, CONSTANTS[i].name, CONSTANTS[i].value)) return -1;
  }
  return 0;
}

static PyModuleDef_Slot SLOTS[] = {{Py_mod_exec, exec}, {0, NULL}};
static PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, .m_name = "_argon2", .m_methods = METHODS, .m_slots = SLOTS};

PyMODINIT_FUNC PyInit__argon2(void) { return PyModuleDef_Init(&MODULE); }
