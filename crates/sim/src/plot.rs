//! Pictures of many runs: a histogram for terminals, and the same as SVG.

use std::fmt::Write as _;

/// Numbers counted in cells of the same width.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// Lower bound of the first cell.
    pub from: f64,
    /// Width of a cell.
    pub width: f64,
    /// Numbers in each cell; a number on a bound belongs to the cell above it, but the largest to the last.
    pub counts: Vec<usize>,
}

impl Histogram {
    /// Of numbers in ascending order, in at most `cells` cells with round bounds; `None` of none.
    pub fn new(sorted: &[f64], cells: usize) -> Option<Self> {
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        let width = round_width((last - first) / cells.max(1) as f64);
        let from = (first / width).floor() * width;
        let count = (((last - from) / width).floor() as usize + 1).min(cells.max(1) + 1);
        let mut counts = vec![0; count];
        for number in sorted {
            let cell = ((number - from) / width).floor() as usize;
            counts[cell.min(count - 1)] += 1;
        }
        Some(Self { from, width, counts })
    }

    /// Bounds of a cell.
    pub fn bounds(&self, cell: usize) -> (f64, f64) {
        let low = self.from + cell as f64 * self.width;
        (low, low + self.width)
    }
}

/// A round number that is not below `width`: 1, 2 or 5 times a power of ten.
fn round_width(width: f64) -> f64 {
    if width <= 0.0 || !width.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(width.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|w| *w >= width).unwrap_or(10.0 * power)
}

/// The histogram as lines of text, each with its bounds, a bar and the count. `bar` is what bars are made of.
pub fn text(histogram: &Histogram, unit: &str, bar: char) -> String {
    const LONGEST: usize = 40;
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let bounds = |cell: usize| {
        let (low, high) = histogram.bounds(cell);
        format!("{}-{}{unit}", number(low), number(high))
    };
    let wide = (0..histogram.counts.len()).map(|cell| bounds(cell).len()).max().unwrap_or(0);
    let mut out = String::new();
    for (cell, count) in histogram.counts.iter().enumerate() {
        // A single run among thousands is still to be seen.
        let length = (count * LONGEST).div_ceil(most);
        let bars: String = std::iter::repeat_n(bar, length).collect();
        let _ = writeln!(out, "  {:>wide$}  {bars} {count}", bounds(cell));
    }
    out
}

