//! Reads metrics pages: the Prometheus text format 0.0.4, and what OpenMetrics adds to it.
//!
//! A page is read completely or not at all: a line that cannot be read is an error with its place, because a page with
//! a hole would look like a service without that metric.

mod line;

use std::fmt;

use crate::labels::Labels;

/// One sample of a page.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric's name and its labels.
    pub labels: Labels,
    /// The value; may be NaN or infinite, and is never a mark of the end.
    pub value: f64,
    /// The time that the page gives, in milliseconds since 1970. Most pages give none.
    pub timestamp_ms: Option<i64>,
}

/// How large a page may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// Bytes of a line, its end excluded.
    pub line_bytes_max: usize,
    /// Samples of a page.
    pub samples_max: usize,
    /// Labels of a sample, its name included.
    pub labels_max: usize,
}

impl Default for TextLimits {
    /// Far above what real exporters write, and small enough that one bad target cannot fill the memory.
    fn default() -> Self {
        TextLimits { line_bytes_max: 65_536, samples_max: 100_000, labels_max: 64 }
    }
}

/// What is wrong with a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextProblem {
    /// A line is not in the format.
    Syntax,
    /// A line is longer than [`TextLimits::line_bytes_max`].
    LineTooLong,
    /// There are more samples than [`TextLimits::samples_max`].
    TooManySamples,
    /// A sample has more labels than [`TextLimits::labels_max`].
    TooManyLabels,
}

/// A page that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What kind of error it is.
    pub problem: TextProblem,
    /// What was expected or found.
    pub message: String,
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to read the metrics: line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for TextError {}

/// The samples of a page, in its order, within the default limits.
///
/// # Errors
/// The first line that cannot be read, or the first limit that is exceeded.
pub fn parse(page: &str) -> Result<Vec<Sample>, TextError> {
    parse_within(page, TextLimits::default())
}

