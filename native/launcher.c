/* Calls kernels from CPython in a fraction of a microsecond.
 *
 * This is an extension module written without Python.h, because the compilers it is built
 * by (Debian's gcc, the zig wheel) come without it: launcher_cpython.h stands for it. Two
 * things go beyond the letter of the stable ABI, and are checked when the module is set
 * up, before anything relies on them:
 *
 *  - that `ob_type` lies behind the reference count (true of every build with a GIL), and
 *  - that an ndarray's fields lie where NumPy's own C ABI puts them, which every compiled
 *    user of NumPy 1.x and 2.x inlines. Where that check fails, the buffer protocol is
 *    used: right, and slower by about 0.1 us per array. */
#include "launcher_cpython.h"
#include "launcher_fast.h"
#include "launcher_record.h"
#include "opslib_abi.h"

#include <stddef.h>
#include <stdlib.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- launch: the general path ------------------------------------------------------- */

static PyObject *launch(PyObject *self, PyObject *const *args, Py_ssize_t count) {
    (void)self;
    record r = {0};
    char *ints, *reals;
    Py_ssize_t ints_size, reals_size;
    if (count != 6) {
        PyErr_SetString(PyExc_TypeError, "launch(kernel, context, pointers, ints, reals, "
                                         "release_gil) takes 6 arguments");
        return NULL;
    }
    r.kernel = (ops_kernel)(uintptr_t)PyLong_AsUnsignedLongLong(args[0]);
    r.context = (ops_context_provider)(uintptr_t)PyLong_AsUnsignedLongLong(args[1]);
    if (PyErr_Occurred() || PyBytes_AsStringAndSize(args[3], &ints, &ints_size) != 0 ||
        PyBytes_AsStringAndSize(args[4], &reals, &reals_size) != 0)
        return NULL;
    if (r.kernel == NULL || r.context == NULL || ints_size % 8 || reals_size % 8) {
        PyErr_SetString(PyExc_ValueError, "an address is 0, or ints or reals is no "
                                          "multiple of 8 bytes");
        return NULL;
    }
    /* A bytes object's data follows a header of four words, so it is aligned to 8. */
    r.ints = (int64_t *)(void *)ints;
    r.reals = (double *)(void *)reals;
    int release_gil = PyObject_IsTrue(args[5]);
    PyObject *pointers = release_gil < 0 ? NULL : PySequence_Tuple(args[2]);
    if (pointers == NULL)
        return NULL;
    Py_ssize_t total = PyTuple_Size(pointers), held = 0;
    void **buffers = malloc(((size_t)total + 1) * sizeof *buffers);
    Py_buffer *views = malloc(((size_t)total + 1) * sizeof *views);
    PyObject *result = NULL;
    if (buffers == NULL || views == NULL) {
        PyErr_NoMemory();
        goto done;
    }
    for (Py_ssize_t i = 0; i < total; i++) {
        PyObject *item = PyTuple_GetItem(pointers, i);
        if (item == None) {
            buffers[i] = NULL;
            continue;
        }
        if (read_fields && item->ob_type == ndarray_type) {
            buffers[i] = ((ndarray *)item)->data;
            continue;
        }
        unsigned long long address = PyLong_AsUnsignedLongLong(item);
        if (!PyErr_Occurred()) {
            buffers[i] = (void *)(uintptr_t)address;
            continue;
        }
        PyErr_Clear();
        if (PyObject_GetBuffer(item, &views[held], PyBUF_STRIDES) != 0)
            goto done;
        buffers[i] = views[held++].buf;
    }
    int code;
    if (release_gil) {
        void *state = PyEval_SaveThread();
        code = run(&r, buffers);
        PyEval_RestoreThread(state);
    } else {
        code = run(&r, buffers);
    }
    result = PyLong_FromLong(code);
done:
    while (held > 0)
        PyBuffer_Release(&views[--held]);
    free(buffers);
    free(views);
    Py_DecRef(pointers);
    return result;
}

static PyObject *last_error(PyObject *self, PyObject *address) {
    (void)self;
    ops_context_provider provider =
        (ops_context_provider)(uintptr_t)PyLong_AsUnsignedLongLong(address);
    if (PyErr_Occurred())
        return NULL;
    ops_context *ctx = provider == NULL ? NULL : provider();
    if (ctx == NULL)
        return PyErr_NoMemory();
    return Py_BuildValue("LLLL", (long long)ctx->error[0], (long long)ctx->error[1],
                         (long long)ctx->error[2], (long long)ctx->error[3]);
}

/* ---- setting up --------------------------------------------------------------------- */

