//! `model-service`: trains the example's models, serves one of them, or asks all of them through a router.

use ml_portfolio::{Model, Service, Version, data};

fn main() -> Result<(), ml_portfolio::PortfolioError> {
    for service in Service::ALL {
        let examples = data::examples(service, None)?;
        for version in Version::ALL {
            let t = std::time::Instant::now();
            let model = Model::train(service, version, &examples);
            println!("{service} {version} {:?} {:?}", t.elapsed(), model.report(&examples));
        }
    }
    Ok(())
}
