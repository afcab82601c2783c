// The Python module: checks every argument, releases Python's lock while it computes, and leaves the arithmetic to the
// other files.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "architecture.hpp"
#include "faces.hpp"
#include "filters.hpp"
#include "kernels.hpp"
#include "nms.hpp"
#include "picture.hpp"
#include "pose_layers.hpp"

namespace py = pybind11;

namespace facesieve {
namespace {

template <class T>
using Array = py::array_t<T, py::array::c_style>;

constexpr int LARGEST_SIDE = 1 << 20;
constexpr std::int32_t FARTHEST_CORNER = 1 << 20;  // of a box's corners, in pixels

void require(bool holds, const std::string& message) {
    if (!holds) throw py::value_error(message);
}

void require_shape(const py::array& array, const std::vector<py::ssize_t>& shape, const std::string& name) {
    bool fits = array.ndim() == static_cast<py::ssize_t>(shape.size());
    for (std::size_t i = 0; fits && i < shape.size(); ++i) fits = shape[i] < 0 || array.shape(i) == shape[i];
    if (fits) return;
    std::string wanted;
    for (const py::ssize_t size : shape)
        wanted += (wanted.empty() ? "" : ", ") + (size < 0 ? "n" : std::to_string(size));
    throw py::value_error(name + " must have shape (" + wanted + ")");
}

Picture picture(const Array<std::uint8_t>& pixels) {
    require_shape(pixels, {-1, -1, COLOURS}, "pixels");
    require(pixels.shape(0) <= LARGEST_SIDE && pixels.shape(1) <= LARGEST_SIDE, "pixels has a side over 2**20");
    require(pixels.size() > 0, "pixels is empty");
    return {pixels.data(), static_cast<int>(pixels.shape(1)), static_cast<int>(pixels.shape(0))};
}

// Sizes of one layer: numbers of weights, and of biases and slopes.
struct Sizes {
    int weights, filters;
};

int weights_of(const Convolution& layer, int filters) { return layer.kernel * layer.kernel * layer.channels * filters; }

std::vector<Sizes> sizes_of_pnet() {
    std::vector<Sizes> sizes;
    for (const Convolution& layer : Pnet::CONVOLUTIONS)
        sizes.push_back({weights_of(layer, layer.filters), layer.filters});
    const int features = sizes.back().filters;
    for (const int filters : Pnet::HEADS) sizes.push_back({features * filters, filters});
    return sizes;
}

// Net: Rnet or Onet. Filters are filled up to whole panels.
template <class Net>
std::vector<Sizes> sizes_of() {
    std::vector<Sizes> sizes;
    for (const Convolution& layer : Net::CONVOLUTIONS)
        sizes.push_back({weights_of(layer, padded(layer.filters)), padded(layer.filters)});
    sizes.push_back({features<Net>() * padded(Net::DENSE), padded(Net::DENSE)});
    sizes.push_back({Net::DENSE * padded(Net::ANSWERS), padded(Net::ANSWERS)});
    return sizes;
}

std::vector<Sizes> sizes_of_sievepose() {
    std::vector<Sizes> sizes;
    for (const Sievepose::Layer& layer : Sievepose::LAYERS)
        sizes.push_back({Sievepose::KERNEL * Sievepose::KERNEL * layer.channels * layer.filters, layer.filters});
    constexpr int BINS = padded(Sievepose::HEADS * Sievepose::BINS);
    sizes.push_back({Sievepose::FEATURES * BINS, BINS});
    return sizes;
}

// From Python: weights, biases and slopes of each layer.
using PythonLayers = std::vector<std::tuple<Array<float>, Array<float>, Array<float>>>;

CascadeLayers cascade_layers(const PythonLayers& given, const std::vector<Sizes>& sizes, const std::string& network) {
    require(given.size() == sizes.size(), network + " must have " + std::to_string(sizes.size()) + " layers");
    const auto numbers = [&](const Array<float>& array, int size, const std::string& what) {
        require(array.size() == size, network + ": " + what + " must be " + std::to_string(size) + " numbers, not " +
                                          std::to_string(array.size()));
        return std::vector<float>(array.data(), array.data() + size);
    };
    CascadeLayers layers;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
        const auto& [weights, bias, slope] = given[i];
        const std::string layer = " of layer " + std::to_string(i + 1);
        layers.push_back({numbers(weights, sizes[i].weights, "weights" + layer),
                          numbers(bias, sizes[i].filters, "biases" + layer),
                          numbers(slope, sizes[i].filters, "slopes" + layer)});
    }
    return layers;
}

py::tuple cell_columns(const std::vector<Cell>& cells) {
    const auto count = static_cast<py::ssize_t>(cells.size());
    Array<std::int64_t> rows(count), columns(count);
    Array<float> probability(count), regression({count, py::ssize_t{4}});
    for (py::ssize_t i = 0; i < count; ++i) {
        rows.mutable_at(i) = cells[i].row;
        columns.mutable_at(i) = cells[i].column;
        probability.mutable_at(i) = cells[i].probability;
        std::copy_n(cells[i].regression, 4, regression.mutable_data(i, 0));
    }
    return py::make_tuple(rows, columns, probability, regression);
}

class Networks {
public:
    Networks(const PythonLayers& pnet, const PythonLayers& rnet, const PythonLayers& onet, const std::string& isa)
        : pnet_(cascade_layers(pnet, sizes_of_pnet(), "pnet")),
          rnet_(cascade_layers(rnet, sizes_of<Rnet>(), "rnet")),
          onet_(cascade_layers(onet, sizes_of<Onet>(), "onet")),
          kernels_(kernels_named(isa)) {}

