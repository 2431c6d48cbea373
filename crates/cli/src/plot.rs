//! Plots as SVG: axes, lines, steps, bands, bars and marks, in classes that one style sheet colours for light and dark screens.

mod scale;

pub(crate) use scale::Scale;

use std::fmt::Write as _;

/// Width of every plot, in units of its own.
const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 132.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 40.0;
/// Height of a row of numbered marks above the plot.
const LANE: f64 = 18.0;
/// Least distance of two labels.
const LABEL: f64 = 13.0;

/// Colours of the classes. The page has it once, a picture of its own as well.
pub(crate) const STYLE: &str = "\
:root{--bg:#fff;--fg:#1c2430;--dim:#5b6675;--grid:#e3e7ec;--canary:#b4570a;--stable:#2563a8;--bad:#b3261e;--good:#1a7f4b;--card:#f6f8fa}\
@media(prefers-color-scheme:dark){:root{--bg:#14181f;--fg:#e6e9ee;--dim:#9aa5b3;--grid:#2b333e;--canary:#f0a35c;--stable:#7ab2f2;--bad:#ff8a80;--good:#6fd49c;--card:#1c222b}}\
svg.plot{font:12px system-ui,sans-serif;display:block;width:100%;height:auto;max-width:760px}\
.plot text{fill:var(--fg)}.plot .dim{fill:var(--dim)}.plot .title{font-weight:600;font-size:13px}\
.plot .grid{stroke:var(--grid);fill:none}.plot .axis{stroke:var(--dim);fill:none}\
.plot .canary,.plot .against{stroke:var(--canary)}.plot .stable,.plot .for{stroke:var(--stable)}.plot .wanted{stroke:var(--dim);stroke-dasharray:5 3}\
.plot .line{fill:none;stroke-width:1.8;stroke-linejoin:round}.plot .limit{stroke:var(--bad);stroke-dasharray:6 4}.plot .goal{stroke:var(--good);stroke-dasharray:6 4}\
.plot .band{fill:var(--canary);opacity:.18;stroke:none}.plot rect.canary{fill:var(--canary);stroke:none}.plot rect.stable{fill:var(--stable);stroke:none}\
.plot .mark{stroke:var(--dim);stroke-dasharray:2 3}.plot .mark.bad{stroke:var(--bad)}.plot .badge{fill:var(--card);stroke:var(--dim)}.plot .badge.bad{stroke:var(--bad)}\
.plot text.canary,.plot text.against{fill:var(--canary);stroke:none}.plot text.stable,.plot text.for{fill:var(--stable);stroke:none}\
.plot text.limit{fill:var(--bad);stroke:none}.plot text.goal{fill:var(--good);stroke:none}.plot text.wanted{fill:var(--dim);stroke:none}";

/// How points are joined.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Shape {
    /// Straight.
    Line(Vec<(f64, f64)>),
    /// Each value holds until the next one.
    Steps(Vec<(f64, f64)>),
    /// Between two values.
    Band(Vec<(f64, f64, f64)>),
}

/// Something drawn.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    /// What it is, beside its end; empty for none.
    pub(crate) name: String,
    /// Class of the style sheet.
    pub(crate) class: &'static str,
    /// Its points, in ascending x.
    pub(crate) shape: Shape,
}

/// A moment.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Mark {
    /// When.
    pub(crate) x: f64,
    /// Its number.
    pub(crate) number: usize,
    /// What it is, for those who point at it.
    pub(crate) text: String,
    /// Whether it is a bad one.
    pub(crate) bad: bool,
}

/// A plot of lines.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Plot {
    /// Above it.
    pub(crate) title: String,
    /// What can be seen, in words.
    pub(crate) described: String,
    /// Below the axis.
    pub(crate) x_label: &'static str,
    /// The axes.
    pub(crate) x: Scale,
    pub(crate) y: Scale,
    /// Height without the numbers of its marks.
    pub(crate) height: f64,
    pub(crate) series: Vec<Series>,
    /// Horizontal lines: value, name, class.
    pub(crate) limits: Vec<(f64, String, &'static str)>,
    pub(crate) marks: Vec<Mark>,
}

/// Bars of two versions by group: name, canary, stable, each 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bars {
    pub(crate) title: String,
    pub(crate) described: String,
    pub(crate) groups: Vec<(String, f64, f64)>,
}

