//! What a request says: the typed rows of the three services and the check of their values.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::service::Service;

/// Longest review, in bytes. The longest of the data set has 855.
pub const TEXT_MAX: usize = 16 * 1024;

/// A row of one of the services.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// A customer's year.
    Churn(Customer),
    /// A taxi trip.
    Tip(Trip),
    /// A sentence of a review.
    Sentiment(Review),
}

/// Yes or no, as the data sets write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// What a phone company knows of a customer.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the columns of the data set, which its README describes")]
pub struct Customer {
    pub account_length: f64,
    pub international_plan: YesNo,
    pub voice_mail_plan: YesNo,
    pub number_vmail_messages: f64,
    pub total_day_minutes: f64,
    pub total_day_calls: f64,
    pub total_eve_minutes: f64,
    pub total_eve_calls: f64,
    pub total_night_minutes: f64,
    pub total_night_calls: f64,
    pub total_intl_minutes: f64,
    pub total_intl_calls: f64,
    pub number_customer_service_calls: f64,
}

/// What a meter knows of a trip.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trip {
    /// Miles.
    pub distance: f64,
    /// Name of the taxi company.
    pub company: String,
    /// Whether it began and ended in the same part of the town.
    pub local: YesNo,
    /// Day of the week.
    pub dow: Day,
    /// Month.
    pub month: Month,
    /// Hour of the day, 0 to 23.
    pub hour: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the days")]
/// Day of the week.
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "the months")]
/// Month of the year.
pub enum Month {
    Jan,
    Feb,
    Mar,
    Apr,
    May,
    Jun,
    Jul,
    Aug,
    Sep,
    Oct,
    Nov,
    Dec,
}

/// A sentence of a review.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// What was written.
    pub text: String,
}

impl Customer {
    /// The numbers, in the order of the columns.
    pub fn numbers(&self) -> [f64; 11] {
        [
            self.account_length,
            self.number_vmail_messages,
            self.total_day_minutes,
            self.total_day_calls,
            self.total_eve_minutes,
            self.total_eve_calls,
            self.total_night_minutes,
            self.total_night_calls,
            self.total_intl_minutes,
            self.total_intl_calls,
            self.number_customer_service_calls,
        ]
    }
}

impl Row {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// In words for the one who asked: what is missing, unknown or out of range.
    pub fn parse(service: Service, body: &[u8]) -> Result<Self, String> {
        // serde would take an array for a row as well, with the values in the order of the fields.
        if body.trim_ascii_start().first() != Some(&b'{') {
            return Err("the body is not a JSON object".to_owned());
        }
        let row = match service {
            Service::Churn => serde_json::from_slice(body).map(Row::Churn),
            Service::Tip => serde_json::from_slice(body).map(Row::Tip),
            Service::Sentiment => serde_json::from_slice(body).map(Row::Sentiment),
        };
        row.map_err(|e| e.to_string()).and_then(Row::checked)
    }

    /// Reads an object that was read already.
    ///
    /// # Errors
    /// As [`Row::parse`].
    pub fn from_fields(service: Service, fields: &Map<String, Value>) -> Result<Self, String> {
        let fields = Value::Object(fields.clone());
        let row = match service {
            Service::Churn => Customer::deserialize(fields).map(Row::Churn),
            Service::Tip => Trip::deserialize(fields).map(Row::Tip),
            Service::Sentiment => Review::deserialize(fields).map(Row::Sentiment),
        };
        row.map_err(|e| e.to_string()).and_then(Row::checked)
    }

    fn checked(self) -> Result<Self, String> {
        // A year has 525,600 minutes: no count and no sum of minutes can be larger.
        let sane = |n: f64| (0.0..=525_600.0).contains(&n);
        match &self {
            Row::Churn(customer) => match customer.numbers().into_iter().find(|n| !sane(*n)) {
                Some(n) => Err(format!("{n} is out of range: numbers are 0 to 525600")),
                None => Ok(self),
            },
            Row::Tip(trip) if !sane(trip.distance) => Err(format!("distance {} is out of range", trip.distance)),
            Row::Tip(trip) if trip.hour > 23 => Err(format!("hour {} is out of range: 0 to 23", trip.hour)),
            Row::Sentiment(review) if review.text.trim().is_empty() => Err("text is empty".to_owned()),
            Row::Sentiment(review) if review.text.len() > TEXT_MAX => {
                Err(format!("text has {} bytes, at most {TEXT_MAX} are read", review.text.len()))
            }
            _ => Ok(self),
        }
    }
}
