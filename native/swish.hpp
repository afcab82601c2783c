// The sigmoid of whole vectors, and what WHENet bends its numbers with: a * sigmoid(a) (Ramachandran et al., 2017,
// https://arxiv.org/abs/1710.05941).

namespace facesieve::ISA {

// e^-a = 2^n 2^f, n whole and |f| <= 1/2, within 8e-5 of itself; below 2^-100 and above 2^60 those, as nobody can tell
// from 1 + e^-a. The bits of n + SHIFT are in the order of the numbers, and clamping them is cheaper than clamping a.
inline Lanes decay(Lanes a) {
    const Lanes scale = broadcast(-1.44269504f), shift = broadcast(SHIFT);
    const Lanes shifted = multiply_add(a, scale, shift);
    const Lanes f = multiply_add(a, scale, shift - shifted);
    // The polynomial of degree 3 of least relative error, 7.5e-5 (Remez exchange).
    Lanes power = multiply_add(f, broadcast(0.05517167f), broadcast(0.24261113f));
    power = multiply_add(f, power, broadcast(0.69326097f));
    power = multiply_add(f, power, broadcast(0.99992806f));
    const Whole least = (Whole)broadcast(SHIFT - 100.f), most = (Whole)broadcast(SHIFT + 60.f);
    Whole whole = (Whole)shifted;
    whole = whole > least ? whole : least;
    whole = whole < most ? whole : most;
    return (Lanes)((Whole)power + (whole << 23));
}

inline Lanes sigmoids(Lanes a) { return broadcast(1.f) / (broadcast(1.f) + decay(a)); }
inline Lanes swish(Lanes a) { return a / (broadcast(1.f) + decay(a)); }
constexpr float DEEPEST = 0.2784646f;  // how far below zero it goes, at -1.2784646

}  // namespace facesieve::ISA
