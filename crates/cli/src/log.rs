//! Diagnostics, on standard error: lines for people, or JSON for those who collect them.

use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use serin_spec::timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, Subscriber as Lines};
use tracing_subscriber::registry::LookupSpan;

/// Begins to log from this level on; `SERIN_LOG` says otherwise, as `RUST_LOG` does elsewhere.
pub(crate) fn start(level: &str, json: bool) {
    // The client's library tells of every request that failed; so do we, once, and with what for.
    let quiet = if matches!(level, "debug" | "trace") { level.to_owned() } else { format!("{level},kube_client=off") };
    let filter = EnvFilter::try_from_env("SERIN_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let ansi = std::io::IsTerminal::is_terminal(&std::io::stderr());
    // Telling standard error that it cannot be written to would be a panic, and the end of a control process on a full disk.
    let log = Lines::builder().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    match json {
        true => log.event_format(Json).init(),
        false => log.with_ansi(ansi).init(),
    }
}

/// One object a line: `ts`, `level`, `msg`, then the fields by their names.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Map::new();
        line.insert("ts".to_owned(), now().into());
        line.insert("level".to_owned(), event.metadata().level().as_str().to_lowercase().into());
        // Here already, so that it stands here.
        line.insert("msg".to_owned(), "".into());
        event.record(&mut Fields(&mut line));
        writeln!(writer, "{}", Value::Object(line))
    }
}

fn now() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or(i64::MAX);
    let whole = timestamp::format(serin_core::Time::from_secs(seconds));
    format!("{}.{:03}Z", whole.trim_end_matches('Z'), since.subsec_millis())
}

struct Fields<'a>(&'a mut Map<String, Value>);

impl Fields<'_> {
    fn put(&mut self, field: &Field, value: Value) {
        let name = match field.name() {
            "message" => "msg",
            // Those of the line itself.
            "ts" | "level" => return,
            name => name,
        };
        self.0.insert(name.to_owned(), value);
    }
}

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        let _ = write!(text, "{value:?}");
        self.put(field, text.into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }
}