/// Marks that are drawn as one.
#[derive(Debug, Clone, PartialEq)]
struct Badge {
    x: f64,
    first: usize,
    last: usize,
    text: String,
    bad: bool,
    lane: usize,
}

impl Badge {
    fn label(&self) -> String {
        if self.first == self.last { self.first.to_string() } else { format!("{}-{}", self.first, self.last) }
    }

    fn width(&self) -> f64 {
        10.0 + 6.0 * self.label().len() as f64
    }

    /// A line down to the axis, and the numbers above it.
    fn svg(&self, bottom: f64) -> String {
        let (x, bad) = (self.x, if self.bad { " bad" } else { "" });
        let (top, width) = (TOP + self.lane as f64 * LANE - 12.0, self.width());
        format!(
            "<path class=\"mark{bad}\" d=\"M{x:.1} {:.1}V{bottom:.1}\"/><g><title>{}</title><rect class=\"badge{bad}\" x=\"{:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"16\" rx=\"8\"/>\
             <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\" font-size=\"10\">{}</text></g>",
            top + 16.0,
            escape(&self.text),
            x - width / 2.0,
            top + 11.5,
            self.label()
        )
    }
}

/// Text for SVG and HTML: nothing in it is markup, and nothing that XML forbids.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// The same, cut to so many characters.
fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return escape(text);
    }
    let head: String = text.chars().take(most.saturating_sub(1)).collect();
    escape(&format!("{head}…"))
}

fn open(out: &mut String, id: &str, title: &str, described: &str, height: f64) {
    let _ = write!(
        out,
        "<svg class=\"plot\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\
         <title id=\"{id}-t\">{}</title><desc id=\"{id}-d\">{}</desc><text class=\"title\" x=\"{LEFT}\" y=\"16\">{}</text>",
        escape(title),
        escape(described),
        short(title, 96),
    );
}

