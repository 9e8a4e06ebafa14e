/* LocalTensor and GlobalTensor: a place and a length, and scalar access. */
#ifndef OPSLIB_TWIN_TENSOR_H
#define OPSLIB_TWIN_TENSOR_H

#include "opslib_twin_engine.h"

namespace AscendC {

template <typename T>
class LocalTensor {
  public:
    using PrimType = T;
    LocalTensor() = default;
    LocalTensor(TPosition position, uint32_t address, uint32_t count, OPSLIB_TWIN_LINE)
        : operand{position, opslib_twin::TypeOf<T>::value, sizeof(T), address, count} {
        opslib_twin::declare(operand, line);
    }
    explicit LocalTensor(const opslib_twin::Local& view) : operand(view) {}

    LocalTensor operator[](uint32_t offset) const {
        opslib_twin::Local view = operand;
        view.address += offset * uint32_t(sizeof(T));
        view.count = offset < view.count ? view.count - offset : 0;
        return LocalTensor(view);
    }
    template <typename U>
    LocalTensor<U> ReinterpretCast() const {
        opslib_twin::Local view = operand;
        view.type = opslib_twin::TypeOf<U>::value;
        view.size = sizeof(U);
        view.count = uint32_t(uint64_t(operand.count) * sizeof(T) / sizeof(U));
        return LocalTensor<U>(view);
    }
    T GetValue(uint32_t index, OPSLIB_TWIN_LINE) const {
        return opslib_twin::value_of<T>(opslib_twin::scalar_load(operand, index, line));
    }
    void SetValue(uint32_t index, T value, OPSLIB_TWIN_LINE) const {
        opslib_twin::scalar_store(operand, index, opslib_twin::bits_of(value), line);
    }
    uint32_t GetSize() const { return operand.count; }
    uint32_t GetLength() const { return operand.count * uint32_t(sizeof(T)); }
    void SetSize(uint32_t count) { operand.count = count; }
    TPosition GetPosition() const { return operand.position; }

    opslib_twin::Local operand{};
};

template <typename T>
class GlobalTensor {
  public:
    using PrimType = T;
    void SetGlobalBuffer(T* base, uint64_t count, OPSLIB_TWIN_LINE) {
        operand = {reinterpret_cast<uint8_t*>(base), opslib_twin::TypeOf<T>::value,
                   sizeof(T), count};
        opslib_twin::set_buffer(operand, line);
    }
    void SetGlobalBuffer(T* base) {
        operand = {reinterpret_cast<uint8_t*>(base), opslib_twin::TypeOf<T>::value,
                   sizeof(T), UINT64_MAX};
    }
    GlobalTensor operator[](uint64_t offset) const {
        GlobalTensor view = *this;
        view.operand.base = reinterpret_cast<uint8_t*>(
            reinterpret_cast<uintptr_t>(view.operand.base) + offset * sizeof(T));
        if (operand.count != UINT64_MAX)
            view.operand.count = offset < operand.count ? operand.count - offset : 0;
        return view;
    }
    T GetValue(uint64_t index, OPSLIB_TWIN_LINE) const {
        return opslib_twin::value_of<T>(opslib_twin::global_load(operand, index, line));
    }
    void SetValue(uint64_t index, T value, OPSLIB_TWIN_LINE) const {
        opslib_twin::global_store(operand, index, opslib_twin::bits_of(value), line);
    }
    uint64_t GetSize() const { return operand.count; }
    const T* GetPhyAddr() const { return reinterpret_cast<const T*>(operand.base); }

    opslib_twin::Global operand{};
};

}  // namespace AscendC

#endif
