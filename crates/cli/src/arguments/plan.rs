//! The arguments of `serin plan`.

use std::path::PathBuf;

use clap::Args;
use serin_spec::recipe::share_of_text;

/// `plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Files or folders of manifests
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Requests of the service per second, all versions together; without it what the router sees now
    #[arg(long, value_name = "RPS", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Share of the stable version's answers that are errors, such as 0.5% or 0.005
    #[arg(long, value_name = "SHARE", value_parser = errors)]
    pub(crate) stable_errors: Option<f64>,
    /// Probability with which a regression is to be noticed
    #[arg(long, value_name = "PROBABILITY", default_value = "0.8", value_parser = power)]
    pub(crate) power: f64,
    /// Only this Rollout
    #[arg(long, value_name = "NAME")]
    pub(crate) rollout: Option<String>,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0 && *rate <= 1e9);
    rate.ok_or_else(|| "expected a number above 0 and at most 1e9".to_owned())
}

fn errors(text: &str) -> Result<f64, String> {
    let share = share_of_text(text).filter(|share| (0.0..1.0).contains(share));
    share.ok_or_else(|| "expected a share from 0 to below 1, such as 0.5% or 0.005".to_owned())
}

fn power(text: &str) -> Result<f64, String> {
    let power = share_of_text(text).filter(|power| *power >= 0.5 && *power <= 0.999);
    power.ok_or_else(|| "expected a probability from 0.5 to 0.999".to_owned())
}

#[cfg(test)]
mod tests {
    use super::{errors, power, rate};

    #[test]
    fn numbers_are_within_their_ranges() {
        assert_eq!((rate("40"), rate("0.5")), (Ok(40.0), Ok(0.5)));
        assert_eq!((errors("0.5%"), errors("0"), errors("0.02")), (Ok(0.005), Ok(0.0), Ok(0.02)));
        assert_eq!((power("0.8"), power("95%")), (Ok(0.8), Ok(0.95)));
        for text in ["0", "-1", "NaN", "inf", "x", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
        for text in ["100%", "-1%", "NaN", "x"] {
            assert!(errors(text).is_err(), "{text}");
        }
        for text in ["0.2", "1", "NaN"] {
            assert!(power(text).is_err(), "{text}");
        }
    }
}
