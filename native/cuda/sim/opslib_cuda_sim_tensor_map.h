/* Tensor maps: 128 bytes of a layout of our own, made by a function with the parameters
 * and the rules of cuTensorMapEncodeTiled (CUDA driver API, "Tensor Map Object
 * Management"). */
#ifndef OPSLIB_CUDA_SIM_TENSOR_MAP_H
#define OPSLIB_CUDA_SIM_TENSOR_MAP_H

#include <stdint.h>
#include <string.h>

namespace opslib_cuda_sim {

constexpr uint64_t kTensorMagic = 0x6f70736c6962746dull;

struct TensorMap {
    uintptr_t base;
    int rank, bytes; /* of an element */
    bool nan;
    uintptr_t swizzle; /* which bits above 7 of an address are added to those above 4 */
    uint64_t size[5], stride[5];
    uint32_t box[5];
    uint64_t box_bytes() const {
        uint64_t total = uint64_t(bytes);
        for (int d = 0; d < rank; d++) total *= box[d];
        return total;
    }
};

/* words: magic, base, rank | bytes << 8 | swizzle << 16 | nan << 24, five sizes, four
 * strides, boxes in two, two of nothing. */
inline bool decode(const uint64_t* words, TensorMap* map) {
    if (words[0] != kTensorMagic) return false;
    map->base = uintptr_t(words[1]);
    map->rank = int(words[2] & 0xff);
    map->bytes = int(words[2] >> 8 & 0xff);
    map->swizzle = uintptr_t(words[2] >> 16 & 0xff);
    map->nan = (words[2] >> 24) != 0;
    for (int d = 0; d < 5; d++) map->size[d] = words[3 + d];
    map->stride[0] = uint64_t(map->bytes);
    for (int d = 1; d < 5; d++) map->stride[d] = words[7 + d];
    for (int d = 0; d < 5; d++) map->box[d] = uint32_t(words[12 + d / 4] >> d % 4 * 16 & 0xffff);
    return true;
}

/* Zeros, or what reads as nan of 2 and 4 bytes, for places outside of the tensor. */
inline void fill(const TensorMap& map, uint8_t* bytes) {
    memset(bytes, 0, 16);
    if (!map.nan) return;
    for (int i = 0; i < 16; i += map.bytes)
        for (int k = 0; k < map.bytes; k++)
            bytes[i + k] = k == map.bytes - 1 ? 0x7f : 0xff;
}

/* 0, or 1 (CUDA_ERROR_INVALID_VALUE). */
inline int encode(uint64_t* words, int type, uint32_t rank, const void* base,
                  const uint64_t* sizes, const uint64_t* strides, const uint32_t* box,
                  const uint32_t* steps, int interleave, int swizzle, int fill) {
    static const uint8_t bytes_of[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    if (type < 0 || type >= int(sizeof bytes_of) || rank < 1 || rank > 5) return 1;
    if (interleave || swizzle < 0 || swizzle > 3 || fill < 0 || fill > 1) return 1;
    const uint64_t bytes = bytes_of[type];
    const uintptr_t at = reinterpret_cast<uintptr_t>(base);
    if (!at || (at & 15) || (reinterpret_cast<uintptr_t>(words) & 63)) return 1;
    memset(words, 0, 128);
    for (uint32_t d = 0; d < rank; d++) {
        if (!sizes[d] || sizes[d] > 1ull << 32) return 1;
        if (!box[d] || box[d] > 256 || (steps && steps[d] != 1)) return 1;
        if (d && ((strides[d - 1] & 15) || strides[d - 1] >= 1ull << 40)) return 1;
        words[3 + d] = sizes[d];
        if (d) words[7 + d] = strides[d - 1];
        words[12 + d / 4] |= uint64_t(box[d]) << d % 4 * 16;
    }
    const uint64_t inner = box[0] * bytes;
    if (inner & 15) return 1;
    if (swizzle && inner > 16u << swizzle) return 1;
    words[0] = kTensorMagic;
    words[1] = at;
    words[2] = rank | bytes << 8 | ((1ull << swizzle) - 1) << 16 | uint64_t(fill) << 24;
    return 0;
}

}  // namespace opslib_cuda_sim

#endif