    std::string isa() const { return kernels_.name; }

    py::list propose(const Array<std::uint8_t>& pixels, const std::vector<double>& scales, float threshold) const {
        const Picture of = picture(pixels);
        require(threshold >= 0 && threshold <= 1, "threshold must be in 0..1");
        for (const double scale : scales) require(scale > 0 && scale <= 1, "a scale must be above 0, and 1 at most");
        std::vector<std::vector<Cell>> levels(scales.size());
        {
            py::gil_scoped_release free;
            for (std::size_t i = 0; i < scales.size(); ++i) propose_level(of, scales[i], threshold, levels[i]);
        }
        py::list found;
        for (const auto& cells : levels) found.append(cell_columns(cells));
        return found;
    }

    Array<std::uint8_t> level(const Array<std::uint8_t>& pixels, int width, int height) const {
        const Picture of = picture(pixels);
        require(0 < width && width <= of.width && 0 < height && height <= of.height,
                "a level is no larger than the picture");
        Array<std::uint8_t> level({height, width, COLOURS});
        std::uint8_t* out = level.mutable_data();
        py::gil_scoped_release free;
        kernels_.level(of, width, height, out);
        return level;
    }

    Array<float> crop(const Array<std::uint8_t>& pixels, const Array<std::int32_t>& boxes, int size) const {
        const Picture of = picture(pixels);
        require_shape(boxes, {-1, 4}, "boxes");
        require(0 < size && size <= 1024, "size must be in 1..1024");
        const auto* first = reinterpret_cast<const Box*>(boxes.data());
        const py::ssize_t count = boxes.shape(0);
        for (py::ssize_t i = 0; i < count; ++i) {
            const Box& box = first[i];
            require(box.x1 >= -FARTHEST_CORNER && box.y1 >= -FARTHEST_CORNER && box.x2 <= FARTHEST_CORNER &&
                        box.y2 <= FARTHEST_CORNER,
                    "a box lies more than 2**20 pixels away");
            require(box.x2 >= box.x1 && box.y2 >= box.y1, "a box has its corners the wrong way round");
        }
        Array<float> crops({count, py::ssize_t{size}, py::ssize_t{size}, py::ssize_t{COLOURS}});
        float* out = crops.mutable_data();
        py::gil_scoped_release free;
        kernels_.crop(of, first, count, size, out);
        return crops;
    }

