/* launcher_record.h -- one plan, ready to run, and the arrays that it is held against. */
#ifndef OPSLIB_LAUNCHER_RECORD_H
#define OPSLIB_LAUNCHER_RECORD_H

#include "launcher_cpython.h"
#include "opslib_abi.h"

#include <stdlib.h>
#include <string.h>

/* ---- reading an ndarray ------------------------------------------------------------- */

/* PyArrayObject_fields of numpy/ndarraytypes.h. */
typedef struct {
    PyObject head;
    char *data;
    int nd;
    Py_ssize_t *dimensions, *strides;
    PyObject *base, *descr;
} ndarray;

typedef struct {
    char *data;
    Py_ssize_t *shape, *strides;
    PyObject *dtype; /* borrowed from the array in field mode, else owned */
    int rank;
} seen;

static PyObject *ndarray_type;
static PyObject *dtype_name;
static int read_fields; /* set by configure(), after its check */

/* Returns 0 with a pending Python error, if the array exports no buffer. */
static int look(PyObject *array, seen *s, Py_buffer *view) {
    if (read_fields) {
        ndarray *a = (ndarray *)array;
        *s = (seen){a->data, a->dimensions, a->strides, a->descr, a->nd};
        view->obj = NULL;
        return 1;
    }
    /* Not PyBUF_FORMAT: NumPy cannot write down a bfloat16 in it, and would refuse. Not
     * PyBUF_WRITABLE: inputs may be read-only. */
    if (PyObject_GetBuffer(array, view, PyBUF_STRIDES) != 0)
        return 0;
    PyObject *dtype = PyObject_GetAttr(array, dtype_name);
    if (dtype == NULL) {
        PyBuffer_Release(view);
        return 0;
    }
    *s = (seen){view->buf, view->shape, view->strides, dtype, view->ndim};
    return 1;
}

static void unlook(seen *s, Py_buffer *view) {
    if (read_fields)
        return;
    Py_DecRef(s->dtype);
    if (view->obj != NULL)
        PyBuffer_Release(view);
}

/* ---- Record: one plan, ready to run ------------------------------------------------- */

#define MOST_BUFFERS 32

typedef struct {
    PyObject *dtype; /* NULL: the argument must be None */
    Py_ssize_t *shape, *strides;
    uintptr_t misaligned; /* address bits that must be 0 */
    int rank;
} guard;

typedef struct {
    PyObject *shape, *dtype;
} output;

typedef struct {
    PyObject head;
    ops_kernel kernel;
    ops_context_provider context;
    int inputs, outputs, release_gil;
    PyObject *pack; /* NULL: return the output, or a tuple of them */
    int64_t *ints;
    double *reals;
    Py_ssize_t *sizes; /* storage of all guards' shape and strides */
    guard guard[MOST_BUFFERS];
    output output[MOST_BUFFERS];
} record;

static PyObject *record_type;

static void record_dealloc(PyObject *self) {
    record *r = (record *)self;
    PyObject *type = self->ob_type;
    for (int i = 0; i < r->inputs; i++)
        Py_DecRef(r->guard[i].dtype);
    for (int i = 0; i < r->outputs; i++) {
        Py_DecRef(r->output[i].shape);
        Py_DecRef(r->output[i].dtype);
    }
    Py_DecRef(r->pack);
    free(r->ints);
    free(r->reals);
    free(r->sizes);
    PyObject_Free(self);
    Py_DecRef(type);
}

static void *copy_bytes(PyObject *bytes, const char *what) {
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &data, &size) != 0)
        return NULL;
    if (size % 8 != 0) {
        PyErr_SetString(PyExc_ValueError, what);
        return NULL;
    }
    void *copy = malloc((size_t)size + 8);
    if (copy == NULL)
        return PyErr_NoMemory();
    memcpy(copy, data, (size_t)size);
    return copy;
}

static int read_sizes(PyObject *tuple, Py_ssize_t *into, Py_ssize_t count) {
    if (PyTuple_Size(tuple) != count) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "shape and strides differ in length");
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        into[i] = PyLong_AsSsize_t(PyTuple_GetItem(tuple, i));
        if (into[i] == -1 && PyErr_Occurred())
            return 0;
    }
    return 1;
}

static int read_guards(record *r, PyObject *guards) {
    Py_ssize_t count = PyTuple_Size(guards), total = 0;
    if (count < 0)
        return 0;
    if (count > MOST_BUFFERS) {
        PyErr_SetString(PyExc_ValueError, "more than 32 inputs");
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *item = PyTuple_GetItem(guards, i);
        PyObject *dtype, *shape, *strides;
        Py_ssize_t alignment;
        if (item == None)
            continue;
        if (!PyArg_ParseTuple(item, "OOOn", &dtype, &shape, &strides, &alignment))
            return 0;
        Py_ssize_t rank = PyTuple_Size(shape);
        if (rank < 0)
            return 0;
        total += 2 * rank;
    }
    r->sizes = calloc((size_t)total + 1, sizeof(Py_ssize_t));
    if (r->sizes == NULL) {
        PyErr_NoMemory();
        return 0;
    }
    Py_ssize_t *next = r->sizes;
    for (Py_ssize_t i = 0; i < count; i++) {
        guard *g = &r->guard[i];
        PyObject *item = PyTuple_GetItem(guards, i);
        r->inputs = (int)i + 1;
        if (item == None)
            continue;
        PyObject *dtype, *shape, *strides;
        Py_ssize_t alignment;
        if (!PyArg_ParseTuple(item, "OOOn", &dtype, &shape, &strides, &alignment))
            return 0;
        Py_ssize_t rank = PyTuple_Size(shape);
        g->rank = (int)rank;
        g->shape = next;
        g->strides = next + rank;
        next += 2 * rank;
        if (!read_sizes(shape, g->shape, rank) || !read_sizes(strides, g->strides, rank))
            return 0;
        if (alignment < 1 || (alignment & (alignment - 1)) != 0) {
            PyErr_SetString(PyExc_ValueError, "alignment is not a power of two");
            return 0;
        }
        g->misaligned = (uintptr_t)alignment - 1;
        Py_IncRef(dtype);
        g->dtype = dtype;
    }
    return 1;
}

