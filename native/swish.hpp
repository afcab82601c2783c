// The sigmoid of whole vectors, and what WHENet bends its numbers with: a * sigmoid(a) (Ramachandran et al., 2017,
// https://arxiv.org/abs/1710.05941).

namespace facesieve::ISA {

// e^-a = 2^n 2^f, n whole and |f| <= 1/2, within a few 1e-7 of itself; beyond |a| = 87, where floats end, e^-87 or e^87.
inline Lanes decay(Lanes a) {
    const Lanes scale = broadcast(-1.44269504f), most = broadcast(87.f);
    a = smaller(larger(a, -most), most);
    const Lanes shifted = multiply_add(a, scale, broadcast(SHIFT));
    const Lanes f = multiply_add(a, scale, broadcast(SHIFT) - shifted);
    // Least relative error of 2^f by a polynomial of degree 5: 7.5e-8 (Remez exchange).
    Lanes power = multiply_add(f, broadcast(0.0013276472f), broadcast(0.009675541f));
    power = multiply_add(f, power, broadcast(0.05550713f));
    power = multiply_add(f, power, broadcast(0.2402212f));
    power = multiply_add(f, power, broadcast(0.69314694f));
    power = multiply_add(f, power, broadcast(1.0000001f));
    return times_power_of_two(power, shifted);
}

inline Lanes sigmoids(Lanes a) { return broadcast(1.f) / (broadcast(1.f) + decay(a)); }
inline Lanes swish(Lanes a) { return a / (broadcast(1.f) + decay(a)); }

}  // namespace facesieve::ISA
