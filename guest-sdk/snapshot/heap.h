#include <Python.h>

// Has Python take small blocks of memory from this heap from now on. What was taken before goes back to where it came from.
PyObject *use_heap(PyObject *module, PyObject *unused);