static int read_outputs(record *r, PyObject *outputs) {
    Py_ssize_t count = PyTuple_Size(outputs);
    if (count < 0)
        return 0;
    if (count < 1 || r->inputs + count > MOST_BUFFERS) {
        PyErr_SetString(PyExc_ValueError,
                        "a kernel has 1 output or more, and at most 32 arrays");
        return 0;
    }
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *shape, *dtype;
        if (!PyArg_ParseTuple(PyTuple_GetItem(outputs, i), "OO", &shape, &dtype))
            return 0;
        Py_IncRef(shape);
        Py_IncRef(dtype);
        r->output[i] = (output){shape, dtype};
        r->outputs = (int)i + 1;
    }
    return 1;
}

static PyObject *record_new(PyObject *type, PyObject *args, PyObject *kwargs) {
    unsigned long long kernel, context;
    PyObject *guards, *ints, *reals, *outputs, *pack = None;
    int release_gil;
    if (kwargs != NULL) {
        PyErr_SetString(PyExc_TypeError, "Record takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "KKOOOOp|O:Record", &kernel, &context, &guards, &ints,
                          &reals, &outputs, &release_gil, &pack))
        return NULL;
    if (kernel == 0 || context == 0) {
        PyErr_SetString(PyExc_ValueError, "the address of kernel or context is 0");
        return NULL;
    }
    record *r = (record *)PyType_GenericAlloc(type, 0); /* zeroed */
    if (r == NULL)
        return NULL;
    r->kernel = (ops_kernel)(uintptr_t)kernel;
    r->context = (ops_context_provider)(uintptr_t)context;
    r->release_gil = release_gil;
    if (pack != None) {
        Py_IncRef(pack);
        r->pack = pack;
    }
    if ((r->ints = copy_bytes(ints, "ints is no multiple of 8 bytes")) == NULL ||
        (r->reals = copy_bytes(reals, "reals is no multiple of 8 bytes")) == NULL ||
        !read_guards(r, guards) || !read_outputs(r, outputs)) {
        Py_DecRef(&r->head);
        return NULL;
    }
    return &r->head;
}

static int fits(const guard *g, const seen *s) {
    if (s->dtype != g->dtype || s->rank != g->rank ||
        ((uintptr_t)s->data & g->misaligned) != 0)
        return 0;
    int strides_differ = 0, is_empty = 0;
    for (int d = 0; d < g->rank; d++) {
        if (s->shape[d] != g->shape[d])
            return 0;
        is_empty |= s->shape[d] == 0;
        /* The stride of an axis of size 1 is never used, and NumPy leaves it arbitrary. */
        strides_differ |= s->strides[d] != g->strides[d] && s->shape[d] > 1;
    }
    return is_empty || !strides_differ;
}

static int run(record *r, void *const *buffers) {
    ops_context *ctx = r->context();
    if (ctx == NULL)
        return OPS_OUT_OF_MEMORY;
    memset(ctx->error, 0, sizeof ctx->error);
    int code = r->kernel(ctx, buffers, r->ints, r->reals);
    if (ctx->finish != NULL)
        ctx->finish(ctx);
    return code;
}

/* Returns the result; NULL without a pending error if the kernel reported a failure. */
static PyObject *execute(record *r, PyObject *empty, void **buffers, int present) {
    PyObject *made[MOST_BUFFERS];
    PyObject *result = NULL;
    int count = 0, code;
    for (; count < r->outputs; count++) {
        PyObject *arguments[2] = {r->output[count].shape, r->output[count].dtype};
        PyObject *array = PyObject_Vectorcall(empty, arguments, 2, NULL);
        if (array == NULL)
            goto done;
        made[count] = array;
        seen s;
        Py_buffer view;
        if (array->ob_type != ndarray_type) {
            PyErr_SetString(PyExc_TypeError, "empty() returned no numpy.ndarray");
            count++;
            goto done;
        }
        if (!look(array, &s, &view)) {
            count++;
            goto done;
        }
        buffers[present + count] = s.data;
        unlook(&s, &view); /* nobody else has the array, so its memory stays */
    }
    if (r->release_gil) {
        void *state = PyEval_SaveThread();
        code = run(r, buffers);
        PyEval_RestoreThread(state);
    } else {
        code = run(r, buffers);
    }
    if (code != OPS_OK)
        goto done;
    if (r->outputs == 1) {
        result = made[0];
        count = 0; /* handed over */
    } else {
        result = PyTuple_New(r->outputs);
        if (result == NULL)
            goto done;
        for (int i = 0; i < r->outputs; i++)
            PyTuple_SetItem(result, i, made[i]);
        count = 0;
    }
    if (r->pack != NULL) {
        PyObject *plain = result;
        result = PyObject_CallOneArg(r->pack, plain);
        Py_DecRef(plain);
    }
done:
    for (int i = 0; i < count; i++)
        Py_DecRef(made[i]);
    return result;
}

#endif