    double run_multiply_adds(long steps) const {
        require(steps >= 0, "steps must not be negative");
        py::gil_scoped_release free;
        return kernels_.run_multiply_adds(steps);
    }

    Array<float> refine(const Array<float>& crops) const { return run<Rnet>(crops, rnet_, kernels_.refine); }
    Array<float> locate(const Array<float>& crops) const { return run<Onet>(crops, onet_, kernels_.locate); }

private:
    using CropKernel = void (*)(const CascadeLayers&, const float*, std::ptrdiff_t, float*);

    template <class Net>
    static Array<float> run(const Array<float>& crops, const CascadeLayers& layers, CropKernel kernel) {
        require_shape(crops, {-1, Net::SIDE, Net::SIDE, COLOURS}, "crops");
        const py::ssize_t count = crops.shape(0);
        Array<float> answers({count, py::ssize_t{Net::ANSWERS}});
        const float* in = crops.data();
        float* out = answers.mutable_data();
        py::gil_scoped_release free;
        kernel(layers, in, count, out);
        return answers;
    }

    // Cells are sorted by column, then row, as in the reference: the order decides between equal scores.
    void propose_level(const Picture& of, double scale, float threshold, std::vector<Cell>& cells) const {
        const int width = static_cast<int>(std::ceil(of.width * scale));
        const int height = static_cast<int>(std::ceil(of.height * scale));
        kernels_.propose(pnet_, of, width, height, threshold, cells);
        std::stable_sort(cells.begin(), cells.end(), [](const Cell& a, const Cell& b) { return a.column < b.column; });
    }

    CascadeLayers pnet_, rnet_, onet_;
    const Kernels& kernels_;
};

class SieveposeNetwork {
public:
    SieveposeNetwork(const std::array<float, COLOURS>& mean, const std::array<float, COLOURS>& deviation,
                     const PythonLayers& layers, const std::vector<std::vector<double>>& degrees, const std::string& isa)
        : kernels_(kernels_named(isa)) {
        std::copy_n(mean.begin(), COLOURS, net_.mean);
        std::copy_n(deviation.begin(), COLOURS, net_.deviation);
        net_.layers = cascade_layers(layers, sizes_of_sievepose(), "sievepose");
        require(degrees.size() == Sievepose::HEADS, "sievepose has another number of heads");
        for (const auto& head : degrees) require(head.size() == Sievepose::BINS, "a head has another number of bins");
        net_.degrees = degrees;
    }

    std::string isa() const { return kernels_.name; }

