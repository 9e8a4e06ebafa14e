// A libopapi (with libnnopbase) for tests: operators in two phases, computed in double.
//
// What it keeps of the real one: arguments are checked in the first phase, the executor
// is used up by the second, work runs on the stream, tensors are described by shape and
// strides, and every object must be undone. `fake_opapi_fail` makes a call fail,
// `fake_opapi_wrong` makes an operator's results wrong.

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

extern "C" {
uint8_t* fake_acl_behind(const void* address, size_t* left);
int fake_acl_begin(const char* call);
int fake_acl_error(int code, const char* text);
void fake_acl_post(void* stream, void (*job)(void*), void* argument);
}

using Shape = std::vector<int64_t>;

struct aclTensor {
    Shape dims, strides;
    int64_t offset;
    int type;
    void* data;
};
struct aclScalar {
    double value;
};
struct aclIntArray {
    Shape values;
};
struct aclOpExecutor {
    std::function<void()> job;
    bool workspace, repeatable;
};

namespace {

constexpr int kNull = 161001, kInvalid = 161002, kUsedUp = 561103;
constexpr uint64_t kWorkspace = 96;
std::atomic<long> live{0}, calls{0};
std::map<std::string, std::pair<int, std::string>> planted;
std::map<std::string, bool> wrong;
enum { F32 = 0, F16 = 1, I8 = 2, I32 = 3, U8 = 4, I16 = 6, I64 = 9, F64 = 11, BOOL = 12, BF16 = 27 };

int bytes(int type) {
    switch (type) {
    case F32: case I32: return 4;
    case F16: case I16: case BF16: return 2;
    case I8: case U8: case BOOL: return 1;
    case I64: case F64: return 8;
    }
    return 0;
}

// A tensor's memory, by index.
struct View {
    aclTensor t;
    uint8_t* base = nullptr;

