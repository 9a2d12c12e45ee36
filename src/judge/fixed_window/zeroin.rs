//! Brent's root finder (Brent 1973, as `zeroin` in Netlib). The functions here are steps, so the place of a root
//! depends on the path of the search; the tolerances are those of R's `wilcox.test`, which Kayenta follows.

const TOLERANCE: f64 = 1e-4;
const MOST_STEPS: usize = 1000;

/// A place and the value there.
#[derive(Clone, Copy)]
struct Point {
    x: f64,
    y: f64,
}

/// A root of a function between two places where it has different signs.
pub(super) fn root(function: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let at = |x: f64| Point { x, y: function(x) };
    let (mut before, mut best) = (at(low), at(high));
    if before.y == 0.0 {
        return before.x;
    }
    // The root is between the best place so far and the opposite one.
    let mut opposite = before;
    for _ in 0..MOST_STEPS {
        let last_step = best.x - before.x;
        if opposite.y.abs() < best.y.abs() {
            (before, best, opposite) = (best, opposite, best);
        }
        let tolerance = 2.0 * f64::EPSILON * best.x.abs() + 0.5 * TOLERANCE;
        let mut step = 0.5 * (opposite.x - best.x);
        if step.abs() <= tolerance || best.y == 0.0 {
            break;
        }
        if last_step.abs() >= tolerance && before.y.abs() > best.y.abs() {
            step = interpolated(before, best, opposite, last_step, tolerance).unwrap_or(step);
        }
        if step.abs() < tolerance {
            step = tolerance.copysign(step);
        }
        before = best;
        best = at(best.x + step);
        if best.y != 0.0 && (best.y > 0.0) == (opposite.y > 0.0) {
            opposite = before;
        }
    }
    best.x
}

/// The step that a line through two points, or an inverse parabola through three, suggests; none when it leaves the
/// interval or hardly shrinks the step.
fn interpolated(before: Point, best: Point, opposite: Point, last_step: f64, tolerance: f64) -> Option<f64> {
    let width = opposite.x - best.x;
    let to_before = best.y / before.y;
    let (above, below) = if before.x.to_bits() == opposite.x.to_bits() {
        (width * to_before, 1.0 - to_before)
    } else {
        let (outer, to_opposite) = (before.y / opposite.y, best.y / opposite.y);
        (
            to_before * (width * outer * (outer - to_opposite) - (best.x - before.x) * (to_opposite - 1.0)),
            (outer - 1.0) * (to_opposite - 1.0) * (to_before - 1.0),
        )
    };
    let (above, below) = if above > 0.0 { (above, -below) } else { (-above, below) };
    let is_inside = above < 0.75 * width * below - (tolerance * below).abs() / 2.0;
    (is_inside && above < (last_step * below / 2.0).abs()).then(|| above / below)
}

#[cfg(test)]
mod tests {
    /// A root that is missed shifts every interval of a comparison of windows.
    #[test]
    fn finds_roots() {
        assert!((super::root(|x| x * x * x - 2.0, 0.0, 5.0) - 2f64.cbrt()).abs() < 1e-4);
        assert!((super::root(|x| if x < 0.3 { -1.0 } else { 1.0 }, -1.0, 1.0) - 0.3).abs() < 1e-4);
    }
}
