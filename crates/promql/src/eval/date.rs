//! Calendar fields of a time in UTC.

/// A day of the Gregorian calendar and the time on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Civil {
    days: i64,
    second: i64,
    year: i64,
    month: i64,
    day: i64,
}

impl Civil {
    /// The calendar fields of a time in seconds since 1970, whose fraction is dropped. None for what is no time: NaN,
    /// or one that is further away than thirty million years. (Prometheus makes some date of those, too, a different
    /// one on each kind of processor.)
    pub(crate) fn of(seconds: f64) -> Option<Civil> {
        if seconds.is_nan() || seconds.abs() > 1e15 {
            return None;
        }
        let seconds = seconds as i64;
        let days = seconds.div_euclid(86_400);
        // Years begin in March here, so that the leap day is the last of a year.
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Some(Civil { days, second: seconds.rem_euclid(86_400), year, month, day })
    }

    fn is_leap_year(self) -> bool {
        self.year % 4 == 0 && (self.year % 100 != 0 || self.year % 400 == 0)
    }
}

pub(crate) fn minute(civil: Civil) -> f64 {
    (civil.second / 60 % 60) as f64
}

pub(crate) fn hour(civil: Civil) -> f64 {
    (civil.second / 3600) as f64
}

/// Sunday is 0.
pub(crate) fn day_of_week(civil: Civil) -> f64 {
    (civil.days + 4).rem_euclid(7) as f64
}

pub(crate) fn day_of_month(civil: Civil) -> f64 {
    civil.day as f64
}

pub(crate) fn day_of_year(civil: Civil) -> f64 {
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334][civil.month as usize - 1];
    (before + civil.day + i64::from(civil.month > 2 && civil.is_leap_year())) as f64
}

pub(crate) fn days_in_month(civil: Civil) -> f64 {
    match civil.month {
        2 => 28.0 + f64::from(u8::from(civil.is_leap_year())),
        4 | 6 | 9 | 11 => 30.0,
        _ => 31.0,
    }
}

pub(crate) fn month(civil: Civil) -> f64 {
    civil.month as f64
}

pub(crate) fn year(civil: Civil) -> f64 {
    civil.year as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_known_days() {
        let check = |seconds: f64, want: [f64; 8]| {
            let civil = Civil::of(seconds).unwrap();
            let fields = [year, month, day_of_month, hour, minute, day_of_week, day_of_year, days_in_month];
            assert_eq!(fields.map(|field| field(civil)), want, "{seconds}");
        };
        check(0.0, [1970.0, 1.0, 1.0, 0.0, 0.0, 4.0, 1.0, 31.0]);
        // 29 February 2024, 23:59:59, a Thursday.
        check(1_709_251_199.0, [2024.0, 2.0, 29.0, 23.0, 59.0, 4.0, 60.0, 29.0]);
        check(1_735_603_200.0, [2024.0, 12.0, 31.0, 0.0, 0.0, 2.0, 366.0, 31.0]);
        check(-1.0, [1969.0, 12.0, 31.0, 23.0, 59.0, 3.0, 365.0, 31.0]);
        // 1900 was no leap year.
        assert_eq!((Civil::of(f64::NAN), Civil::of(f64::INFINITY)), (None, None));
        check(-2_203_977_600.0, [1900.0, 2.0, 28.0, 0.0, 0.0, 3.0, 59.0, 28.0]);
    }
}