/// A number without needless digits.
fn number(x: f64) -> String {
    let text = format!("{x:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// One picture of an SVG.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Unit of the numbers, such as ` s`.
    pub unit: String,
    /// The numbers, ascending.
    pub sorted: Vec<f64>,
}

/// Histograms one below the other, as an SVG that stands on its own. `outcomes` is the line below the title: each outcome with
/// its share and colour in the order given.
pub fn svg(title: &str, subtitle: &str, outcomes: &[(&str, f64)], panels: &[Panel]) -> String {
    const WIDTH: f64 = 720.0;
    const PANEL: f64 = 190.0;
    const TOP: f64 = 120.0;
    const COLOURS: [&str; 4] = ["#2a9d5c", "#c8453b", "#d9a21b", "#8a8f98"];
    let height = TOP + PANEL * panels.len() as f64 + 10.0;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let _ = writeln!(out, "<text x=\"24\" y=\"30\" font-size=\"17\" fill=\"#1c1f24\">{}</text>", escaped(title));
    let _ = writeln!(out, "<text x=\"24\" y=\"50\" fill=\"#5b6068\">{}</text>", escaped(subtitle));
    let mut x = 24.0;
    for ((name, share), colour) in outcomes.iter().zip(COLOURS) {
        let width = share * (WIDTH - 48.0);
        if width > 0.0 {
            let _ = writeln!(out, "<rect x=\"{x:.1}\" y=\"62\" width=\"{width:.1}\" height=\"16\" fill=\"{colour}\"/>");
            let label = format!("{name} {}%", number((share * 1000.0).round() / 10.0));
            let _ = writeln!(out, "<text x=\"{x:.1}\" y=\"94\" fill=\"{colour}\">{}</text>", escaped(&label));
        }
        x += width;
    }
    for (i, panel) in panels.iter().enumerate() {
        draw(&mut out, panel, TOP + PANEL * i as f64);
    }
    out.push_str("</svg>\n");
    out
}

fn draw(out: &mut String, panel: &Panel, top: f64) {
    const LEFT: f64 = 48.0;
    const INNER: (f64, f64) = (640.0, 120.0);
    let _ = writeln!(out, "<text x=\"24\" y=\"{:.1}\" fill=\"#1c1f24\">{}</text>", top + 12.0, escaped(&panel.title));
    let base = top + 24.0 + INNER.1;
    let Some(histogram) = Histogram::new(&panel.sorted, 30) else {
        let _ = writeln!(out, "<text x=\"{LEFT}\" y=\"{:.1}\" fill=\"#8a8f98\">none</text>", top + 60.0);
        return;
    };
    let most = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = INNER.0 / histogram.counts.len() as f64;
    for (cell, count) in histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let tall = *count as f64 / most * INNER.1;
        let (x, y) = (LEFT + cell as f64 * step, base - tall);
        let (low, high) = histogram.bounds(cell);
        let told = format!("{}-{}{}: {count}", number(low), number(high), panel.unit);
        let _ = writeln!(
            out,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{tall:.1}\" fill=\"#3b74b8\"><title>{}</title></rect>",
            (step - 1.0).max(1.0),
            escaped(&told),
        );
    }
    let _ = writeln!(
        out,
        "<path d=\"M{LEFT} {base:.1}h{}\" stroke=\"#8a8f98\" fill=\"none\"/>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\" fill=\"#5b6068\">{most}</text>",
        INNER.0,
        LEFT - 6.0,
        top + 34.0,
    );
    let (low, _) = histogram.bounds(0);
    let (_, high) = histogram.bounds(histogram.counts.len() - 1);
    for (x, value, anchor) in [(LEFT, low, "start"), (LEFT + INNER.0, high, "end")] {
        let label = format!("{}{}", number(value), panel.unit);
        let _ = writeln!(
            out,
            "<text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#5b6068\">{}</text>",
            base + 16.0,
            escaped(&label),
        );
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_round_and_hold_everything() {
        let numbers: Vec<f64> = (0..100).map(|i| 93.0 + f64::from(i) * 1.7).collect();
        let histogram = Histogram::new(&numbers, 10).unwrap();
        assert_eq!((histogram.from, histogram.width), (80.0, 20.0));
        assert_eq!(histogram.counts.iter().sum::<usize>(), 100);
        assert_eq!(Histogram::new(&[], 10), None);
        let same = Histogram::new(&[5.0, 5.0, 5.0], 10).unwrap();
        assert_eq!((same.counts, same.from), (vec![3], 5.0));
        let below = Histogram::new(&[-3.5, -0.5], 3).unwrap();
        assert_eq!((below.from, below.width, below.counts), (-4.0, 1.0, vec![1, 0, 0, 1]));
    }

    #[test]
    fn a_histogram_as_text() {
        let histogram = Histogram { from: 90.0, width: 10.0, counts: vec![1, 80, 0, 20] };
        let want = "   90-100 s  # 1\n  100-110 s  ######################################## 80\n  110-120 s   0\n  120-130 s  ########## 20\n";
        assert_eq!(text(&histogram, " s", '#'), want);
    }

    #[test]
    fn an_svg_is_whole_and_escaped() {
        let panel = Panel { title: "a<b".to_owned(), unit: " s".to_owned(), sorted: vec![1.0, 2.0, 2.5] };
        let none = Panel { sorted: Vec::new(), ..panel.clone() };
        let svg = svg("T & U", "sub", &[("promoted", 0.75), ("aborted", 0.25)], &[panel, none]);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("T &amp; U") && svg.contains("a&lt;b") && svg.contains("promoted 75%"));
        assert!(svg.contains(">none</text>"));
        assert_eq!(svg.matches("<rect").count(), svg.matches("/>").count() + svg.matches("</rect>").count() - 1);
        assert_eq!(svg.matches("<title>").count(), svg.matches("</title>").count());
    }
}
