//! What a release must reach on the rows it never saw. Training fails below it.

use super::Report;
use crate::service::Service;
use crate::version::Version;

/// Lower bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Floor {
    /// Of the share of right answers.
    pub accuracy: f64,
    /// Of the area under the ROC curve.
    pub auc: f64,
}

impl Floor {
    /// Whether a report reaches it.
    pub fn holds(self, report: &Report) -> bool {
        report.accuracy >= self.accuracy && report.auc >= self.auc
    }
}

/// The floor of a release: two to four points below what the included rows give, so that it fails when learning breaks and
/// not when the rows change a little. The release that is scaled wrongly has none.
pub fn floor(service: Service, version: Version) -> Option<Floor> {
    let (accuracy, auc) = match (service, version) {
        (_, Version::Misscaled) => return None,
        (Service::Churn, Version::Baseline) => (0.81, 0.74),
        (Service::Churn, Version::Outgrown | Version::Major) => (0.93, 0.86),
        (Service::Churn, _) => (0.93, 0.85),
        // Nearly everybody tips, so a constant 'yes' is right more often. It knows nothing; the AUC shows who does.
        (Service::Tip, Version::Baseline) => (0.84, 0.55),
        (Service::Tip, _) => (0.84, 0.58),
        (Service::Sentiment, Version::Baseline) => (0.62, 0.70),
        (Service::Sentiment, Version::Fragile) => (0.70, 0.79),
        (Service::Sentiment, _) => (0.73, 0.81),
    };
    Some(Floor { accuracy, auc })
}
