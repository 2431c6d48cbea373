//! The rows: reading them, and keeping a fifth of them back from training.

use std::path::Path;

use serde_json::{Map, Value};

use crate::PortfolioError;
use crate::row::Row;
use crate::service::Service;

mod csv;

/// One row in so many is held out: enough rows (700 to 1,200) to measure a share to about two points.
const HELD_OUT_OF: u64 = 5;

/// A row with its answer.
#[derive(Debug, Clone)]
pub struct Example {
    /// The features, as a request states them.
    pub fields: Map<String, Value>,
    /// The same, typed.
    pub row: Row,
    /// Whether the answer is the positive class.
    pub label: bool,
    /// Never seen by training.
    pub held_out: bool,
}

/// The rows of a service from a folder, or those that came with this crate.
///
/// # Errors
/// When the file is missing, or a row is not what the service needs.
pub fn examples(service: Service, dir: Option<&Path>) -> Result<Vec<Example>, PortfolioError> {
    let Some(dir) = dir else { return parse(service, included(service)) };
    let path = dir.join(service.file());
    let text = std::fs::read_to_string(&path).map_err(|source| PortfolioError::Read { path, source })?;
    parse(service, &text)
}

/// The rows that training never sees.
pub fn held_out(examples: &[Example]) -> impl Iterator<Item = &Example> {
    examples.iter().filter(|e| e.held_out)
}

fn included(service: Service) -> &'static str {
    match service {
        Service::Churn => include_str!("../data/customer_churn.csv"),
        Service::Tip => include_str!("../data/chicago_taxi.csv"),
        Service::Sentiment => include_str!("../data/review_sentiment.csv"),
    }
}

fn parse(service: Service, text: &str) -> Result<Vec<Example>, PortfolioError> {
    let wrong = |line, message| PortfolioError::Data { name: service.file().to_owned(), line, message };
    let mut records = csv::records(text);
    let Some((_, header)) = records.next().transpose().map_err(|(line, message)| wrong(line, message))? else {
        return Err(wrong(1, "there is no header".to_owned()));
    };
    let label_column = match service {
        Service::Churn => "churn",
        Service::Tip => "tip",
        Service::Sentiment => "sentiment_mean",
    };
    let mut examples = Vec::new();
    for record in records {
        let (line, cells) = record.map_err(|(line, message)| wrong(line, message))?;
        if cells.len() != header.len() {
            return Err(wrong(line, format!("{} cells, but the header has {}", cells.len(), header.len())));
        }
        let mut fields = Map::new();
        let mut label = None;
        for (column, cell) in header.iter().zip(cells) {
            if column == label_column {
                label = Some(read_label(service, &cell).map_err(|message| wrong(line, message))?);
            } else {
                fields.insert(column.clone(), read_cell(service, cell));
            }
        }
        let label = label.ok_or_else(|| wrong(1, format!("there is no column '{label_column}'")))?;
        let row = Row::from_fields(service, &fields).map_err(|message| wrong(line, message))?;
        let held_out = digest(&fields).is_multiple_of(HELD_OUT_OF);
        examples.push(Example { fields, row, label, held_out });
    }
    Ok(examples)
}

fn read_label(service: Service, cell: &str) -> Result<bool, String> {
    match (service, cell) {
        (Service::Sentiment, mean) => match mean.parse::<f64>() {
            Ok(mean) if mean.is_finite() => Ok(mean > 0.0),
            _ => Err(format!("'{mean}' is not a mean rating")),
        },
        (_, "yes") => Ok(true),
        (_, "no") => Ok(false),
        (_, other) => Err(format!("'{other}' is neither yes nor no")),
    }
}

fn read_cell(service: Service, cell: String) -> Value {
    if service == Service::Sentiment {
        return Value::String(cell);
    }
    match (cell.parse::<u64>(), cell.parse::<f64>()) {
        (Ok(whole), _) => Value::from(whole),
        (_, Ok(number)) if number.is_finite() => Value::from(number),
        _ => Value::String(cell),
    }
}

/// FNV-1a of the features. Held out is chosen by content and not by place, so that equal rows fall on the same side and a
/// file may grow without moving rows between the sides.
fn digest(fields: &Map<String, Value>) -> u64 {
    let text = Value::Object(fields.clone()).to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    // The low bits of FNV follow the last bytes closely; the high ones are mixed.
    hash >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_has_rows_and_holds_a_fifth_out() {
        for (service, rows, share) in
            [(Service::Churn, 5_000, 0.14), (Service::Tip, 6_000, 0.92), (Service::Sentiment, 3_708, 0.57)]
        {
            let examples = examples(service, None).unwrap();
            assert_eq!(examples.len(), rows, "{service}");
            let out = held_out(&examples).count() as f64 / rows as f64;
            assert!((0.17..0.23).contains(&out), "{service}: {out}");
            let positive = examples.iter().filter(|e| e.label).count() as f64 / rows as f64;
            assert!((positive - share).abs() < 0.01, "{service}: {positive}");
        }
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        let check = |text: &str, want: &str| assert_eq!(parse(Service::Sentiment, text).unwrap_err().to_string(), want);
        let prefix = "failed to read the rows of review_sentiment.csv: line";
        check("", &format!("{prefix} 1: there is no header"));
        check("text\nfine\n", &format!("{prefix} 1: there is no column 'sentiment_mean'"));
        check("sentiment_mean,text\n1.0,fine\nbad,fine\n", &format!("{prefix} 3: 'bad' is not a mean rating"));
        check("sentiment_mean,text\n1.0\n", &format!("{prefix} 2: 1 cells, but the header has 2"));
        check("sentiment_mean,text\n1.0,\"open\n", &format!("{prefix} 2: a quote is not closed"));
    }
}
