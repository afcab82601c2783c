#include "area.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstdint>
#include <vector>

namespace facesieve {

namespace {

constexpr double LEAST_COVERAGE = 1e-3;  // cv2 ignores pixels that are covered by less

double ratio(int from, int to) { return 1.0 / (static_cast<double>(to) / from); }

}  // namespace

std::vector<Span> area_spans(int from, int to) {
    std::vector<Span> spans(to);
    const double scale = ratio(from, to);
    for (int i = 0; i < to; ++i) {
        const double left = i * scale, right = left + scale;
        const double width = std::min(scale, from - left);
        const int whole_end = std::min(static_cast<int>(std::floor(right)), from - 1);
        const int whole = std::min(static_cast<int>(std::ceil(left)), whole_end);
        const float inner = static_cast<float>(1.0 / width);
        Span span{whole, whole_end - whole, inner, inner, inner};
        if (whole - left > LEAST_COVERAGE) {
            --span.start;
            ++span.count;
            span.first = static_cast<float>((whole - left) / width);
        }
        if (right - whole_end > LEAST_COVERAGE) {
            ++span.count;
            span.last = static_cast<float>(std::min(std::min(right - whole_end, 1.0), width) / width);
            if (span.count == 1) span.first = span.last;
        }
        spans[i] = span;
    }
    return spans;
}

std::vector<Span> linear_spans(int from, int to) {
    std::vector<Span> spans(to);
    const double inverse = static_cast<double>(to) / from, scale = ratio(from, to);
    for (int i = 0; i < to; ++i) {
        const int start = static_cast<int>(std::floor(i * scale));
        const float overshoot = static_cast<float>((i + 1) - (start + 1) * inverse);
        const float share = overshoot <= 0 ? 0.f : overshoot - std::floor(overshoot);
        if (start >= from - 1) {
            spans[i] = {from - 1, 1, 1.f, 0.f, 0.f};
        } else {
            spans[i] = {start, 2, 1.f - share, 0.f, share};
        }
    }
    return spans;
}

Rounding rounding_of(int width, int height, int to_width, int to_height) {
    const double x = ratio(width, to_width), y = ratio(height, to_height);
    const double whole_x = std::nearbyint(x), whole_y = std::nearbyint(y);
    if (std::abs(x - whole_x) >= DBL_EPSILON || std::abs(y - whole_y) >= DBL_EPSILON) return Rounding::weighted;
    return whole_x == 2 && whole_y == 2 ? Rounding::halves : Rounding::whole;
}

std::uint8_t area_value(const Picture& picture, const Span& across, const Span& down, int colour, Rounding rounding) {
    const auto weight = [](const Span& span, int i) {
        return i == 0 ? span.first : i == span.count - 1 ? span.last : span.middle;
    };
    float total = 0;
    int whole = 0;
    for (int y = 0; y < down.count; ++y) {
        const std::uint8_t* at = picture.row(down.start + y) + COLOURS * across.start + colour;
        float row = 0;
        for (int x = 0; x < across.count; ++x, at += COLOURS) {
            row += static_cast<float>(*at) * weight(across, x);
            whole += *at;
        }
        const float part = row * weight(down, y);
        total = y == 0 ? part : total + part;
    }
    if (rounding == Rounding::halves) return static_cast<std::uint8_t>((whole + 2) >> 2);
    if (rounding == Rounding::whole)
        total = static_cast<float>(whole) * (1.f / static_cast<float>(across.count * down.count));
    return static_cast<std::uint8_t>(std::clamp(std::nearbyint(total), 0.f, 255.f));
}

float area_error_bound(const Span& across, const Span& down) {
    constexpr float UNIT = FLT_EPSILON / 2;
    return 2 * 256 * UNIT * static_cast<float>(across.count + down.count + 4);
}

}  // namespace facesieve
