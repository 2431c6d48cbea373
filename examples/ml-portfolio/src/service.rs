//! The three services: their names, hosts, metrics and classes.

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Service {
    /// BankChurn: will this customer leave?
    Churn,
    /// ChicagoTaxi: will this passenger tip?
    Tip,
    /// NLPInsight: does this sentence of a review speak well of the product?
    Sentiment,
}

impl Service {
    /// All of them.
    pub const ALL: [Service; 3] = [Service::Churn, Service::Tip, Service::Sentiment];

    /// The model's name, as in `--model`.
    pub fn name(self) -> &'static str {
        match self {
            Service::Churn => "churn",
            Service::Tip => "tip",
            Service::Sentiment => "sentiment",
        }
    }

    /// The service's name, the prefix of its metrics.
    pub fn prefix(self) -> &'static str {
        match self {
            Service::Churn => "bankchurn",
            Service::Tip => "chicagotaxi",
            Service::Sentiment => "nlpinsight",
        }
    }

    /// The host that its Ingress routes.
    pub fn host(self) -> &'static str {
        match self {
            Service::Churn => "bankchurn.local",
            Service::Tip => "chicagotaxi.local",
            Service::Sentiment => "nlpinsight.local",
        }
    }

    /// File name of its data set.
    pub fn file(self) -> &'static str {
        match self {
            Service::Churn => "customer_churn.csv",
            Service::Tip => "chicago_taxi.csv",
            Service::Sentiment => "review_sentiment.csv",
        }
    }

    /// What a prediction is called, first the positive class.
    pub fn classes(self) -> [&'static str; 2] {
        match self {
            Service::Churn | Service::Tip => ["yes", "no"],
            Service::Sentiment => ["positive", "negative"],
        }
    }

    /// The class of a yes-or-no answer.
    pub fn class(self, positive: bool) -> &'static str {
        let [yes, no] = self.classes();
        if positive { yes } else { no }
    }
}

impl std::fmt::Display for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