    Array<float> estimate(const Array<std::uint8_t>& crops) const {
        require_shape(crops, {-1, Sievepose::SIDE, Sievepose::SIDE, COLOURS}, "crops");
        const py::ssize_t count = crops.shape(0);
        Array<float> angles({count, py::ssize_t{2}, py::ssize_t{Sievepose::HEADS}});
        const std::uint8_t* in = crops.data();
        float* out = angles.mutable_data();
        py::gil_scoped_release free;
        kernels_.run_sievepose(net_, in, count, out);
        return angles;
    }

private:
    SieveposeLayers net_;
    const Kernels& kernels_;
};

Array<std::int64_t> suppressed(const Array<double>& boxes, double threshold, bool minimum) {
    require_shape(boxes, {-1, 4}, "boxes");
    const double* corners = boxes.data();
    const py::ssize_t count = boxes.shape(0);
    std::vector<std::ptrdiff_t> indices;
    {
        py::gil_scoped_release free;
        indices = suppress(corners, count, threshold, minimum);
    }
    Array<std::int64_t> kept(static_cast<py::ssize_t>(indices.size()));
    std::copy(indices.begin(), indices.end(), kept.mutable_data());
    return kept;
}

Array<std::uint8_t> warped(const Array<std::uint8_t>& pixels, const Array<double>& matrices, int size) {
    const Picture of = picture(pixels);
    require_shape(matrices, {-1, 2, 3}, "matrices");
    require(0 < size && size <= 1024, "size must be in 1..1024");
    const double* first = matrices.data();
    const py::ssize_t count = matrices.shape(0);
    require(std::all_of(first, first + 6 * count, [](double m) { return std::isfinite(m); }), "a matrix is not finite");
    Array<std::uint8_t> crops({count, py::ssize_t{size}, py::ssize_t{size}, py::ssize_t{COLOURS}});
    std::uint8_t* out = crops.mutable_data();
    py::gil_scoped_release free;
    warp(of, first, count, size, out);
    return crops;
}

Array<double> laplacian_variances(const Array<std::uint8_t>& grey) {
    require_shape(grey, {-1, -1, -1}, "grey");
    require(grey.shape(0) == 0 || (grey.shape(1) > 0 && grey.shape(2) > 0), "grey is empty");
    require(grey.shape(1) <= LARGEST_SIDE && grey.shape(2) <= 2048, "grey has a row over 2048 or a side over 2**20");
    Array<double> variances(grey.shape(0));
    double* out = variances.mutable_data();
    const std::uint8_t* first = grey.data();
    const auto height = static_cast<int>(grey.shape(1)), width = static_cast<int>(grey.shape(2));
    const py::ssize_t count = grey.shape(0);
    py::gil_scoped_release free;
    for (py::ssize_t i = 0; i < count; ++i)
        out[i] = laplacian_variance(first + i * std::ptrdiff_t{height} * width, height, width);
    return variances;
}

std::vector<std::string> isas() {
    std::vector<std::string> names;
    for (const Kernels* kernels : runnable_kernels()) names.push_back(kernels->name);
    return names;
}

}  // namespace
}  // namespace facesieve

PYBIND11_MODULE(_native, module) {
    using namespace facesieve;
    using namespace pybind11::literals;
    module.doc() = "Pyramid, crops, the three networks and suppression, compiled for several instruction sets.";
    module.def("isas", &isas, "Instruction sets that this build has and this machine runs, fastest first.");
    module.attr("PANEL") = PANEL;  // filters whose weights lie side by side
    module.def("suppress", &suppressed, "boxes"_a.noconvert(), "threshold"_a, "minimum"_a = false);
    module.def("warp", &warped, "pixels"_a.noconvert(), "matrices"_a.noconvert(), "size"_a,
               "Crops (n, size, size, 3) by matrices (n, 2, 3) from picture to crop, as OpenCV 4's warpAffine.");
    module.def("laplacian_variance", &laplacian_variances, "grey"_a.noconvert(),
               "Variance of the Laplacian of each (n, h, w).");
    py::class_<Networks>(module, "Networks")
        .def(py::init<const PythonLayers&, const PythonLayers&, const PythonLayers&, const std::string&>(), "pnet"_a,
             "rnet"_a, "onet"_a, "isa"_a = "")
        .def_property_readonly("isa", &Networks::isa)
        .def("propose", &Networks::propose, "pixels"_a.noconvert(), "scales"_a, "threshold"_a)
        .def("level", &Networks::level, "pixels"_a.noconvert(), "width"_a, "height"_a)
        .def("crop", &Networks::crop, "pixels"_a.noconvert(), "boxes"_a.noconvert(), "size"_a)
        .def("run_multiply_adds", &Networks::run_multiply_adds, "steps"_a)
        .def("refine", &Networks::refine, "crops"_a.noconvert())
        .def("locate", &Networks::locate, "crops"_a.noconvert());
    py::class_<SieveposeNetwork>(module, "Sievepose")
        .def(py::init<const std::array<float, COLOURS>&, const std::array<float, COLOURS>&, const PythonLayers&,
                      const std::vector<std::vector<double>>&, const std::string&>(),
             "mean"_a, "deviation"_a, "layers"_a, "degrees"_a, "isa"_a = "")
        .def_property_readonly("isa", &SieveposeNetwork::isa)
        .def("estimate", &SieveposeNetwork::estimate, "crops"_a.noconvert());
}
