//! `model-service`: trains the example's models, serves one of them, or asks all of them through a router.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use ml_portfolio::model::{self, Floor, Model, Report};
use ml_portfolio::{PortfolioError, Service, Version, data, load, server};

/// The model services of the example portfolio
#[derive(Debug, Parser)]
#[command(name = "model-service", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train every model and measure it on the rows it never saw
    Train {
        /// Folder with the three CSV files; the rows that came with this program when absent
        #[arg(long)]
        data: Option<PathBuf>,
        /// Folder for the model files; none are written when absent
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Serve a model until SIGTERM
    Serve {
        /// Which model
        #[arg(long)]
        model: Service,
        /// Which release of it
        #[arg(long)]
        version: Version,
        /// Address to listen on; 0.0.0.0 in a pod
        #[arg(long, default_value = "127.0.0.1")]
        address: IpAddr,
        /// Port; 0 takes a free one
        #[arg(long)]
        port: u16,
        /// Folder of model files; a model without a file is trained at the start
        #[arg(long)]
        models: Option<PathBuf>,
    },
    /// Ask the services through a router, until SIGTERM or for a time
    Load {
        /// Which service; all three when absent
        #[arg(long)]
        service: Option<Service>,
        /// Ask this host instead of the service's own, such as that of a preview
        #[arg(long, requires = "service", value_parser = host)]
        host: Option<String>,
        /// Address of the router
        #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
        router: String,
        /// Requests a second over all that are asked, up to 5000
        #[arg(long, default_value = "60", value_parser = rate)]
        rate: f64,
        /// Seconds; until SIGTERM or ctrl-c when absent
        #[arg(long, value_parser = seconds)]
        duration: Option<Duration>,
        /// Print the summary as JSON
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<(), PortfolioError> {
    match command {
        Command::Train { data, out } => train(data, out),
        Command::Serve { model, version, address, port, models } => {
            if !Version::of(model).contains(&version) {
                return Err(PortfolioError::NoRelease { service: model, version });
            }
            server::serve(&server::Options { service: model, version, address, port, models })
        }
        Command::Load { service, host, router, rate, duration, json } => {
            let targets = match service {
                Some(service) => {
                    vec![load::Target { service, host: host.unwrap_or_else(|| service.host().to_owned()) }]
                }
                None => Service::ALL.map(|service| load::Target { service, host: service.host().to_owned() }).to_vec(),
            };
            let summary = load::run(&load::Options { router, targets, rate, duration })?;
            if json {
                println!("{}", serde_json::json!(summary));
            } else {
                println!("{summary}");
            }
            Ok(())
        }
    }
}

/// Trains and prints everything before it fails, so that one look shows all models below their floors.
fn train(data: Option<PathBuf>, out: Option<PathBuf>) -> Result<(), PortfolioError> {
    println!(
        "{:<10} {:<8} {:>6} {:>18} {:>18} {:>9} {:>9}",
        "model", "version", "rows", "accuracy", "auc", "positive", "failing"
    );
    let mut below = Vec::new();
    for service in Service::ALL {
        let examples = data::examples(service, data.as_deref())?;
        for &version in Version::of(service) {
            let model = Model::train(service, version, &examples);
            let report = model.report(&examples);
            let floor = model::floor(service, version);
            println!("{}", line(&model, &report, floor));
            if floor.is_some_and(|f| !f.holds(&report)) {
                below.push(format!("{service} {version}"));
            }
            if let Some(out) = &out {
                model::save(out, &model)?;
            }
        }
    }
    if below.is_empty() { Ok(()) } else { Err(PortfolioError::Floor(below.join(", "))) }
}

fn line(model: &Model, report: &Report, floor: Option<Floor>) -> String {
    let with = |value: f64, floor: Option<f64>| match floor {
        Some(floor) => format!("{value:.3} (>= {floor:.2})"),
        None => format!("{value:.3} (no floor)"),
    };
    format!(
        "{:<10} {:<8} {:>6} {:>18} {:>18} {:>9.3} {:>9.3}",
        model.service().name(),
        model.version().tag(),
        report.rows,
        with(report.accuracy, floor.map(|f| f.accuracy)),
        with(report.auc, floor.map(|f| f.auc)),
        report.positive,
        report.failing
    )
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 5000.0 => Ok(rate),
        _ => Err("a rate is above 0 and at most 5000".to_owned()),
    }
}

/// A host travels in a header line of its own.
fn host(text: &str) -> Result<String, String> {
    match text.chars().all(|c| c.is_ascii_graphic()) && !text.is_empty() {
        true => Ok(text.to_owned()),
        false => Err("a host has neither blanks nor control characters".to_owned()),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    // A year is as good as for ever, and what is longer would not fit the timer.
    match text.trim_end_matches('s').parse::<f64>() {
        Ok(seconds) if (0.0..=31_536_000.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("a duration is a number of seconds".to_owned()),
    }
}