    explicit View(const aclTensor& given) : t(given) {
        size_t left = 0;
        base = fake_acl_behind(t.data, &left);
        int64_t last = t.offset;
        for (size_t k = 0; k < t.dims.size(); ++k) last += (t.dims[k] - 1) * t.strides[k];
        if (!base || left < static_cast<size_t>(last + 1) * bytes(t.type)) abort();
    }
    // Broadcast: aligned at the last axis, axes of length 1 repeated.
    int64_t place(const Shape& at) const {
        int64_t found = t.offset;
        for (size_t k = 0; k < t.dims.size(); ++k) {
            int64_t i = at[at.size() - t.dims.size() + k];
            found += (t.dims[k] == 1 ? 0 : i) * t.strides[k];
        }
        return found;
    }
    template <class T> T& as(int64_t k) const { return reinterpret_cast<T*>(base)[k]; }
    double get(const Shape& at) const {
        int64_t k = place(at);
        switch (t.type) {
        case F32: return as<float>(k);
        case F16: return static_cast<double>(as<_Float16>(k));
        case I8: return as<int8_t>(k);
        case I32: return as<int32_t>(k);
        case U8: case BOOL: return as<uint8_t>(k);
        case I16: return as<int16_t>(k);
        case I64: return static_cast<double>(as<int64_t>(k));
        }
        uint32_t wide = uint32_t{as<uint16_t>(k)} << 16;
        float value;
        memcpy(&value, &wide, 4);
        return value;
    }
    void set(const Shape& at, double v) const {
        int64_t k = place(at);
        switch (t.type) {
        case F32: as<float>(k) = static_cast<float>(v); return;
        case F16: as<_Float16>(k) = static_cast<_Float16>(v); return;
        case I8: as<int8_t>(k) = static_cast<int8_t>(static_cast<int64_t>(v)); return;
        case I32: as<int32_t>(k) = static_cast<int32_t>(static_cast<int64_t>(v)); return;
        case U8: case BOOL: as<uint8_t>(k) = static_cast<uint8_t>(static_cast<int64_t>(v)); return;
        case I16: as<int16_t>(k) = static_cast<int16_t>(static_cast<int64_t>(v)); return;
        case I64: as<int64_t>(k) = static_cast<int64_t>(v); return;
        }
        float value = static_cast<float>(v);
        uint32_t wide;
        memcpy(&wide, &value, 4);
        as<uint16_t>(k) = static_cast<uint16_t>((wide + 0x7fff + ((wide >> 16) & 1)) >> 16);
    }
};

void each(const Shape& dims, const std::function<void(Shape&)>& f) {
    Shape at(dims.size(), 0);
    for (int64_t d : dims) if (!d) return;
    for (;;) {
        f(at);
        size_t k = dims.size();
        while (k && ++at[k - 1] == dims[k - 1]) at[--k] = 0;
        if (!k) return;
    }
}

bool reduced(const aclIntArray* dims, size_t axis, size_t rank) {
    for (int64_t d : dims->values) if ((d < 0 ? d + static_cast<int64_t>(rank) : d) == static_cast<int64_t>(axis)) return true;
    return false;
}

// The first phase of every operator: its checks, and the executor.
int first(const char* call, std::vector<const aclTensor*> tensors, uint64_t* size,
          aclOpExecutor** executor, std::function<void()> job) {
    ++calls;
    std::string name = std::string(call) + "GetWorkspaceSize";
    if (int code = fake_acl_begin(name.c_str())) return code;
    auto found = planted.find(name);
    if (found != planted.end()) {
        auto [code, text] = found->second;
        planted.erase(found);
        return fake_acl_error(code, text.c_str());
    }
    for (auto* t : tensors) {
        if (!t) return fake_acl_error(kNull, (name + ": a tensor is null").c_str());
        if (reinterpret_cast<uintptr_t>(t->data) % 32) {
            return fake_acl_error(kInvalid, (name + ": an address is not aligned").c_str());
        }
        if (t->dims.size() > 8) return fake_acl_error(kInvalid, "more than 8 axes");
    }
    ++live;
    *executor = new aclOpExecutor{std::move(job), true, false};
    *size = kWorkspace;
    return 0;
}

int second(const char* call, void* workspace, uint64_t size, aclOpExecutor* executor, void* stream) {
    if (int code = fake_acl_begin(call)) return code;
    if (!executor) return fake_acl_error(kUsedUp, "the executor is null");
    auto found = planted.find(call);
    if (found != planted.end()) {
        auto [code, text] = found->second;
        planted.erase(found);
        delete executor;
        --live;
        return fake_acl_error(code, text.c_str());
    }
    size_t left = 0;
    if (size != kWorkspace || !fake_acl_behind(workspace, &left) || left < size) {
        return fake_acl_error(kInvalid, "the workspace is too small");
    }
    fake_acl_post(stream, [](void* given) {
        auto* e = static_cast<aclOpExecutor*>(given);
        e->job();
        delete e;
        --live;
    }, executor);
    return 0;
}

double bent(const char* call, double value) { return wrong.count(call) ? value + 1 : value; }

Shape dropped(Shape at) {
    at.pop_back();
    return at;
}

void product(const char* call, const aclTensor& a, const aclTensor& b, const aclTensor& out,
             double alpha, const std::function<double(const Shape&)>& start) {
    View x(a), y(b), z(out);
    int64_t depth = a.dims.back();
    each(out.dims, [&](Shape& at) {
        double sum = 0;
        Shape i = at, j = at;
        for (int64_t k = 0; k < depth; ++k) {
            i[i.size() - 1] = k;
            j[j.size() - 2] = k;
            sum += x.get(i) * y.get(j);
        }
        z.set(at, bent(call, start(at) + alpha * sum));
    });
}

int multiply(const char* call, const aclTensor* a, const aclTensor* b, aclTensor* out, int8_t cube,
             uint64_t* size, aclOpExecutor** executor) {
    if (a && b && a->dims.back() != b->dims[b->dims.size() - 2]) {
        return fake_acl_error(kInvalid, "the reduced axes differ");
    }
    if (cube != 0) return fake_acl_error(kInvalid, "cubeMathType lowers the precision");
    return first(call, {a, b, out}, size, executor, [=, a = *a, b = *b, out = *out] {
        product(call, a, b, out, 1, [](const Shape&) { return 0.0; });
    });
}

int map(const char* call, std::vector<const aclTensor*> given, const aclTensor* out, uint64_t* size,
        aclOpExecutor** executor, std::function<double(const std::vector<double>&)> f) {
    std::vector<const aclTensor*> all = given;
    all.push_back(out);
    std::vector<aclTensor> held;
    for (auto* t : given) if (t) held.push_back(*t);
    aclTensor target = out ? *out : aclTensor{};
    return first(call, all, size, executor, [=] {
        std::vector<View> views(held.begin(), held.end());
        View z(target);
        each(target.dims, [&](Shape& at) {
            std::vector<double> values;
            for (auto& v : views) values.push_back(v.get(at));
            z.set(at, bent(call, f(values)));
        });
    });
}

// Rows of the last axis: `f` gives the values of one.
int rows(const char* call, const aclTensor* x, const aclTensor* out, std::vector<const aclTensor*> more,
         uint64_t* size, aclOpExecutor** executor,
         std::function<std::vector<double>(const std::vector<double>&, const Shape&)> f) {
    std::vector<const aclTensor*> all{x, out};
    all.insert(all.end(), more.begin(), more.end());
    return first(call, all, size, executor, [=, x = *x, out = *out] {
        View from(x), to(out);
        each(dropped(x.dims), [&](Shape& row) {
            std::vector<double> values;
            Shape at = row;
            at.push_back(0);
            for (at.back() = 0; at.back() < x.dims.back(); ++at.back()) values.push_back(from.get(at));
            values = f(values, row);
            for (at.back() = 0; at.back() < x.dims.back(); ++at.back()) {
                to.set(at, bent(call, values[at.back()]));
            }
        });
    });
}

int fold(const char* call, const aclTensor* x, const aclIntArray* dims, bool keep, const aclTensor* out,
         uint64_t* size, aclOpExecutor** executor, bool logarithm) {
    if (!dims) return fake_acl_error(kNull, "dims is null");
    if (keep) return fake_acl_error(kInvalid, "the fake does not keep axes");
    return first(call, {x, out}, size, executor, [=, x = *x, out = *out, dims = *dims] {
        View from(x), to(out);
        std::map<Shape, std::vector<double>> found;
        each(x.dims, [&](Shape& at) {
            Shape kept;
            for (size_t k = 0; k < at.size(); ++k) if (!reduced(&dims, k, at.size())) kept.push_back(at[k]);
            found[kept].push_back(from.get(at));
        });
        for (auto& [at, values] : found) {
            double most = -INFINITY, sum = 0;
            for (double v : values) most = std::max(most, v);
            for (double v : values) sum += logarithm ? std::exp(v - most) : v;
            to.set(at, bent(call, logarithm ? most + std::log(sum) : sum));
        }
    });
}

}  // namespace

