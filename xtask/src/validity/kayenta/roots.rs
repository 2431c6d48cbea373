//! Roots by the method of Brent: interpolation where it converges, halving where it does not.
//!
//! Stops within 5e-5 of the root, whatever the root's size is, and where the function steps over zero that is where the interval happens to be by then. Kayenta's
//! verdicts on error rates near zero depend on it, so that the order of operations here is that of the method as Brent gave it (`zeroin`).

/// Half of the absolute tolerance of a root.
const CLOSE: f64 = 0.5e-4;
const STEPS: u32 = 1_000;

/// A point of the function: where and what.
type Point = (f64, f64);

/// The root between two points of a function whose values are of opposite signs.
pub(super) fn between(from: Point, to: Point, function: impl Fn(f64) -> f64) -> f64 {
    let (mut a, mut b, mut c) = (from, to, from);
    if is_zero(a.1) {
        return a.0;
    }
    if is_zero(b.1) {
        return b.0;
    }
    for _ in 0..=STEPS {
        let previous = b.0 - a.0;
        if c.1.abs() < b.1.abs() {
            (a, b, c) = (b, c, b);
        }
        let close = 2.0 * f64::EPSILON * b.0.abs() + CLOSE;
        let half = (c.0 - b.0) / 2.0;
        if half.abs() <= close || is_zero(b.1) {
            return b.0;
        }
        let mut step = half;
        if previous.abs() >= close && a.1.abs() > b.1.abs() {
            step = interpolated(a, b, c, previous, close).unwrap_or(half);
        }
        if step.abs() < close {
            step = if step > 0.0 { close } else { -close };
        }
        a = b;
        b.0 += step;
        b.1 = function(b.0);
        if b.1 > 0.0 && c.1 > 0.0 || b.1 < 0.0 && c.1 < 0.0 {
            c = a;
        }
    }
    b.0
}

/// A step from `b` by a secant or an inverse parabola; `None` where it would lead too far.
fn interpolated(a: Point, b: Point, c: Point, previous: f64, close: f64) -> Option<f64> {
    let width = c.0 - b.0;
    let (p, q) = if a.0 == c.0 {
        let ratio = b.1 / a.1;
        (width * ratio, 1.0 - ratio)
    } else {
        let (q, r, s) = (a.1 / c.1, b.1 / c.1, b.1 / a.1);
        (s * (width * q * (q - r) - (b.0 - a.0) * (r - 1.0)), (q - 1.0) * (r - 1.0) * (s - 1.0))
    };
    let (p, q) = if p > 0.0 { (p, -q) } else { (-p, q) };
    (p < 0.75 * width * q - (close * q).abs() / 2.0 && p < (previous * q / 2.0).abs()).then(|| p / q)
}

/// Whether a value is zero to the last bit but one.
fn is_zero(value: f64) -> bool {
    value.abs() <= f64::from_bits(1)
}

#[cfg(test)]
mod tests {
    use super::between;

    fn root(from: f64, to: f64, of: fn(f64) -> f64) -> f64 {
        between((from, of(from)), (to, of(to)), of)
    }

    #[test]
    fn roots_are_found_to_their_tolerance() {
        for (from, to, of, exact) in [
            (0.0, 2.0, (|x| x * x - 2.0) as fn(f64) -> f64, 2f64.sqrt()),
            (-3.0, 1.0, |x| x * x * x + 1.0, -1.0),
            (0.0, 10.0, |x| libm::exp(-x) - 0.2, 5f64.ln()),
            (5.0, 0.0, |x| 1.0 - x, 1.0),
        ] {
            let seen = root(from, to, of);
            assert!((seen - exact).abs() <= 1e-4, "{seen} {exact}");
        }
    }

    #[test]
    fn an_end_that_is_a_root_is_it() {
        assert_eq!(root(0.0, 3.0, |x| x), 0.0);
        assert_eq!(root(-3.0, 0.0, |x| x), 0.0);
    }
}
