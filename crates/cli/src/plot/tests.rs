//! Plots that are well-formed whatever is in them, with nothing on top of anything else.

use super::*;

fn plot() -> Plot {
    let line = |name: &str, class, height| Series {
        name: name.to_owned(),
        class,
        shape: Shape::Line(vec![(0.0, 1.0), (5.0, height), (10.0, height)]),
    };
    Plot {
        title: "Evidence of <errors> & \"more\"".to_owned(),
        described: "two lines".to_owned(),
        x_label: "seconds",
        x: Scale::linear(0.0, 10.0),
        y: Scale::log(0.01, 1000.0),
        height: 260.0,
        series: vec![line("against", "against", 90.0), line("for", "for", 80.0)],
        limits: vec![(100.0, "fails at 100".to_owned(), "limit"), (20.0, "passes at 20".to_owned(), "goal")],
        marks: (0..4)
            .map(|i| Mark { x: 1.0 + 0.1 * i as f64, number: i + 1, text: "x<y".to_owned(), bad: i == 3 })
            .collect(),
    }
}

/// The values of an attribute in elements that hold a text.
fn places(svg: &str, element: &str, attribute: &str) -> Vec<f64> {
    let begin = format!("<{element} ");
    let elements = svg.split(&begin).skip(1).map(|rest| rest.split('>').next().unwrap());
    let value = |e: &str| e.split(&format!(" {attribute}=\"")).nth(1).map(|v| v.split('"').next().unwrap().to_owned());
    elements.filter_map(value).map(|v| v.parse().unwrap()).collect()
}

/// Every element is closed in its order.
pub(crate) fn well_formed(text: &str) {
    let mut open = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        assert!(!rest[..start].contains('>'), "{rest}");
        let end = rest[start..].find('>').map(|end| start + end).unwrap();
        let tag = &rest[start + 1..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "{text}");
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            let name = tag.split_whitespace().next().unwrap();
            if !matches!(name, "meta" | "br") {
                open.push(name.to_owned());
            }
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn a_plot_is_well_formed_and_escaped() {
    let svg = plot().svg("a");
    well_formed(&svg);
    assert!(svg.contains("<title id=\"a-t\">Evidence of &lt;errors&gt; &amp; &quot;more&quot;</title>"), "{svg}");
    assert!(!svg.contains("x<y") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
}

#[test]
fn labels_and_marks_do_not_lie_on_each_other() {
    let plot = plot();
    let labels = plot.labels(&|value| plot.y.place(value, 220.0, 30.0), 30.0, 220.0);
    assert_eq!(labels.len(), 4);
    assert!(labels.windows(2).all(|w| w[1].0 - w[0].0 >= LABEL - 1e-9), "{labels:?}");
    assert!(labels.iter().all(|(place, ..)| (30.0..=224.1).contains(place)), "{labels:?}");
    let badges = plot.badges();
    let told: Vec<_> = badges.iter().map(|badge| (badge.label(), badge.lane)).collect();
    let want = [("1-3", 0), ("4", 1), ("5-6", 0), ("7", 0)].map(|(label, lane)| (label.to_owned(), lane));
    assert_eq!(told, want);
    let svg = plot.svg("a");
    let boxes: Vec<(f64, f64, f64)> = places(&svg, "rect", "x")
        .into_iter()
        .zip(places(&svg, "rect", "y"))
        .zip(places(&svg, "rect", "width"))
        .map(|((x, y), width)| (x, y, width))
        .collect();
    assert_eq!(boxes.len(), 4);
    for (i, a) in boxes.iter().enumerate() {
        let apart = |b: &(f64, f64, f64)| a.1 != b.1 || a.0 + a.2 <= b.0 || b.0 + b.2 <= a.0;
        assert!(boxes[i + 1..].iter().all(apart), "{boxes:?}");
    }
}

#[test]
fn axes_have_round_values_within_their_bounds() {
    let check = |scale: Scale, count: f64, want: &[&str]| {
        let ticks: Vec<String> = scale.ticks(count).into_iter().map(|(_, text)| text).collect();
        assert_eq!(ticks, want);
    };
    check(Scale::linear(0.0, 10.0), 5.0, &["0", "2", "4", "6", "8", "10"]);
    check(Scale::linear(-0.013, 0.021).percent(), 4.0, &["-1 %", "0 %", "1 %", "2 %"]);
    check(Scale::log(0.01, 1000.0), 6.0, &["0.01", "0.1", "1", "10", "100", "1000"]);
    check(Scale::log(0.01, 1000.0), 2.0, &["1", "1000"]);
    check(Scale::log(2.0, 9.0), 4.0, &["2", "4", "6", "8"]);
    check(Scale::linear(3.0, 3.0), 2.0, &["3", "3.5", "4"]);
}

#[test]
fn values_that_are_none_stay_within_the_picture() {
    let scale = Scale::log(0.1, 10.0);
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!((0.0..=100.0).contains(&scale.place(value, 0.0, 100.0)), "{value}");
    }
    assert_eq!(Scale::linear(f64::NAN, 1.0).place(0.5, 0.0, 10.0), 5.0);
}

#[test]
fn bars_are_as_long_as_their_shares() {
    let bars = Bars {
        title: "Predictions".to_owned(),
        described: String::new(),
        groups: vec![("yes".to_owned(), 0.5, 0.25), ("a&b".to_owned(), 0.0, 0.125)],
    };
    let svg = bars.svg("b");
    well_formed(&svg);
    let long = places(&svg, "rect", "width");
    assert!(
        (long[0] - 2.0 * long[1]).abs() < 0.2 && long[2] == 0.0 && (long[1] - 2.0 * long[3]).abs() < 0.2,
        "{long:?}"
    );
}