/* configure(ndarray, sample, fields) -> bool: whether fields are read directly. */
static PyObject *configure(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *type, *sample;
    Py_buffer view;
    int wanted;
    if (!PyArg_ParseTuple(args, "OOp:configure", &type, &sample, &wanted))
        return NULL;
    PyObject *dtype = PyObject_GetAttr(sample, dtype_name);
    if (dtype == NULL)
        return NULL;
    if (PyObject_GetBuffer(sample, &view, PyBUF_STRIDES) != 0) {
        Py_DecRef(dtype);
        return NULL;
    }
    ndarray *a = (ndarray *)sample;
    int same = wanted && sample->ob_type == type && a->data == view.buf &&
               a->nd == view.ndim && a->descr == dtype;
    /* The pointers are followed only once their neighbours have proved right. */
    for (int d = 0; same && d < view.ndim; d++)
        same = a->dimensions[d] == view.shape[d] && a->strides[d] == view.strides[d];
    PyBuffer_Release(&view);
    Py_DecRef(dtype);
    Py_IncRef(type);
    Py_DecRef(ndarray_type);
    ndarray_type = type;
    read_fields = same;
    return PyBool_FromLong(same);
}

static PyMethodDef functions[] = {
    {"configure", configure, METH_VARARGS, "configure(ndarray, sample, fields) -> bool"},
    {"launch", (PyCFunction)(void (*)(void))launch, METH_FASTCALL,
     "launch(kernel, context, pointers, ints, reals, release_gil) -> int"},
    {"last_error", last_error, METH_O, "last_error(context) -> (int, int, int, int)"},
    {0}};
static PyMethodDef fast_methods[] = {
    {"insert", fast_insert, METH_O, "insert(record): makes it the first to be tried"},
    {"clear", fast_empty_out, METH_NOARGS, "clear(): forgets all records"},
    {0}};
static PyMemberDef fast_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(fast, call), READONLY, NULL}, {0}};
static PyType_Slot fast_slots[] = {{Py_tp_new, fast_new},
                                   {Py_tp_dealloc, fast_dealloc},
                                   {Py_tp_traverse, fast_traverse},
                                   {Py_tp_clear, fast_clear},
                                   {Py_tp_call, PyVectorcall_Call},
                                   {Py_tp_methods, fast_methods},
                                   {Py_tp_members, fast_members},
                                   {Py_tp_doc, "FastCall(miss, empty)"},
                                   {0, NULL}};
/* Immutable: 3.11 trusts the vectorcall slot of a type only if nobody can replace its
 * __call__. */
static PyType_Spec fast_spec = {
    "opslib.runtime.launcher.FastCall", sizeof(fast), 0,
    Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_HAVE_GC,
    fast_slots};
static PyType_Slot record_slots[] = {
    {Py_tp_new, record_new},
    {Py_tp_dealloc, record_dealloc},
    {Py_tp_doc, "Record(kernel, context, guards, ints, reals, outputs, release_gil, "
                "pack=None)"},
    {0, NULL}};
static PyType_Spec record_spec = {"opslib.runtime.launcher.Record", sizeof(record), 0,
                                  Py_TPFLAGS_IMMUTABLETYPE, record_slots};

static PyModuleDef definition = {
    .base = {.head = {1, NULL}},
    .name = "_opslib_launcher",
    .doc = "Calls kernels; see native/launcher.c.",
    .size = -1,
    .methods = functions,
};

EXPORT PyObject *PyInit__opslib_launcher(void) {
    PyObject *module = PyModule_Create2(&definition, 3);
    if (module == NULL)
        return NULL;
    PyObject *type = PyObject_Type(module);
    int as_expected = type != NULL && module->ob_type == type;
    Py_DecRef(type);
    if (!as_expected) {
        PyErr_SetString(PyExc_TypeError, "this Python lays out objects differently");
        goto failed;
    }
    /* Two threads may both load the module; the types must be the same for both. */
    if (dtype_name == NULL)
        dtype_name = PyUnicode_InternFromString("dtype");
    if (record_type == NULL)
        record_type = PyType_FromSpec(&record_spec);
    if (fast_type == NULL)
        fast_type = PyType_FromSpec(&fast_spec);
    if (dtype_name == NULL || record_type == NULL || fast_type == NULL ||
        PyModule_AddObjectRef(module, "Record", record_type) != 0 ||
        PyModule_AddObjectRef(module, "FastCall", fast_type) != 0)
        goto failed;
    return module;
failed:
    Py_DecRef(module);
    return NULL;
}
