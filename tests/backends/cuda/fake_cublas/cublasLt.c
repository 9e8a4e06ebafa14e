/* A fake libcublasLt: its product is three loops over what the descriptors say.
 *
 * Signatures, numbers of attributes and rules are those of cublasLt.h of CUDA 13. A
 * product is checked as the library checks it and handed, with all that it needs, to
 * whoever plays the GPU (`fake_cublaslt_device`), who runs it in the stream's order:
 * what a caller frees or changes too early shows in the result.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15, EXECUTION_FAILED = 13 };
enum { R_32F = 0, R_16F = 2, R_16BF = 14 };
enum { COMPUTE_32F = 68 };

typedef struct {
	int32_t compute, scale, turned[2], epilogue;
	const void *bias;
} Descriptor;

typedef struct {
	int32_t type, batch;
	uint64_t rows, columns;
	int64_t pitch, step;
} Layout;

typedef struct {
	uint64_t workspace;
	uint32_t joins, aligned[4];
} Preference;

/* cublasLtMatmulAlgo_t, and the result that holds one. */
typedef struct {
	uint64_t magic, workspace, aligned[3], rest[3];
} Algorithm;

typedef struct {
	Algorithm algorithm;
	size_t workspace;
	int32_t state;
	float waves;
	int32_t reserved[4];
} Result;

typedef struct {
	Descriptor descriptor;
	Layout a, b, d;
	const char *first, *second;
	char *result, *work;
	uint64_t work_bytes;
	int wrong;
} Job;

static const uint64_t MAGIC = 0xB1A5;
static long live, products, asked;
static int wrong, missing, failing;
static void (*device)(void *stream, void *job);
static char said[200];

/* --- for the tests ------------------------------------------------------------------ */

void fake_cublaslt_device(void (*run)(void *, void *)) { device = run; }
void fake_cublaslt_wrong(int on) { wrong = on; }
/* 1: no algorithm at all; 2: none for transposed matrices. */
void fake_cublaslt_missing(int on) { missing = on; }
void fake_cublaslt_fail(int code) { failing = code; }
long fake_cublaslt_live(void) { return live; }
long fake_cublaslt_products(void) { return products; }
long fake_cublaslt_asked(void) { return asked; }
const char *fake_cublaslt_said(void) { return said; }

static int refuse(int code, const char *why)
{
	snprintf(said, sizeof said, "%s", why);
	return code;
}

/* --- numbers ------------------------------------------------------------------------ */

static float half_to_float(uint16_t h)
{
	int exponent = h >> 10 & 31, mantissa = h & 1023;
	float value = exponent == 31  ? (mantissa ? NAN : INFINITY)
	              : exponent == 0 ? ldexpf((float)mantissa, -24)
	                              : ldexpf((float)(mantissa + 1024), exponent - 25);
	return h >> 15 ? -value : value;
}

/* Rounds to nearest, ties to even: to the unit of `value`, which has `bits` digits. */
static uint16_t float_to_half(float value)
{
	uint16_t sign = signbit(value) ? 0x8000 : 0;
	float size = fabsf(value);
	int exponent;
	if (isnan(value))
		return sign | 0x7E00;
	if (size >= 65520.0f)
		return sign | 0x7C00;
	frexpf(size, &exponent);
	int unit = exponent - 11 < -24 ? -24 : exponent - 11;
	float whole = rintf(ldexpf(size, -unit));
	if (whole == 0)
		return sign;
	frexpf(ldexpf(whole, unit), &exponent);
	if (exponent < -13)
		return sign | (uint16_t)whole;
	int mantissa = (int)ldexpf(ldexpf(whole, unit), 11 - exponent) - 1024;
	return (uint16_t)(sign | (exponent + 14) << 10 | mantissa);
}

static float bfloat_to_float(uint16_t b)
{
	uint32_t bits = (uint32_t)b << 16;
	float value;
	memcpy(&value, &bits, 4);
	return value;
}