/// The samples of a page, in its order.
///
/// A page whose last line is `# EOF` is OpenMetrics: its times are seconds. Other pages give milliseconds. Exemplars
/// are read and dropped, and `_created` series are series like others.
///
/// # Errors
/// The first line that cannot be read, or the first limit that is exceeded.
pub fn parse_within(page: &str, limits: TextLimits) -> Result<Vec<Sample>, TextError> {
    let body = page.trim_end_matches('\n');
    let last = body.rsplit('\n').next().unwrap_or_default();
    let open_metrics = last == "# EOF";
    let mut samples = Vec::new();
    let mut ended = false;
    for (index, text) in body.split('\n').enumerate() {
        let fail = |at: usize, problem, message: String| {
            let column = text[..at].chars().count() + 1;
            Err(TextError { line: index + 1, column, problem, message })
        };
        if ended {
            return fail(0, TextProblem::Syntax, "text after # EOF".to_owned());
        }
        if text.len() > limits.line_bytes_max {
            let message = format!("the line has more than {} bytes", limits.line_bytes_max);
            return fail(0, TextProblem::LineTooLong, message);
        }
        ended = text == "# EOF";
        match line::read(text, open_metrics, limits.labels_max) {
            Ok(None) => {}
            Ok(Some(_)) if samples.len() >= limits.samples_max => {
                let message = format!("the page has more than {} samples", limits.samples_max);
                return fail(0, TextProblem::TooManySamples, message);
            }
            Ok(Some(sample)) => samples.push(sample),
            Err(fault) => return fail(fault.at, fault.problem, fault.message),
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(page: &str) -> Vec<String> {
        let samples = parse(page).unwrap_or_else(|error| panic!("{page}: {error}"));
        let time = |sample: &Sample| sample.timestamp_ms.map(|t| format!(" @{t}")).unwrap_or_default();
        samples.iter().map(|sample| format!("{} {}{}", sample.labels, sample.value, time(sample))).collect()
    }

    fn fault(page: &str) -> String {
        parse(page).unwrap_err().to_string().replace("failed to read the metrics: ", "")
    }

    #[test]
    fn a_page_as_exporters_write_it() {
        let page = concat!(
            "# HELP requests_total All requests.\\n\n# TYPE requests_total counter\n",
            "requests_total{code=\"200\",path=\"/a}b\"} 1027 1395066363000\n",
            "requests_total{ code = \"5\\\"0\\\\0\\n\" , } 3\n\n",
            "\t up\t1 \n# just a comment\n#\nlatency_bucket{le=\"+Inf\"} 1.458255915e9\nx NaN\ny -Inf\nz:sum 1e3\n",
        );
        let want = [
            r#"requests_total{code="200", path="/a}b"} 1027 @1395066363000"#,
            r#"requests_total{code="5\"0\\0\n"} 3"#,
            "up 1",
            r#"latency_bucket{le="+Inf"} 1458255915"#,
            "x NaN",
            "y -inf",
            "z:sum 1000",
        ];
        assert_eq!(read(page), want);
    }

    #[test]
    fn a_space_is_not_needed_after_braces_and_lines_need_no_end() {
        assert_eq!(read("a{}1\na{b=\"c\"}2"), ["a 1", r#"a{b="c"} 2"#]);
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read("\n\n"), [""; 0]);
    }

    #[test]
    fn open_metrics_pages() {
        let page = concat!(
            "# TYPE a counter\n# UNIT a_seconds seconds\na_total 1 1520879607.789\na_created 1.5\n",
            "h_bucket{le=\"0.1\"} 8 # {trace=\"x\"} 0.067 1520879607.7\nh_bucket{le=\"1\"} 9 2 # {} 0.5\n# EOF\n",
        );
        let want =
            ["a_total 1 @1520879607789", "a_created 1.5", r#"h_bucket{le="0.1"} 8"#, r#"h_bucket{le="1"} 9 @2000"#];
        assert_eq!(read(page), want);
    }

    #[test]
    fn names_in_quotes() {
        let page = "{\"http.requests\",\"my.label\"=\"é\"} 1\n{\"a\\\"b\"} 2\n# TYPE \"http.requests\" counter\n";
        assert_eq!(read(page), [r#"{"http.requests", "my.label"="é"} 1"#, r#"{"a\"b"} 2"#]);
    }

    #[test]
    fn unreadable_lines_say_where_and_why() {
        let check = |page: &str, want: &str| assert_eq!(fault(page), want, "{page}");
        check("a 1\nb", "line 2, column 2: expected a value");
        check("a 1\nb x\n", "line 2, column 3: \"x\" is not a number");
        check("a 1 x\n", "line 1, column 5: \"x\" is not a time in milliseconds");
        check("a 1 2 3\n", "line 1, column 7: unexpected text after the sample");
        check("a{b=\"c} 1\n", "line 1, column 5: the value is not closed");
        check("a{b=c} 1\n", "line 1, column 5: expected a value in double quotes");
        check("a{b} 1\n", "line 1, column 4: expected =");
        check("a{b=\"1\" c=\"2\"} 1\n", "line 1, column 9: expected , or }");
        check("a{b=\"1\"", "line 1, column 8: expected , or }");
        check("a{b=\"1\",b=\"2\"} 1\n", "line 1, column 9: label \"b\" stands twice");
        check("a{\"b\"} 1\n", "line 1, column 3: the metric has a name already");
        check("{b=\"1\"} 1\n", "line 1, column 1: the metric has no name");
        check("9a 1\n", "line 1, column 1: expected the name of a metric");
        check("a-b 1\n", "line 1, column 2: expected a value");
        check("é 1\n", "line 1, column 1: expected the name of a metric");
        check("a{é=\"1\"} 1\n", "line 1, column 3: expected the name of a label");
        check("a{b=\"é\"} x\n", "line 1, column 10: \"x\" is not a number");
        check("# TYPE a banana\n", "line 1, column 10: \"banana\" is not a type of metric");
        check("# EOF\na 1\n", "line 2, column 1: text after # EOF");
        check("a 1\r\n", "line 1, column 3: \"1\\r\" is not a number");
        check("a 1 # {x=\"y\"} z\n# EOF", "line 1, column 15: \"z\" is not a number");
        check("a 1 # x\n", "line 1, column 7: expected the labels of an exemplar");
    }

    #[test]
    fn limits_are_kept() {
        let limits = TextLimits { line_bytes_max: 20, samples_max: 2, labels_max: 2 };
        let check = |page: &str, want: Option<(TextProblem, usize)>| {
            let got = parse_within(page, limits).err().map(|error| (error.problem, error.line));
            assert_eq!(got, want, "{page}");
        };
        check("a 1\nb 1\n", None);
        check("a 1\nb 1\nc 1\n", Some((TextProblem::TooManySamples, 3)));
        check("aaaaaaaaaaaaaaaaaa 1\n", None);
        check("aaaaaaaaaaaaaaaaaaa 1\n", Some((TextProblem::LineTooLong, 1)));
        check("a{b=\"1\"} 1\n", None);
        check("a{b=\"1\",c=\"2\"} 1\n", Some((TextProblem::TooManyLabels, 1)));
    }

    #[test]
    fn no_text_gives_a_mark_of_the_end() {
        assert!(parse("x nan\n").unwrap().iter().all(|sample| !crate::is_stale(sample.value)));
    }
}
