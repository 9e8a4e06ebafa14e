/* launcher_cpython.h -- the stable ABI of CPython, as far as launcher.c needs it.
 *
 * By hand (PEP 384; Py_buffer joined it in 3.11), so one text serves CPython 3.11 and
 * later. Vectorcall on a type became part of the stable ABI in 3.12; the flag, the slot
 * and both functions are the same in 3.11. */
#ifndef OPSLIB_LAUNCHER_CPYTHON_H
#define OPSLIB_LAUNCHER_CPYTHON_H

#include <stddef.h>

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

#endif
