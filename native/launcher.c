/* Calls kernels from CPython in a fraction of a microsecond.
 *
 * This is an extension module written without Python.h, because the compilers it is built
 * by (Debian's gcc, the zig wheel) come without it. It declares what it needs of the
 * stable ABI by hand (PEP 384; Py_buffer joined it in 3.11), so one text serves CPython
 * 3.11 and later. Two things go beyond the letter of the stable ABI, and are checked when
 * the module is set up, before anything relies on them:
 *
 *  - that `ob_type` lies behind the reference count (true of every build with a GIL), and
 *  - that an ndarray's fields lie where NumPy's own C ABI puts them, which every compiled
 *    user of NumPy 1.x and 2.x inlines. Where that check fails, the buffer protocol is
 *    used: right, and slower by about 0.1 us per array.
 *
 * Vectorcall on a type became part of the stable ABI in 3.12; the flag, the slot and both
 * functions are the same in 3.11. */
#include "opslib_abi.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* ---- the stable ABI, as far as needed ----------------------------------------------- */

typedef ptrdiff_t Py_ssize_t;
typedef struct PyObject {
    Py_ssize_t ob_refcnt; /* never touched: its meaning differs between versions */
    struct PyObject *ob_type;
} PyObject;
typedef PyObject *(*PyCFunction)(PyObject *, PyObject *);
typedef PyObject *(*vectorcall)(PyObject *, PyObject *const *, size_t, PyObject *);
typedef int (*visitproc)(PyObject *, void *);
typedef struct {
    const char *name;
    PyCFunction function;
    int flags;
    const char *doc;
} PyMethodDef;
typedef struct {
    const char *name;
    int type;
    Py_ssize_t offset;
    int flags;
    const char *doc;
} PyMemberDef;
typedef struct {
    PyObject head;
    PyObject *(*init)(void);
    Py_ssize_t index;
    PyObject *copy;
} PyModuleDef_Base;
typedef struct {
    PyModuleDef_Base base;
    const char *name, *doc;
    Py_ssize_t size;
    PyMethodDef *methods;
    void *slots, *traverse, *clear, *free;
} PyModuleDef;
typedef struct {
    int slot;
    void *value;
} PyType_Slot;
typedef struct {
    const char *name;
    int basicsize, itemsize;
    unsigned int flags;
    PyType_Slot *slots;
} PyType_Spec;
typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;

#define METH_VARARGS 0x01
#define METH_NOARGS 0x04
#define METH_O 0x08
#define METH_FASTCALL 0x80
#define T_PYSSIZET 19
#define READONLY 1
#define PyBUF_STRIDES 0x18
#define Py_tp_call 50
#define Py_tp_clear 51
#define Py_tp_dealloc 52
#define Py_tp_doc 56
#define Py_tp_methods 64
#define Py_tp_new 65
#define Py_tp_traverse 71
#define Py_tp_members 72
#define Py_TPFLAGS_IMMUTABLETYPE (1u << 8)
#define Py_TPFLAGS_HAVE_VECTORCALL (1u << 11)
#define Py_TPFLAGS_HAVE_GC (1u << 14)
#define ARGUMENTS_OFFSET ((size_t)1 << (8 * sizeof(size_t) - 1))

extern void Py_IncRef(PyObject *);
extern void Py_DecRef(PyObject *);
extern PyObject *PyModule_Create2(PyModuleDef *, int);
extern int PyModule_AddObjectRef(PyObject *, const char *, PyObject *);
extern PyObject *PyType_FromSpec(PyType_Spec *);
extern PyObject *PyType_GenericAlloc(PyObject *, Py_ssize_t);
extern PyObject *PyObject_Type(PyObject *);
extern PyObject *PyObject_GetAttrString(PyObject *, const char *);
extern PyObject *PyObject_GetAttr(PyObject *, PyObject *);
extern PyObject *PyUnicode_InternFromString(const char *);
extern int PyObject_GetBuffer(PyObject *, Py_buffer *, int);
extern void PyBuffer_Release(Py_buffer *);
extern void PyObject_Free(void *);
extern void PyObject_GC_Del(void *);
extern void PyObject_GC_UnTrack(void *);
extern PyObject *PyVectorcall_Call(PyObject *, PyObject *, PyObject *);
extern PyObject *PyObject_Vectorcall(PyObject *, PyObject *const *, size_t, PyObject *);
extern PyObject *PyObject_CallOneArg(PyObject *, PyObject *);
extern int PyArg_ParseTuple(PyObject *, const char *, ...);
extern PyObject *Py_BuildValue(const char *, ...);
extern PyObject *PySequence_Tuple(PyObject *);
extern Py_ssize_t PyTuple_Size(PyObject *);
extern PyObject *PyTuple_GetItem(PyObject *, Py_ssize_t);
extern PyObject *PyTuple_New(Py_ssize_t);
extern int PyTuple_SetItem(PyObject *, Py_ssize_t, PyObject *);
extern Py_ssize_t PyLong_AsSsize_t(PyObject *);
extern unsigned long long PyLong_AsUnsignedLongLong(PyObject *);
extern PyObject *PyLong_FromLong(long);
extern PyObject *PyBool_FromLong(long);
extern int PyObject_IsTrue(PyObject *);
extern int PyBytes_AsStringAndSize(PyObject *, char **, Py_ssize_t *);
extern PyObject *PyErr_Occurred(void);
extern void PyErr_Clear(void);
extern void PyErr_SetString(PyObject *, const char *);
extern PyObject *PyErr_NoMemory(void);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
extern PyObject *PyExc_TypeError, *PyExc_ValueError;
extern PyObject _Py_NoneStruct;
#define None (&_Py_NoneStruct)

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
#define MOST_RECORDS 8

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

static PyObject *record_type, *fast_type;

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

