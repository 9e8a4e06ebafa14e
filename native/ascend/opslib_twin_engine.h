/* What the API headers call: the engine, without types as template parameters, so that
 * a kernel's translation unit stays cheap to compile.  opslib_twin_library.h defines
 * these functions, once for a shared object. */
#ifndef OPSLIB_TWIN_ENGINE_H
#define OPSLIB_TWIN_ENGINE_H

#include "opslib_twin_types.h"

/* Every API function ends in `OPSLIB_TWIN_LINE`, a defaulted parameter that is the line
 * of the call, by which findings name the statement.  A type of its own, so that one
 * argument too many stays an error. */
#define OPSLIB_TWIN_LINE opslib_twin::Line line = opslib_twin::Line(__builtin_LINE())

/* Not worth inlining: the engine is compiled with every unit of kernels. */
#define OPSLIB_TWIN_APART __attribute__((noinline))

namespace opslib_twin {

struct Line {
    int number;
    explicit constexpr Line(int value) : number(value) {}
    constexpr operator int() const { return number; }
};

enum class Type : uint8_t {
    F16,
    BF16,
    F32,
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64
};

template <typename T>
struct TypeOf;
#define OPSLIB_TWIN_TYPE(TYPE, NAME)              \
    template <>                                   \
    struct TypeOf<TYPE> {                         \
        static constexpr Type value = Type::NAME; \
    }
OPSLIB_TWIN_TYPE(half, F16);
OPSLIB_TWIN_TYPE(bfloat16_t, BF16);
OPSLIB_TWIN_TYPE(float, F32);
OPSLIB_TWIN_TYPE(int8_t, I8);
OPSLIB_TWIN_TYPE(uint8_t, U8);
OPSLIB_TWIN_TYPE(int16_t, I16);
OPSLIB_TWIN_TYPE(uint16_t, U16);
OPSLIB_TWIN_TYPE(int32_t, I32);
OPSLIB_TWIN_TYPE(uint32_t, U32);
OPSLIB_TWIN_TYPE(int64_t, I64);
OPSLIB_TWIN_TYPE(uint64_t, U64);
#undef OPSLIB_TWIN_TYPE

/* A LocalTensor: `count` elements from byte `address` of the buffer of `position`. */
struct Local {
    AscendC::TPosition position;
    Type type;
    uint8_t size;
    uint32_t address;
    uint32_t count;
};

/* A GlobalTensor; count is what SetGlobalBuffer was told, UINT64_MAX for no count. */
struct Global {
    uint8_t* base;
    Type type;
    uint8_t size;
    uint64_t count;
};

/* A scalar operand, exact in either member by its type. */
struct Scalar {
    double real;
    int64_t whole;
};

inline Scalar scalar_of(half value) { return {double(float(value)), 0}; }
inline Scalar scalar_of(bfloat16_t value) { return {double(float(value)), 0}; }
inline Scalar scalar_of(float value) { return {double(value), 0}; }
template <typename T>
inline Scalar scalar_of(T value) {
    return {double(value), int64_t(value)};
}

enum class Op : uint8_t {
    Add,
    Sub,
    Mul,
    Div,
    Max,
    Min,
    And,
    Or,
    Xor,
    ShiftLeft,
    ShiftRight,
    Exp,
    Ln,
    Sqrt,
    Rsqrt,
    Reciprocal,
    Abs,
    Relu,
    Neg,
    Not,
    LeakyRelu,
    MulAdd,
    Count,
};

/* How an instruction walks its operands.  Count form: `count` elements one after the
 * other.  Otherwise `repeats` repeats of eight 32 byte blocks, strides in blocks, with
 * the lanes of `mask` taking part. */
struct Walk {
    bool counted;
    uint32_t count;
    uint32_t repeats;
    uint64_t mask[2];
    uint16_t block[3];
    uint16_t repeat[3];
};

inline Walk counted(int64_t count) {
    return {true,     count < 0 ? 0xffffffffu : uint32_t(count), 0, {0, 0}, {1, 1, 1},
            {8, 8, 8}};
}

/* The first n lanes, as the "contiguous" mask says it. */
inline void first_lanes(uint64_t n, uint64_t* mask) {
    mask[0] = n >= 64 ? ~0ull : (1ull << n) - 1;
    mask[1] = n >= 128 ? ~0ull : n > 64 ? (1ull << (n - 64)) - 1 : 0;
}

void vector(const char* name, Op op, const Local& dst, const Local& a, const Local* b,
            const Scalar* scalar, const Walk& walk, int line);
void duplicate(const Local& dst, Scalar value, const Walk& walk, int line);
void index_ramp(const char* name, const Local& dst, Scalar first, Scalar step,
                int64_t count, int line);
void copy(const Local& dst, const Local& src, const Walk& walk, int line);
void cast(const Local& dst, const Local& src, AscendC::RoundMode mode, int64_t count,
          int line);
void compare(const char* name, const Local& dst, const Local& a, const Local* b,
             Scalar scalar, AscendC::CMPMODE mode, int64_t count, int line);
void select(const Local& dst, const Local& mask, const Local& a, const Local* b,
            Scalar scalar, AscendC::SELMODE mode, int64_t count, int line);
enum class Fold : uint8_t {
    Sum,
    Max,
    Min
};
void reduce(const char* name, Fold fold, const Local& dst, const Local& src,
            const Local& work, int64_t count, bool index, int line);
void whole_reduce(const char* name, Fold fold, const Local& dst, const Local& src,
                  const Walk& walk, uint32_t dst_step, AscendC::ReduceOrder order,
                  bool has_order, int line);
void block_reduce(const char* name, Fold fold, const Local& dst, const Local& src,
                  const Walk& walk, int line);
void pair_reduce(const Local& dst, const Local& src, const Walk& walk, int line);
void broadcast_blocks(const Local& dst, const Local& src, uint8_t repeats,
                      const AscendC::BrcbRepeatParams& params, int line);
void gather(const Local& dst, const Local& src, const Local& offsets, uint32_t base,
            int64_t count, int line);

void copy_in(const char* name, const Local& dst, const Global& src, uint32_t blocks,
             uint64_t length, uint64_t src_gap, uint64_t dst_gap, bool pad,
             uint32_t left, uint32_t right, uint64_t pad_bits, int line);
void copy_out(const char* name, const Global& dst, const Local& src, uint32_t blocks,
              uint64_t length, uint64_t src_gap, uint64_t dst_gap, int line);
void copy_local(const Local& dst, const Local& src, uint32_t blocks, uint64_t length,
                uint64_t src_gap, uint64_t dst_gap, int line);

uint64_t scalar_load(const Local& src, uint32_t index, int line);
void scalar_store(const Local& dst, uint32_t index, uint64_t bits, int line);
uint64_t global_load(const Global& src, uint64_t index, int line);
void global_store(const Global& dst, uint64_t index, uint64_t bits, int line);
void clean_cache(const Global& where, bool whole, bool named, int line);

void set_flag(AscendC::HardEvent event, int id, int line);
void wait_flag(AscendC::HardEvent event, int id, int line);
void barrier(int pipe, int line);
void cross_set(int mode, int pipe, int id, int line);
void cross_wait(int id, int line);
bool on_cube_core();
int64_t sub_block_index();
int64_t task_ratio();

void declare(const Local& tensor, int line);
void set_buffer(const Global& buffer, int line);
void set_atomic(int mode, Type type, int line);
int64_t block_index();
int64_t block_number();

template <typename T>
inline uint64_t bits_of(T value) {
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof value);
    return bits;
}
template <typename T>
inline T value_of(uint64_t bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

}  // namespace opslib_twin

#endif
