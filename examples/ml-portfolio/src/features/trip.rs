//! A taxi trip as numbers.

use super::FeatureError;
use crate::learn::Features;
use crate::row::{Trip, YesNo};
use crate::version::Version;

/// The companies with a column of their own; all others share the column of `other`.
const COMPANIES: [&str; 7] = [
    "Chicago Independents",
    "City Service",
    "Flash Cab",
    "Sun Taxi",
    "Taxi Affiliation Services",
    "Taxicab Insurance Agency Llc",
    "other",
];

pub(super) fn features(trip: &Trip, version: Version) -> Result<Features, FeatureError> {
    let company = match COMPANIES.iter().position(|c| *c == trip.company) {
        // v3.3.0 reads its vocabulary from the register of companies, where `other` is not a company.
        Some(6) | None if version == Version::Fragile => {
            return Err(FeatureError::NotInVocabulary(trip.company.clone(), "companies"));
        }
        Some(company) => company,
        None => 6,
    };
    let mut values = vec![trip.distance, f64::from(trip.hour), f64::from(u8::from(trip.local == YesNo::Yes))];
    let mut one_of = |count: usize, index: usize| values.extend((0..count).map(|i| f64::from(u8::from(i == index))));
    one_of(7, company);
    one_of(7, trip.dow as usize);
    one_of(12, trip.month as usize);
    Ok(Features::Dense(values))
}
