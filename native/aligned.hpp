// Arrays that begin at a cache line. A vector that lies in two cache lines takes two reads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace facesieve {

template <class Number>
class Aligned {
public:
    Aligned() = default;
    // Its numbers are not initialised.
    explicit Aligned(std::size_t count)
        : at_(static_cast<Number*>(::operator new[](count * sizeof(Number), LINE))), count_(count) {}

    static Aligned zeros(std::size_t count) {
        Aligned array(count);
        std::fill_n(array.data(), count, Number{0});
        return array;
    }

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

}  // namespace facesieve
