// The sigmoid of whole vectors, and what WHENet bends its numbers with: a * sigmoid(a) (Ramachandran et al., 2017,
// https://arxiv.org/abs/1710.05941).

namespace facesieve::ISA {

// e^-a = 2^n 2^f, n whole and |f| <= 1/2, within 3e-6 of itself; below 2^-100 and above 2^60 those, as nobody can tell
// from 1 + e^-a. The bits of n + SHIFT are in the order of the numbers, and clamping them is cheaper than clamping a.
inline Lanes decay(Lanes a) {
    const Lanes scale = broadcast(-1.44269504f), shift = broadcast(SHIFT);
    const Lanes shifted = multiply_add(a, scale, shift);
    const Lanes f = multiply_add(a, scale, shift - shifted);
    // The polynomial of degree 4 of least relative error, 2.6e-6 (Remez exchange).
    Lanes power = multiply_add(f, broadcast(0.009570102f), broadcast(0.05591786f));
    power = multiply_add(f, power, broadcast(0.24024744f));
    power = multiply_add(f, power, broadcast(0.6931218f));
    power = multiply_add(f, power, broadcast(0.9999993f));
    const Whole least = (Whole)broadcast(SHIFT - 100.f), most = (Whole)broadcast(SHIFT + 60.f);
    Whole whole = (Whole)shifted;
    whole = whole > least ? whole : least;
    whole = whole < most ? whole : most;
    return (Lanes)((Whole)power + (whole << 23));
}

inline Lanes sigmoids(Lanes a) { return broadcast(1.f) / (broadcast(1.f) + decay(a)); }
inline Lanes swish(Lanes a) { return a / (broadcast(1.f) + decay(a)); }

}  // namespace facesieve::ISA