/* ---- FastCall: an operator's few latest plans --------------------------------------- */

typedef struct {
    PyObject head;
    vectorcall call;
    PyObject *miss, *empty;
    Py_ssize_t count;
    record *records[MOST_RECORDS]; /* the latest first */
} fast;

static void release(Py_buffer *views, seen *arrays, const char *held, int count) {
    for (int i = 0; i < count; i++)
        if (held[i])
            unlook(&arrays[i], &views[i]);
}

static PyObject *fast_call(PyObject *self, PyObject *const *args, size_t flagged,
                           PyObject *names) {
    fast *f = (fast *)self;
    size_t given = flagged & ~ARGUMENTS_OFFSET;
    seen arrays[MOST_BUFFERS];
    Py_buffer views[MOST_BUFFERS];
    char held[MOST_BUFFERS];
    void *buffers[MOST_BUFFERS];
    int count = (int)given;
    if (f->count == 0 || given > MOST_BUFFERS ||
        (names != NULL && PyTuple_Size(names) > 0))
        goto miss;
    for (int i = 0; i < count; i++) {
        held[i] = 0;
        if (args[i] == None)
            continue;
        if (args[i]->ob_type != ndarray_type || !look(args[i], &arrays[i], &views[i])) {
            PyErr_Clear();
            release(views, arrays, held, i);
            goto miss;
        }
        held[i] = 1;
    }
    /* From here to the IncRef no Python code runs, so under the GIL the list is ours. */
    for (Py_ssize_t at = 0; at < f->count; at++) {
        record *r = f->records[at];
        int same = r->inputs == count;
        for (int i = 0; same && i < count; i++)
            same = held[i] ? r->guard[i].dtype != NULL && fits(&r->guard[i], &arrays[i])
                           : r->guard[i].dtype == NULL;
        if (!same)
            continue;
        if (at > 0) {
            memmove(&f->records[1], &f->records[0], (size_t)at * sizeof(record *));
            f->records[0] = r;
        }
        Py_IncRef(&r->head);
        /* A kernel has no buffers for absent arguments. */
        int present = 0;
        for (int i = 0; i < count; i++)
            if (held[i])
                buffers[present++] = arrays[i].data;
        PyObject *result = execute(r, f->empty, buffers, present);
        release(views, arrays, held, count);
        Py_DecRef(&r->head);
        if (result != NULL || PyErr_Occurred())
            return result;
        goto miss; /* the slow path runs it again and explains the failure */
    }
    release(views, arrays, held, count);
miss:
    if (f->miss == NULL) { /* called by a finaliser, after the collector cleared us */
        PyErr_SetString(PyExc_TypeError, "this FastCall is being deleted");
        return NULL;
    }
    return PyObject_Vectorcall(f->miss, args, given, names);
}

static PyObject *fast_new(PyObject *type, PyObject *args, PyObject *kwargs) {
    PyObject *miss, *empty;
    if (kwargs != NULL) {
        PyErr_SetString(PyExc_TypeError, "FastCall takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "OO:FastCall", &miss, &empty))
        return NULL;
    if (ndarray_type == NULL) {
        PyErr_SetString(PyExc_TypeError, "configure() was not called");
        return NULL;
    }
    fast *f = (fast *)PyType_GenericAlloc(type, 0);
    if (f == NULL)
        return NULL;
    Py_IncRef(miss);
    Py_IncRef(empty);
    f->call = fast_call;
    f->miss = miss;
    f->empty = empty;
    return &f->head;
}

static void drop_records(fast *f) {
    record *old[MOST_RECORDS];
    Py_ssize_t count = f->count;
    memcpy(old, f->records, sizeof old);
    f->count = 0; /* first: a finaliser may call us */
    for (Py_ssize_t i = 0; i < count; i++)
        Py_DecRef(&old[i]->head);
}

static int fast_clear(PyObject *self) {
    fast *f = (fast *)self;
    PyObject *miss = f->miss, *empty = f->empty;
    drop_records(f);
    f->miss = NULL;
    f->empty = NULL;
    Py_DecRef(miss);
    Py_DecRef(empty);
    return 0;
}

static int fast_traverse(PyObject *self, visitproc visit, void *arg) {
    fast *f = (fast *)self;
    PyObject *seen_by_collector[] = {self->ob_type, f->miss, f->empty};
    for (int i = 0; i < 3; i++)
        if (seen_by_collector[i] != NULL) {
            int stop = visit(seen_by_collector[i], arg);
            if (stop)
                return stop;
        }
    for (Py_ssize_t i = 0; i < f->count; i++) {
        int stop = visit(&f->records[i]->head, arg);
        if (stop)
            return stop;
    }
    return 0;
}

static void fast_dealloc(PyObject *self) {
    PyObject *type = self->ob_type;
    PyObject_GC_UnTrack(self);
    fast_clear(self);
    PyObject_GC_Del(self);
    Py_DecRef(type);
}

static PyObject *fast_insert(PyObject *self, PyObject *argument) {
    fast *f = (fast *)self;
    record *dropped = NULL;
    if (argument->ob_type != record_type) {
        PyErr_SetString(PyExc_TypeError, "insert() takes a Record");
        return NULL;
    }
    Py_IncRef(argument);
    if (f->count == MOST_RECORDS)
        dropped = f->records[--f->count];
    memmove(&f->records[1], &f->records[0], (size_t)f->count * sizeof(record *));
    f->records[0] = (record *)argument;
    f->count++;
    if (dropped != NULL)
        Py_DecRef(&dropped->head);
    Py_IncRef(None);
    return None;
}

static PyObject *fast_empty_out(PyObject *self, PyObject *unused) {
    (void)unused;
    drop_records((fast *)self);
    Py_IncRef(None);
    return None;
}

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
