//! Pictures as SVG: lines on axes, and values against bounds. Nothing is loaded from anywhere.

use std::fmt::Write as _;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 76.0;
const BOTTOM: f64 = 56.0;
/// Height of a row of [`against_bounds`].
const ROW: f64 = 30.0;
/// Where values begin there: to the left are names.
const NAMES: f64 = 430.0;

/// What the numbers of a direction mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Axis {
    /// What it is, with its unit.
    pub(crate) label: &'static str,
    /// The least and the largest number that is shown.
    pub(crate) range: (f64, f64),
    /// Numbers that are marked.
    pub(crate) marks: Vec<f64>,
    /// By orders of magnitude.
    pub(crate) log: bool,
}

impl Axis {
    /// Where a number is, 0 to 1.
    fn place(&self, number: f64) -> f64 {
        let scale = |x: f64| if self.log { libm::log10(x.max(1e-9)) } else { x };
        let (from, to) = (scale(self.range.0), scale(self.range.1));
        ((scale(number) - from) / (to - from)).clamp(0.0, 1.0)
    }
}

/// A line, or only its points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    pub(crate) colour: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// Lines on axes.
pub(crate) fn lines(title: &str, x: &Axis, y: &Axis, lines: &[Line]) -> String {
    let (wide, high) = (WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM);
    let at = |(px, py): (f64, f64)| (LEFT + wide * x.place(px), TOP + high * (1.0 - y.place(py)));
    let mut svg = begin(title, HEIGHT);
    for mark in &x.marks {
        let (px, _) = at((*mark, y.range.0));
        let _ = writeln!(svg, r##"<path d="M{px:.1} {TOP}V{:.1}" stroke="#e4e4e4"/>"##, TOP + high);
        text(&mut svg, (px, TOP + high + 18.0), "middle", &number(*mark));
    }
    for mark in &y.marks {
        let (_, py) = at((x.range.0, *mark));
        let _ = writeln!(svg, r##"<path d="M{LEFT} {py:.1}H{:.1}" stroke="#e4e4e4"/>"##, LEFT + wide);
        text(&mut svg, (LEFT - 8.0, py + 4.0), "end", &number(*mark));
    }
    text(&mut svg, (LEFT + wide / 2.0, HEIGHT - 14.0), "middle", x.label);
    let (lx, ly) = (20.0, TOP + high / 2.0);
    let _ = writeln!(
        svg,
        r#"<text x="{lx}" y="{ly:.1}" text-anchor="middle" transform="rotate(-90 {lx} {ly:.1})">{}</text>"#,
        escaped(y.label)
    );
    for (i, line) in lines.iter().enumerate() {
        let colour = line.colour;
        let places: Vec<(f64, f64)> = line.points.iter().map(|point| at(*point)).collect();
        let path: Vec<String> = places.iter().map(|(px, py)| format!("{px:.1},{py:.1}")).collect();
        let _ = writeln!(
            svg,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="2.5"/>"#,
            path.join(" ")
        );
        for ((px, py), (vx, vy)) in places.iter().zip(&line.points) {
            let said = format!("{}: {} at {}", line.name, number(*vy), number(*vx));
            let _ = writeln!(
                svg,
                r#"<circle cx="{px:.1}" cy="{py:.1}" r="4" fill="{colour}"><title>{}</title></circle>"#,
                escaped(&said)
            );
        }
        let kx = LEFT + i as f64 * wide / lines.len() as f64;
        let _ = writeln!(svg, r#"<path d="M{kx:.1} 52h22" stroke="{colour}" stroke-width="4"/>"#);
        text(&mut svg, (kx + 28.0, 56.0), "start", line.name);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A value with its error and the bound that it must not be above.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounded {
    pub(crate) name: String,
    /// A share, 0 to 1.
    pub(crate) value: f64,
    /// Its standard error.
    pub(crate) error: f64,
    /// The promise, 0 to 1.
    pub(crate) promise: f64,
}

/// Shares against what was promised, one a row, in percent.
pub(crate) fn against_bounds(title: &str, rows: &[Bounded]) -> String {
    let height = TOP + ROW * rows.len() as f64 + BOTTOM;
    let most = rows.iter().map(|row| (row.value + 3.0 * row.error).max(row.promise)).fold(1e-6, f64::max) * 1.15;
    let at = |share: f64| NAMES + (WIDTH - NAMES - RIGHT) * (share / most).clamp(0.0, 1.0);
    let mut svg = begin(title, height);
    for (i, row) in rows.iter().enumerate() {
        let y = TOP + ROW * (i as f64 + 0.5);
        let colour = if row.value > row.promise + 3.0 * row.error { RECORD } else { SERIN };
        text(&mut svg, (NAMES - 10.0, y + 4.0), "end", &row.name);
        let (low, high) = (at(row.value - 3.0 * row.error), at(row.value + 3.0 * row.error));
        let _ = writeln!(svg, r#"<path d="M{low:.1} {y:.1}H{high:.1}" stroke="{colour}" stroke-width="2"/>"#);
        let said = format!("{:.2} %", 100.0 * row.value);
        let _ = writeln!(
            svg,
            r#"<circle cx="{:.1}" cy="{y:.1}" r="4.5" fill="{colour}"><title>{said}</title></circle>"#,
            at(row.value)
        );
        let limit = at(row.promise);
        let (above, below) = (y - ROW / 2.0, y + ROW / 2.0);
        let _ =
            writeln!(svg, r##"<path d="M{limit:.1} {above:.1}V{below:.1}" stroke="#333" stroke-dasharray="4 3"/>"##);
    }
    let note = "share of rollouts, with three standard errors; dashed: what is promised";
    text(&mut svg, (WIDTH - RIGHT, height - 34.0), "end", note);
    let last = rows.last().map_or(0.0, |row| row.promise);
    text(&mut svg, (at(last), height - 14.0), "middle", &format!("{} %", number(100.0 * last)));
    text(&mut svg, (NAMES, height - 14.0), "middle", "0");
    svg.push_str("</svg>\n");
    svg
}

/// Colours that can be told apart by those who see few of them.
pub(crate) const RECORD: &str = "#b2182b";
/// The record's rule, scoped.
pub(crate) const SCOPED: &str = "#e08214";
/// Kayenta's judge.
pub(crate) const KAYENTA: &str = "#777777";
/// Ours.
pub(crate) const SERIN: &str = "#2166ac";

fn begin(title: &str, height: f64) -> String {
    let title = escaped(title);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{title}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
    );
    let _ = writeln!(svg, r##"<rect width="{WIDTH}" height="{height}" fill="#fff"/>"##);
    let _ = writeln!(svg, r#"<text x="{}" y="28" font-size="16" font-weight="bold">{title}</text>"#, RIGHT);
    svg
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, said: &str) {
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(said));
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// With as many digits as are worth reading, thousands apart.
pub(crate) fn number(x: f64) -> String {
    let digits = match x.abs() {
        x if x == 0.0 || x >= 100.0 || x.fract() == 0.0 => 0,
        x if x >= 1.0 => 1,
        _ => 2,
    };
    let plain = format!("{x:.digits$}");
    let (whole, rest) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut out = String::new();
    for (i, digit) in whole.char_indices() {
        let left = whole.len() - i;
        if i > 0 && left.is_multiple_of(3) && !out.ends_with('-') {
            out.push(',');
        }
        out.push(digit);
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_easily() {
        let all = [0.0, 0.25, 3.74, 41.0, 99.94, 1_140.2, 1_234_567.0, -1_000.0].map(number);
        assert_eq!(all, ["0", "0.25", "3.7", "41", "99.9", "1,140", "1,234,567", "-1,000"]);
    }

    #[test]
    fn points_are_where_their_numbers_are() {
        let axis = Axis { label: "a & b", range: (1.0, 100.0), marks: vec![1.0, 10.0], log: true };
        assert_eq!((axis.place(10.0), axis.place(0.0), axis.place(1e9)), (0.5, 0.0, 1.0));
        let line = Line { name: "<one>", colour: SERIN, points: vec![(10.0, 10.0)] };
        let svg = lines("t", &axis, &axis, &[line]);
        let (x, y) = (LEFT + (WIDTH - LEFT - RIGHT) / 2.0, TOP + (HEIGHT - TOP - BOTTOM) / 2.0);
        assert!(svg.contains(&format!(r#"<circle cx="{x:.1}" cy="{y:.1}""#)), "{svg}");
        assert!(svg.contains("a &amp; b") && svg.contains("&lt;one&gt;") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn a_broken_promise_is_seen() {
        let row = |value: f64| Bounded { name: "n".into(), value, error: 0.001, promise: 0.01 };
        assert!(against_bounds("t", &[row(0.02)]).contains(RECORD));
        assert!(!against_bounds("t", &[row(0.011)]).contains(RECORD));
    }
}
