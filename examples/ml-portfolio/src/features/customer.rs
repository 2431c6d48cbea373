//! A customer's year as numbers.

use super::{FeatureError, Side};
use crate::learn::Features;
use crate::row::{Customer, YesNo};
use crate::version::Version;

/// Dollars per minute of the four kinds of calls, as in the bills that the data set was made from.
const TARIFF: [f64; 4] = [0.17, 0.085, 0.045, 0.27];

/// Years of standing at which a customer's habits change, as v4 groups them.
const TENURE_YEARS: [f64; 6] = [1.0, 2.0, 4.0, 6.0, 9.0, 12.0];

pub(super) fn features(customer: &Customer, version: Version, side: Side) -> Result<Features, FeatureError> {
    // v3.4.0 was moved to a meter that reports seconds, and the model was not told.
    let unit = if (version, side) == (Version::Misscaled, Side::Serving) { 60.0 } else { 1.0 };
    let minutes = [
        customer.total_day_minutes,
        customer.total_eve_minutes,
        customer.total_night_minutes,
        customer.total_intl_minutes,
    ]
    .map(|m| m * unit);
    let flag = |answer: YesNo| f64::from(u8::from(answer == YesNo::Yes));
    let mut values = vec![
        customer.account_length,
        flag(customer.international_plan),
        flag(customer.voice_mail_plan),
        customer.number_vmail_messages,
        customer.total_day_calls,
        customer.total_eve_calls,
        customer.total_night_calls,
        customer.total_intl_calls,
        customer.number_customer_service_calls,
    ];
    values.extend(minutes);
    if version != Version::Baseline {
        // Customers leave over the bill, and no sum of tree splits finds it as fast as the sum itself.
        values.push(minutes.iter().zip(TARIFF).map(|(m, t)| m * t).sum());
    }
    if version == Version::Fragile {
        let per_call = minutes.iter().sum::<f64>() / customer.number_customer_service_calls;
        if !per_call.is_finite() {
            return Err(FeatureError::NotFinite("minutes per customer service call"));
        }
        values.push(per_call);
    }
    if matches!(version, Version::Outgrown | Version::Major) {
        values.push(tenure(customer.account_length, version)?);
        // What the calls to the customer service are about: a customer with a high bill is another one than a new customer.
        values.push(customer.number_customer_service_calls * minutes[0]);
        // Who is charged abroad by plan and who by the minute are different customers.
        values.push(minutes[3] * flag(customer.international_plan));
    }
    Ok(Features::Dense(values))
}

/// The band of a customer's standing. v4.0.0 looks it up in a table that ends at twelve years, because no customer in the
/// prototype's sample had been there longer; v4.1.0 has a band for everybody else.
fn tenure(months: f64, version: Version) -> Result<f64, FeatureError> {
    let band = TENURE_YEARS.iter().position(|years| months <= years * 12.0);
    match band {
        Some(band) => Ok(band as f64),
        None if version == Version::Outgrown => Err(FeatureError::BeyondTable(months, "years of standing")),
        None => Ok(TENURE_YEARS.len() as f64),
    }
}