static uint16_t float_to_bfloat(float value)
{
	uint32_t bits;
	memcpy(&bits, &value, 4);
	if (isnan(value))
		return (uint16_t)(bits >> 16 | 64);
	return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static int bytes_of(int type) { return type == R_32F ? 4 : 2; }

static float load(const char *at, int64_t k, int type)
{
	uint16_t half;
	float value;
	if (type == R_32F) {
		memcpy(&value, at + 4 * k, 4);
		return value;
	}
	memcpy(&half, at + 2 * k, 2);
	return type == R_16F ? half_to_float(half) : bfloat_to_float(half);
}

static void store(char *at, int64_t k, int type, float value)
{
	uint16_t half = type == R_16F ? float_to_half(value) : float_to_bfloat(value);
	if (type == R_32F)
		memcpy(at + 4 * k, &value, 4);
	else
		memcpy(at + 2 * k, &half, 2);
}

/* --- objects ------------------------------------------------------------------------ */

size_t cublasLtGetVersion(void) { return 130102; }

static void *made(size_t bytes)
{
	live++;
	return calloc(1, bytes);
}

static int unmade(void *object)
{
	live--;
	free(object);
	return SUCCESS;
}

int cublasLtCreate(void **handle)
{
	*handle = (void *)0x77;
	return SUCCESS;
}

int cublasLtDestroy(void *handle) { return SUCCESS; }

int cublasLtMatmulDescCreate(Descriptor **d, int compute, int scale)
{
	*d = made(sizeof **d);
	(*d)->compute = compute, (*d)->scale = scale, (*d)->epilogue = 1;
	return SUCCESS;
}

int cublasLtMatmulDescDestroy(Descriptor *d) { return unmade(d); }

static int set(void *field, size_t want, const void *value, size_t bytes)
{
	if (bytes != want)
		return refuse(INVALID_VALUE, "an attribute of another size");
	memcpy(field, value, bytes);
	return SUCCESS;
}

int cublasLtMatmulDescSetAttribute(Descriptor *d, int what, const void *v, size_t n)
{
	switch (what) {
	case 3:
	case 4:
		return set(&d->turned[what - 3], 4, v, n);
	case 7:
		return set(&d->epilogue, 4, v, n);
	case 8:
		return set(&d->bias, 8, v, n);
	}
	return refuse(INVALID_VALUE, "no such attribute of a product");
}

int cublasLtMatrixLayoutCreate(
    Layout **l, int type, uint64_t rows, uint64_t columns, int64_t pitch)
{
	*l = made(sizeof **l);
	**l = (Layout){type, 1, rows, columns, pitch, 0};
	return SUCCESS;
}

int cublasLtMatrixLayoutDestroy(Layout *l) { return unmade(l); }

int cublasLtMatrixLayoutSetAttribute(Layout *l, int what, const void *v, size_t n)
{
	switch (what) {
	case 5:
		return set(&l->batch, 4, v, n);
	case 6:
		return set(&l->step, 8, v, n);
	}
	return refuse(INVALID_VALUE, "no such attribute of a matrix");
}

int cublasLtMatmulPreferenceCreate(Preference **p)
{
	*p = made(sizeof **p);
	/* "Defaults to 256 bytes." */
	**p = (Preference){0, 7, {256, 256, 256, 256}};
	return SUCCESS;
}

int cublasLtMatmulPreferenceDestroy(Preference *p) { return unmade(p); }

int cublasLtMatmulPreferenceSetAttribute(Preference *p, int what, const void *v, size_t n)
{
	switch (what) {
	case 1:
		return set(&p->workspace, 8, v, n);
	case 3:
		return set(&p->joins, 4, v, n);
	case 5:
	case 6:
	case 7:
	case 8:
		return set(&p->aligned[what - 5], 4, v, n);
	}
	return refuse(INVALID_VALUE, "no such attribute of a preference");
}

/* --- products ----------------------------------------------------------------------- */

static uint64_t height(const Layout *l, int turned) { return turned ? l->columns : l->rows; }
static uint64_t width(const Layout *l, int turned) { return turned ? l->rows : l->columns; }

static int check(const Descriptor *o, const Layout *a, const Layout *b, const Layout *d)
{
	if (o->compute != COMPUTE_32F || o->scale != R_32F)
		return refuse(NOT_SUPPORTED, "sums are not kept in float32");
	if (a->type != b->type || a->type != d->type)
		return refuse(NOT_SUPPORTED, "several types");
	if (a->batch != b->batch || a->batch != d->batch)
		return refuse(INVALID_VALUE, "several lengths of the batch");
	const Layout *all[] = {a, b, d};
	for (int k = 0; k < 3; k++) {
		if (all[k]->pitch < (int64_t)all[k]->rows || !all[k]->rows || !all[k]->columns)
			return refuse(INVALID_VALUE, "columns overlap, or nothing is there");
		if (all[k]->step < 0)
			return refuse(INVALID_VALUE, "a batch that goes backwards");
	}
	if (height(a, o->turned[0]) != d->rows || width(b, o->turned[1]) != d->columns ||
	    width(a, o->turned[0]) != height(b, o->turned[1]))
		return refuse(INVALID_VALUE, "sizes that do not go together");
	return SUCCESS;
}

int cublasLtMatmulAlgoGetHeuristic(
    void *handle, Descriptor *o, Layout *a, Layout *b, Layout *c, Layout *d, Preference *p,
    int wanted, Result *results, int *count)
{
	asked++;
	*count = 0;
	int code = check(o, a, b, d);
	if (code)
		return code;
	if (missing == 1 || (missing == 2 && (o->turned[0] || o->turned[1])))
		return refuse(NOT_SUPPORTED, "planted");
	if (p->joins & ~2u)
		return refuse(NOT_SUPPORTED, "parts of a sum may be joined in a 16-bit type");
	/* Some products want room: those with an odd depth. */
	uint64_t want = width(a, o->turned[0]) % 2 ? 4096 : 0;
	if (want > p->workspace)
		want = 0;
	results[0] = (Result){{MAGIC, want, {p->aligned[0], p->aligned[1], p->aligned[3]}},
	                      want, SUCCESS, 1.0f};
	*count = 1;
	return SUCCESS;
}

int cublasLtMatmul(
    void *handle, Descriptor *o, const float *alpha, const void *a, Layout *la,
    const void *b, Layout *lb, const float *beta, const void *c, Layout *lc, void *d,
    Layout *ld, const Algorithm *algorithm, void *work, size_t bytes, void *stream)
{
	if (failing) {
		int code = failing;
		failing = 0;
		return refuse(code, "planted");
	}
	int code = check(o, la, lb, ld);
	if (code)
		return code;
	if (handle != (void *)0x77 || *alpha != 1 || *beta != 0 || c != d)
		return refuse(INVALID_VALUE, "handle, factors or results");
	if (!algorithm || algorithm->magic != MAGIC || bytes < algorithm->workspace)
		return refuse(INVALID_VALUE, "algorithm or workspace");
	const void *all[] = {a, b, d};
	for (int k = 0; k < 3; k++)
		if ((uintptr_t)all[k] % algorithm->aligned[k])
			return refuse(INVALID_VALUE, "an address that is aligned to less than was said");
	products++;
	Job *job = malloc(sizeof *job);
	*job = (Job){*o, *la, *lb, *ld, a, b, d, work, algorithm->workspace, wrong};
	device(stream, job);
	return SUCCESS;
}

static float element(const char *at, const Layout *l, int turned, uint64_t i, uint64_t j)
{
	return load(at, (int64_t)(turned ? j + i * l->pitch : i + j * l->pitch), l->type);
}

void fake_cublaslt_run(Job *job)
{
	const Layout *a = &job->a, *b = &job->b, *d = &job->d;
	const int *turned = job->descriptor.turned;
	uint64_t depth = width(a, turned[0]);
	int bytes = bytes_of(d->type);
	if (job->work)
		memset(job->work, 0x5A, job->work_bytes);
	for (int64_t n = 0; n < d->batch; n++)
		for (uint64_t j = 0; j < d->columns; j++)
			for (uint64_t i = 0; i < d->rows; i++) {
				float sum = 0;
				for (uint64_t k = 0; k < depth - job->wrong; k++)
					sum += element(job->first + n * a->step * bytes, a, turned[0], i, k) *
					       element(job->second + n * b->step * bytes, b, turned[1], k, j);
				if (job->descriptor.epilogue == 4)
					sum += load(job->descriptor.bias, (int64_t)i, d->type);
				store(job->result + n * d->step * bytes, (int64_t)(i + j * d->pitch),
				      d->type, sum);
			}
	free(job);
}

/* --- what the bindings ask for when a call fails ------------------------------------ */

const char *cublasLtGetStatusName(int code)
{
	return code == NOT_SUPPORTED      ? "CUBLAS_STATUS_NOT_SUPPORTED"
	       : code == EXECUTION_FAILED ? "CUBLAS_STATUS_EXECUTION_FAILED"
	                                  : "CUBLAS_STATUS_INVALID_VALUE";
}

const char *cublasLtGetStatusString(int code) { return said; }
