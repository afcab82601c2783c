#include "faces.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace facesieve {

namespace {

// The fixed point of modules/imgproc/src/imgwarp.cpp, OpenCV 4: WarpAffineInvoker and remapBilinear.
constexpr int COORDINATE_BITS = 10, FRACTION_BITS = 5;
constexpr int FRACTIONS = 1 << FRACTION_BITS;
constexpr double COORDINATE = 1 << COORDINATE_BITS;

constexpr double LIMIT = 2147483648.0;  // outside any picture, and small enough for the integers

std::int64_t rounded(double value) {
    return static_cast<std::int64_t>(std::nearbyint(std::clamp(value, -LIMIT, LIMIT)));
}

// The inverse of a matrix from picture to crop. A matrix without an inverse maps all pixels to one place.
struct CropToPicture {
    double xx, xy, x, yx, yy, y;

    explicit CropToPicture(const double* m) {
        const double determinant = m[0] * m[4] - m[1] * m[3];
        const double scale = determinant != 0 ? 1 / determinant : 0;
        xx = m[4] * scale, yy = m[0] * scale;
        xy = m[1] * -scale, yx = m[3] * -scale;
        x = -xx * m[2] - xy * m[5];
        y = -yx * m[2] - yy * m[5];
    }
};

// Interpolates at (x + fx / 32, y + fy / 32); pixels outside the picture are black.
void blend(const Picture& picture, int x, int y, int fx, int fy, std::uint8_t* out) {
    const int weights[4] = {(FRACTIONS - fx) * (FRACTIONS - fy), fx * (FRACTIONS - fy), (FRACTIONS - fx) * fy, fx * fy};
    int sums[COLOURS] = {};
    for (int tap = 0; tap < 4; ++tap) {
        const int column = x + tap % 2, row = y + tap / 2;
        if (column < 0 || column >= picture.width || row < 0 || row >= picture.height) continue;
        const std::uint8_t* pixel = picture.row(row) + COLOURS * column;
        for (int colour = 0; colour < COLOURS; ++colour) sums[colour] += weights[tap] * pixel[colour];
    }
    constexpr int HALF = FRACTIONS * FRACTIONS / 2;
    for (int colour = 0; colour < COLOURS; ++colour)
        out[colour] = static_cast<std::uint8_t>((sums[colour] + HALF) >> (2 * FRACTION_BITS));
}

}  // namespace

void warp(const Picture& picture, const double* matrices, std::ptrdiff_t count, int side, std::uint8_t* crops) {
    constexpr int HALF = 1 << (COORDINATE_BITS - FRACTION_BITS - 1);
    std::vector<std::int64_t> along_x(side), along_y(side);
    for (std::ptrdiff_t face = 0; face < count; ++face) {
        const CropToPicture to(matrices + 6 * face);
        for (int x = 0; x < side; ++x) {
            along_x[x] = rounded(to.xx * x * COORDINATE);
            along_y[x] = rounded(to.yx * x * COORDINATE);
        }
        for (int y = 0; y < side; ++y) {
            const std::int64_t from_x = rounded((to.xy * y + to.x) * COORDINATE) + HALF;
            const std::int64_t from_y = rounded((to.yy * y + to.y) * COORDINATE) + HALF;
            for (int x = 0; x < side; ++x, crops += COLOURS) {
                const auto at_x = static_cast<int>((from_x + along_x[x]) >> (COORDINATE_BITS - FRACTION_BITS));
                const auto at_y = static_cast<int>((from_y + along_y[x]) >> (COORDINATE_BITS - FRACTION_BITS));
                blend(picture, at_x >> FRACTION_BITS, at_y >> FRACTION_BITS, at_x & (FRACTIONS - 1),
                      at_y & (FRACTIONS - 1), crops);
            }
        }
    }
}

double laplacian_variance(const std::uint8_t* grey, int height, int width) {
    std::int64_t total = 0, squares = 0;
    for (int y = 0; y < height; ++y) {
        const auto mirrored = [](int at, int size) { return size == 1 ? 0 : at < 0 ? 1 : at == size ? size - 2 : at; };
        const std::uint8_t* row = grey + std::ptrdiff_t{width} * y;
        const std::uint8_t* above = grey + std::ptrdiff_t{width} * mirrored(y - 1, height);
        const std::uint8_t* below = grey + std::ptrdiff_t{width} * mirrored(y + 1, height);
        int row_total = 0;
        std::int64_t row_squares = 0;
        const auto add = [&](int x, int left, int right) {
            const int value = above[x] + below[x] + row[left] + row[right] - 4 * row[x];
            row_total += value;
            row_squares += value * value;
        };
        add(0, mirrored(-1, width), mirrored(1, width));
        for (int x = 1; x < width - 1; ++x) add(x, x - 1, x + 1);
        if (width > 1) add(width - 1, width - 2, mirrored(width, width));
        total += row_total;
        squares += row_squares;
    }
    const double count = static_cast<double>(height) * width;
    return (static_cast<double>(squares) - static_cast<double>(total) * static_cast<double>(total) / count) / count;
}

}  // namespace facesieve
