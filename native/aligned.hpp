// Arrays that begin on a cache line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace facesieve {

// Not initialised. A vector across two cache lines costs two reads.
template <class Number>
class Aligned {
public:
    Aligned() = default;
    explicit Aligned(std::size_t count)
        : at_(static_cast<Number*>(::operator new[](count * sizeof(Number), LINE))), count_(count) {}

    Number* data() const { return at_.get(); }
    std::size_t size() const { return count_; }

private:
    static constexpr std::align_val_t LINE{64};
    struct Free {
        void operator()(Number* at) const { ::operator delete[](at, LINE); }
    };
    std::unique_ptr<Number[], Free> at_;
    std::size_t count_ = 0;
};

using Floats = Aligned<float>;
using Shorts = Aligned<std::int16_t>;

}  // namespace facesieve