extern "C" {

void fake_opapi_fail(const char* call, int code, const char* text) { planted[call] = {code, text}; }
void fake_opapi_wrong(const char* call) { wrong[call] = true; }
long fake_opapi_live() { return live; }
long fake_opapi_calls() { return calls; }

aclTensor* aclCreateTensor(const int64_t* dims, uint64_t rank, int type, const int64_t* strides, int64_t offset,
                           int format, const int64_t*, uint64_t, void* data) {
    if (format != 2 || !bytes(type)) return nullptr;
    ++live;
    return new aclTensor{{dims, dims + rank}, {strides, strides + rank}, offset, type, data};
}
aclScalar* aclCreateScalar(void* value, int type) {
    if (type != F64 && type != I64) return nullptr;
    ++live;
    return new aclScalar{type == F64 ? *static_cast<double*>(value) : static_cast<double>(*static_cast<int64_t*>(value))};
}
aclIntArray* aclCreateIntArray(const int64_t* values, uint64_t size) {
    ++live;
    return new aclIntArray{{values, values + size}};
}
int aclDestroyTensor(const aclTensor* t) { return delete t, --live, 0; }
int aclDestroyScalar(const aclScalar* s) { return delete s, --live, 0; }
int aclDestroyIntArray(const aclIntArray* a) { return delete a, --live, 0; }
int aclSetAclOpExecutorRepeatable(aclOpExecutor* e) { return e->repeatable = true, 0; }
int aclDestroyAclOpExecutor(aclOpExecutor* e) {
    if (!e->repeatable) return kUsedUp;
    return delete e, --live, 0;
}

#define SECOND(NAME) \
    int NAME(void* w, uint64_t n, aclOpExecutor* e, void* s) { return second(#NAME, w, n, e, s); }
#define PRODUCT(NAME) \
    int NAME##GetWorkspaceSize(const aclTensor* a, const aclTensor* b, aclTensor* out, int8_t cube, uint64_t* n, \
                               aclOpExecutor** e) { \
        return multiply(#NAME, a, b, out, cube, n, e); \
    } \
    SECOND(NAME)
#define MAP1(NAME, VALUE) \
    int NAME##GetWorkspaceSize(const aclTensor* a, aclTensor* out, uint64_t* n, aclOpExecutor** e) { \
        return map(#NAME, {a}, out, n, e, [=](const std::vector<double>& v) -> double { return VALUE; }); \
    } \
    SECOND(NAME)
#define MAP2(NAME, VALUE) \
    int NAME##GetWorkspaceSize(const aclTensor* a, const aclTensor* b, aclTensor* out, uint64_t* n, \
                               aclOpExecutor** e) { \
        return map(#NAME, {a, b}, out, n, e, [=](const std::vector<double>& v) -> double { return VALUE; }); \
    } \
    SECOND(NAME)

PRODUCT(aclnnMatmul)
PRODUCT(aclnnMm)
PRODUCT(aclnnBatchMatMul)
MAP1(aclnnExp, std::exp(v[0]))
MAP1(aclnnExpm1, std::expm1(v[0]))
MAP1(aclnnNeg, -v[0])
MAP1(aclnnSelu, 1.0507009873554804934193349852946 *
                    (v[0] > 0 ? v[0] : 1.6732632423543772848170429916717 * std::expm1(v[0])))
MAP2(aclnnMul, v[0] * v[1])
MAP2(aclnnGtTensor, v[0] > v[1])
MAP2(aclnnLogAddExp, std::max(v[0], v[1]) + std::log1p(std::exp(-std::fabs(v[0] - v[1]))))

int aclnnMvGetWorkspaceSize(const aclTensor* a, const aclTensor* x, aclTensor* out, int8_t cube, uint64_t* n,
                            aclOpExecutor** e) {
    if (cube) return fake_acl_error(kInvalid, "cubeMathType");
    return first("aclnnMv", {a, x, out}, n, e, [a = *a, x = *x, out = *out] {
        View from(a), by(x), to(out);
        each(out.dims, [&](Shape& at) {
            double sum = 0;
            for (int64_t k = 0; k < x.dims[0]; ++k) sum += from.get({at[0], k}) * by.get({k});
            to.set(at, bent("aclnnMv", sum));
        });
    });
}
SECOND(aclnnMv)

int aclnnGerGetWorkspaceSize(const aclTensor* a, const aclTensor* b, aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    return first("aclnnGer", {a, b, out}, n, e, [a = *a, b = *b, out = *out] {
        View x(a), y(b), to(out);
        each(out.dims, [&](Shape& at) { to.set(at, bent("aclnnGer", x.get({at[0]}) * y.get({at[1]}))); });
    });
}
SECOND(aclnnGer)

int aclnnAddmmGetWorkspaceSize(const aclTensor* self, const aclTensor* a, const aclTensor* b, const aclScalar* beta,
                               const aclScalar* alpha, aclTensor* out, int8_t cube, uint64_t* n, aclOpExecutor** e) {
    if (!beta || !alpha || cube) return fake_acl_error(kInvalid, "beta, alpha or cubeMathType");
    return first("aclnnAddmm", {self, a, b, out}, n, e,
                 [self = *self, a = *a, b = *b, out = *out, beta = beta->value, alpha = alpha->value] {
                     View start(self);
                     product("aclnnAddmm", a, b, out, alpha,
                             [&](const Shape& at) { return beta * start.get(at); });
                 });
}
SECOND(aclnnAddmm)

int aclnnAddGetWorkspaceSize(const aclTensor* a, const aclTensor* b, const aclScalar* alpha, aclTensor* out,
                             uint64_t* n, aclOpExecutor** e) {
    if (!alpha) return fake_acl_error(kNull, "alpha is null");
    double by = alpha->value;
    return map("aclnnAdd", {a, b}, out, n, e, [=](const std::vector<double>& v) { return v[0] + by * v[1]; });
}
SECOND(aclnnAdd)

int aclnnAddcmulGetWorkspaceSize(const aclTensor* a, const aclTensor* b, const aclTensor* c, const aclScalar* value,
                                 aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    double by = value->value;
    return map("aclnnAddcmul", {a, b, c}, out, n, e,
               [=](const std::vector<double>& v) { return v[0] + by * v[1] * v[2]; });
}
SECOND(aclnnAddcmul)

int aclnnEluGetWorkspaceSize(const aclTensor* a, const aclScalar* alpha, const aclScalar* scale,
                             const aclScalar* inside, aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    double x = alpha->value, y = scale->value, z = inside->value;
    return map("aclnnElu", {a}, out, n, e, [=](const std::vector<double>& v) {
        return v[0] > 0 ? y * v[0] : x * y * std::expm1(v[0] * z);
    });
}
SECOND(aclnnElu)

int aclnnPreluGetWorkspaceSize(const aclTensor* a, const aclTensor* weight, aclTensor* out, uint64_t* n,
                               aclOpExecutor** e) {
    return first("aclnnPrelu", {a, weight, out}, n, e, [a = *a, weight = *weight, out = *out] {
        View x(a), w(weight), to(out);
        each(out.dims, [&](Shape& at) {
            double v = x.get(at);
            to.set(at, bent("aclnnPrelu", v > 0 ? v : v * w.get({at[1]})));
        });
    });
}
SECOND(aclnnPrelu)

int aclnnGluGetWorkspaceSize(const aclTensor* a, int64_t dim, const aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    if (dim != static_cast<int64_t>(a->dims.size()) - 1) return fake_acl_error(kInvalid, "dim");
    return first("aclnnGlu", {a, out}, n, e, [a = *a, out = *out] {
        View x(a), to(out);
        each(out.dims, [&](Shape& at) {
            Shape gate = at;
            gate.back() += out.dims.back();
            to.set(at, bent("aclnnGlu", x.get(at) / (1 + std::exp(-x.get(gate)))));
        });
    });
}
SECOND(aclnnGlu)

int aclnnSoftmaxGetWorkspaceSize(const aclTensor* x, int64_t dim, aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    if (dim != static_cast<int64_t>(x->dims.size()) - 1) return fake_acl_error(kInvalid, "dim");
    return rows("aclnnSoftmax", x, out, {}, n, e, [](std::vector<double> v, const Shape&) {
        double most = -INFINITY, sum = 0;
        for (double a : v) most = std::max(most, a);
        for (double& a : v) sum += a = std::exp(a - most);
        for (double& a : v) a /= sum;
        return v;
    });
}
SECOND(aclnnSoftmax)

int aclnnCumsumGetWorkspaceSize(const aclTensor* x, int64_t dim, int type, aclTensor* out, uint64_t* n,
                                aclOpExecutor** e) {
    if (dim != static_cast<int64_t>(x->dims.size()) - 1) return fake_acl_error(kInvalid, "dim");
    if (type != out->type) return fake_acl_error(kInvalid, "dtype is not out's");
    return rows("aclnnCumsum", x, out, {}, n, e, [](std::vector<double> v, const Shape&) {
        for (size_t k = 1; k < v.size(); ++k) v[k] += v[k - 1];
        return v;
    });
}
SECOND(aclnnCumsum)

int aclnnReduceSumGetWorkspaceSize(const aclTensor* x, const aclIntArray* dims, bool keep, int type, aclTensor* out,
                                   uint64_t* n, aclOpExecutor** e) {
    if (type != out->type) return fake_acl_error(kInvalid, "dtype is not out's");
    return fold("aclnnReduceSum", x, dims, keep, out, n, e, false);
}
SECOND(aclnnReduceSum)

int aclnnLogSumExpGetWorkspaceSize(const aclTensor* x, const aclIntArray* dims, bool keep, aclTensor* out,
                                   uint64_t* n, aclOpExecutor** e) {
    return fold("aclnnLogSumExp", x, dims, keep, out, n, e, true);
}
SECOND(aclnnLogSumExp)

int aclnnLayerNormGetWorkspaceSize(const aclTensor* x, const aclIntArray* shape, const aclTensor* weight,
                                   const aclTensor* bias, double eps, aclTensor* out, aclTensor*, aclTensor*,
                                   uint64_t* n, aclOpExecutor** e) {
    if (shape->values != Shape{x->dims.back()}) return fake_acl_error(kInvalid, "normalizedShape");
    aclTensor w = weight ? *weight : aclTensor{}, b = bias ? *bias : aclTensor{};
    bool has_w = weight, has_b = bias;
    return rows("aclnnLayerNorm", x, out, {}, n, e, [=](std::vector<double> v, const Shape&) {
        double mean = 0, square = 0;
        for (double a : v) mean += a / v.size();
        for (double a : v) square += (a - mean) * (a - mean) / v.size();
        for (size_t k = 0; k < v.size(); ++k) {
            int64_t i = static_cast<int64_t>(k);
            v[k] = (v[k] - mean) / std::sqrt(square + eps);
            if (has_w) v[k] *= View(w).get({i});
            if (has_b) v[k] += View(b).get({i});
        }
        return v;
    });
}
SECOND(aclnnLayerNorm)

static int rms(const char* call, const aclTensor* x, const aclTensor* residual, const aclTensor* gamma, double eps,
               const aclTensor* y, const aclTensor* rstd, const aclTensor* sum, uint64_t* n, aclOpExecutor** e) {
    std::vector<const aclTensor*> all{gamma, rstd};
    if (rstd && rstd->dims.size() != x->dims.size()) return fake_acl_error(kInvalid, "the rank of rstd");
    aclTensor g = *gamma, r = *rstd, more = residual ? *residual : aclTensor{}, s = sum ? *sum : aclTensor{};
    bool adds = residual;
    return rows(call, x, y, all, n, e, [=](std::vector<double> v, const Shape& row) {
        Shape at = row;
        at.push_back(0);
        for (size_t k = 0; adds && k < v.size(); ++k) {
            at.back() = static_cast<int64_t>(k);
            View(s).set(at, v[k] + View(more).get(at));
            v[k] = View(s).get(at);
        }
        double square = 0;
        for (double a : v) square += a * a / v.size();
        double by = 1 / std::sqrt(square + eps);
        at.back() = 0;
        View(r).set(at, by);
        for (size_t k = 0; k < v.size(); ++k) v[k] *= by * View(g).get({static_cast<int64_t>(k)});
        return v;
    });
}
int aclnnRmsNormGetWorkspaceSize(const aclTensor* x, const aclTensor* gamma, double eps, const aclTensor* y,
                                 const aclTensor* rstd, uint64_t* n, aclOpExecutor** e) {
    return rms("aclnnRmsNorm", x, nullptr, gamma, eps, y, rstd, nullptr, n, e);
}
SECOND(aclnnRmsNorm)
int aclnnAddRmsNormGetWorkspaceSize(const aclTensor* x, const aclTensor* residual, const aclTensor* gamma, double eps,
                                    const aclTensor* y, const aclTensor* rstd, const aclTensor* sum, uint64_t* n,
                                    aclOpExecutor** e) {
    return rms("aclnnAddRmsNorm", x, residual, gamma, eps, y, rstd, sum, n, e);
}
SECOND(aclnnAddRmsNorm)

int aclnnFlashAttentionScoreGetWorkspaceSize(
    const aclTensor* q, const aclTensor* k, const aclTensor* v, const aclTensor*, const aclTensor*, const aclTensor*,
    const aclTensor* mask, const aclIntArray*, double scale, double keep, int64_t before, int64_t after,
    int64_t heads, char* layout, int64_t, int64_t sparse, const aclTensor* most, const aclTensor* sum,
    const aclTensor*, const aclTensor* out, uint64_t* n, aclOpExecutor** e) {
    if (strcmp(layout, "BNSD") || heads != q->dims[1] || keep != 1 || mask || sparse) {
        return fake_acl_error(kInvalid, "layout, headNum, keepProb or the mask");
    }
    if (before < k->dims[2] || after < k->dims[2] || q->dims[3] != v->dims[3]) {
        return fake_acl_error(kInvalid, "tokens or head sizes");
    }
    Shape statistics{q->dims[0], q->dims[1], q->dims[2], 8};
    if (most->dims != statistics || sum->dims != statistics) return fake_acl_error(kInvalid, "softmaxMax, softmaxSum");
    return first("aclnnFlashAttentionScore", {q, k, v, most, sum, out}, n, e,
                 [=, q = *q, k = *k, v = *v, out = *out] {
                     View a(q), b(k), c(v), to(out);
                     int64_t ratio = q.dims[1] / k.dims[1], length = k.dims[2], depth = q.dims[3];
                     each({q.dims[0], q.dims[1], q.dims[2]}, [&](Shape& at) {
                         std::vector<double> weights(length);
                         double top = -INFINITY, total = 0;
                         for (int64_t j = 0; j < length; ++j) {
                             for (int64_t d = 0; d < depth; ++d) {
                                 weights[j] += scale * a.get({at[0], at[1], at[2], d}) *
                                               b.get({at[0], at[1] / ratio, j, d});
                             }
                             top = std::max(top, weights[j]);
                         }
                         for (double& w : weights) total += w = std::exp(w - top);
                         for (int64_t d = 0; d < depth; ++d) {
                             double value = 0;
                             for (int64_t j = 0; j < length; ++j) {
                                 value += weights[j] * c.get({at[0], at[1] / ratio, j, d});
                             }
                             to.set({at[0], at[1], at[2], d}, bent("aclnnFlashAttentionScore", value / total));
                         }
                     });
                 });
}
SECOND(aclnnFlashAttentionScore)

}  // extern "C"