impl Plot {
    /// The plot as an SVG element. `id` is unique in its document.
    pub(crate) fn svg(&self, id: &str) -> String {
        let badges = self.badges();
        let rows = badges.iter().map(|badge| badge.lane + 1).max().unwrap_or(0);
        let height = self.height + rows as f64 * LANE;
        let (top, bottom) = (TOP + rows as f64 * LANE, height - BOTTOM);
        let right = WIDTH - RIGHT;
        let x = |value: f64| self.x.place(value, LEFT, right);
        let y = |value: f64| self.y.place(value, bottom, top);
        let mut out = String::new();
        open(&mut out, id, &self.title, &self.described, height);
        for (value, text) in self.y.ticks((bottom - top) / 34.0) {
            let y = y(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        for (value, text) in self.x.ticks((right - LEFT) / 80.0) {
            let x = x(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {top:.1}V{bottom:.1}\"/><text class=\"dim\" x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{text}</text>",
                bottom + 15.0
            );
        }
        let _ = write!(out, "<path class=\"axis\" d=\"M{LEFT} {top:.1}V{bottom:.1}H{right}\"/>");
        let _ = write!(
            out,
            "<text class=\"dim\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            right,
            height - 8.0,
            self.x_label
        );
        badges.iter().for_each(|badge| out.push_str(&badge.svg(bottom)));
        for (value, _, class) in &self.limits {
            let _ = write!(out, "<path class=\"{class}\" fill=\"none\" d=\"M{LEFT} {:.1}H{right}\"/>", y(*value));
        }
        for series in &self.series {
            let _ = write!(out, "<path class=\"{}\" d=\"{}\"/>", class_of(series), path(&series.shape, &x, &y));
        }
        for (place, text, class) in self.labels(&y, top, bottom) {
            let _ = write!(
                out,
                "<text class=\"{class}\" x=\"{:.1}\" y=\"{place:.1}\">{}</text>",
                right + 6.0,
                short(&text, 20)
            );
        }
        out.push_str("</svg>");
        out
    }

    /// The marks as they are drawn: those that would lie on one another are one, and where even that does not fit the next goes a row down.
    fn badges(&self) -> Vec<Badge> {
        let mut badges: Vec<Badge> = Vec::new();
        for mark in &self.marks {
            let x = self.x.place(mark.x, LEFT, WIDTH - RIGHT);
            match badges.last_mut().filter(|badge| x - badge.x < LANE && badge.bad == mark.bad) {
                Some(badge) => {
                    badge.last = mark.number;
                    badge.text = format!("{}\n{}", badge.text, mark.text);
                }
                None => badges.push(Badge {
                    x,
                    first: mark.number,
                    last: mark.number,
                    text: mark.text.clone(),
                    bad: mark.bad,
                    lane: 0,
                }),
            }
        }
        let mut ends: Vec<f64> = Vec::new();
        for badge in &mut badges {
            let (from, to) = (badge.x - badge.width() / 2.0, badge.x + badge.width() / 2.0);
            badge.lane = ends.iter().position(|end| from > *end + 1.0).unwrap_or(ends.len());
            if badge.lane == ends.len() {
                ends.push(to);
            }
            ends[badge.lane] = to;
        }
        badges
    }

    /// Names beside the ends of lines, moved apart where they would lie on one another.
    fn labels(&self, y: &impl Fn(f64) -> f64, top: f64, bottom: f64) -> Vec<(f64, String, &'static str)> {
        let end = |series: &Series| match &series.shape {
            Shape::Line(points) | Shape::Steps(points) => points.last().map(|(_, y)| *y),
            Shape::Band(_) => None,
        };
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        let ends = named.filter_map(|series| Some((y(end(series)?), series.name.clone(), series.class)));
        let limits = self.limits.iter().map(|(value, name, class)| (y(*value), name.clone(), *class));
        let mut labels: Vec<(f64, String, &'static str)> = ends.chain(limits).collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lowest = top - LABEL;
        for label in &mut labels {
            label.0 = (label.0 + 4.0).max(lowest + LABEL);
            lowest = label.0;
        }
        // What was pushed out at the bottom goes back up, and the others before it.
        let mut highest = bottom + 4.0 + LABEL;
        for label in labels.iter_mut().rev() {
            label.0 = label.0.min(highest - LABEL);
            highest = label.0;
        }
        labels
    }
}

fn class_of(series: &Series) -> String {
    match series.shape {
        Shape::Band(_) => "band".to_owned(),
        _ => format!("line {}", series.class),
    }
}

fn path(shape: &Shape, x: &impl Fn(f64) -> f64, y: &impl Fn(f64) -> f64) -> String {
    let mut out = String::new();
    match shape {
        Shape::Line(points) => {
            for (i, (px, py)) in points.iter().enumerate() {
                let _ = write!(out, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, x(*px), y(*py));
            }
        }
        Shape::Steps(points) => {
            for (i, (px, py)) in points.iter().enumerate() {
                let _ = match i {
                    0 => write!(out, "M{:.1} {:.1}", x(*px), y(*py)),
                    _ => write!(out, "H{:.1}V{:.1}", x(*px), y(*py)),
                };
            }
        }
        Shape::Band(points) => {
            for (i, (px, low, _)) in points.iter().enumerate() {
                let _ = write!(out, "{}{:.1} {:.1}", if i == 0 { 'M' } else { 'L' }, x(*px), y(*low));
            }
            for (px, _, high) in points.iter().rev() {
                let _ = write!(out, "L{:.1} {:.1}", x(*px), y(*high));
            }
            out.push('Z');
        }
    }
    out
}

impl Bars {
    /// The bars as an SVG element.
    pub(crate) fn svg(&self, id: &str) -> String {
        const ROW: f64 = 40.0;
        let height = TOP + 24.0 + self.groups.len() as f64 * ROW;
        let (from, right) = (LEFT + 96.0, WIDTH - RIGHT);
        let most = self.groups.iter().flat_map(|(_, c, s)| [*c, *s]).fold(0.01, f64::max);
        let mut out = String::new();
        open(&mut out, id, &self.title, &self.described, height);
        for (i, (name, canary, stable)) in self.groups.iter().enumerate() {
            let top = TOP + i as f64 * ROW;
            let _ = write!(
                out,
                "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                from - 8.0,
                top + 21.0,
                short(name, 22)
            );
            for (row, (share, class)) in [(canary, "canary"), (stable, "stable")].into_iter().enumerate() {
                let (y, long) = (top + row as f64 * 16.0 + 2.0, share / most * (right - from));
                let _ = write!(
                    out,
                    "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{y:.1}\" width=\"{long:.1}\" height=\"13\"/><text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\">{:.1} % {class}</text>",
                    from + long + 6.0,
                    y + 11.0,
                    100.0 * share
                );
            }
        }
        out.push_str("</svg>");
        out
    }
}

#[cfg(test)]
pub(crate) use tests::well_formed;

#[cfg(test)]
mod tests;
