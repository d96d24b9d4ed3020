// Makes what a component's snapshot holds immortal (PEP 683), so that counting references to it writes nothing.
//
// Every instance begins as the same pages of memory, and has a page for itself as soon as it writes there. A count that
// goes up and down again leaves a page as it was, but no longer shared.

#include "heap.h"

#include <stdlib.h>

// What is still to be walked through.
static PyObject **waiting;
static size_t used, room;

static int await_turn(PyObject *object) {
    if (used == room) {
        room = room ? room * 2 : 1 << 14;
        waiting = realloc(waiting, room * sizeof *waiting);
        if (waiting == NULL) {
            abort();  // A build may end here; nothing of an app has run in what would be left.
        }
    }
    waiting[used++] = object;
    return 0;
}

// Whether its end is an event: a generator, a task, a file, an instance with `__del__`.
static int is_finalized(PyObject *object) {
    return Py_TYPE(object)->tp_finalize != NULL || Py_TYPE(object)->tp_del != NULL;
}

static int visit(PyObject *object, void *unused) {
    (void)unused;
    if (object == NULL || _Py_IsImmortal(object) || is_finalized(object)) {
        return 0;
    }
    object->ob_refcnt = _Py_IMMORTAL_INITIAL_REFCNT;
    return await_turn(object);
}

// Code is no container to the garbage collector, but holds objects all the same.
static void visit_code(PyCodeObject *code) {
    PyObject *held[] = {
        code->co_consts, code->co_names, code->co_localsplusnames, code->co_localspluskinds, code->co_exceptiontable,
        code->co_filename, code->co_name, code->co_qualname, code->co_linetable,
    };
    for (size_t n = 0; n < sizeof held / sizeof *held; n++) {
        visit(held[n], NULL);
    }
}

static void walk(void) {
    while (used > 0) {
        PyObject *object = waiting[--used];
        PyTypeObject *type = Py_TYPE(object);
        visit((PyObject *)type, NULL);
        if (type->tp_traverse != NULL) {
            type->tp_traverse(object, visit, NULL);
        }
        if (PyCode_Check(object)) {
            visit_code((PyCodeObject *)object);
        }
    }
}

// A container, and what can be reached from it. One that stays mortal is walked through as well.
static int visit_root(PyObject *object, void *unused) {
    visit(object, unused);
    await_turn(object);
    walk();
    return 1;
}

static PyObject *immortalize(PyObject *module, PyObject *mortal) {
    (void)module;
    if (!PyList_CheckExact(mortal)) {
        PyErr_SetString(PyExc_TypeError, "a list of what stays mortal is wanted");
        return NULL;
    }
    Py_ssize_t length = PyList_GET_SIZE(mortal);
    Py_ssize_t *counts = malloc((size_t)(length + 1) * sizeof *counts);
    if (counts == NULL) {
        return PyErr_NoMemory();
    }
    for (Py_ssize_t n = 0; n < length; n++) {
        counts[n] = Py_REFCNT(PyList_GET_ITEM(mortal, n));
    }
    counts[length] = Py_REFCNT(mortal);
    PyUnstable_GC_VisitObjects(visit_root, NULL);
    for (Py_ssize_t n = 0; n < length; n++) {
        PyList_GET_ITEM(mortal, n)->ob_refcnt = counts[n];
    }
    mortal->ob_refcnt = counts[length];
    free(counts);
    free(waiting);
    waiting = NULL;
    room = 0;
    Py_RETURN_NONE;
}

static PyMethodDef functions[] = {
    {"immortalize", immortalize, METH_O,
     "Makes all objects immortal but those in this list, and those whose end would be noticed."},
    {"use_heap", use_heap, METH_NOARGS, "Has Python take small blocks of memory from a heap of their own."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_fasterapi_snapshot", .m_size = -1, .m_methods = functions,
};

__attribute__((visibility("default"))) PyMODINIT_FUNC PyInit__fasterapi_snapshot(void) {
    return PyModule_Create(&definition);
}
