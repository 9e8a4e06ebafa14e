/* launcher_fast.h -- FastCall: an operator's few latest plans. */
#ifndef OPSLIB_LAUNCHER_FAST_H
#define OPSLIB_LAUNCHER_FAST_H

#include "launcher_record.h"

#include <string.h>

#define MOST_RECORDS 8

typedef struct {
    PyObject head;
    vectorcall call;
    PyObject *miss, *empty;
    Py_ssize_t count;
    record *records[MOST_RECORDS]; /* the latest first */
} fast;

static PyObject *fast_type;

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

#endif
