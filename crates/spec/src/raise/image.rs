//! A rollout with another version of its image: what `deploy SERVICE VERSION` changes.

use thiserror::Error;

use crate::image;
use crate::wire::Rollout;

/// Why an image cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ImageError {
    /// The template stands in another object.
    #[error("failed to set image: the rollout has no template of its own; change the object that workloadRef names")]
    NoTemplate,
    /// The template has no containers.
    #[error("failed to set image: the template has no containers")]
    NoContainers,
    /// Which container is meant cannot be told.
    #[error("failed to set image: the template has several containers, name one of {}", .0.join(", "))]
    Ambiguous(Vec<String>),
    /// No container has this name.
    #[error("unable to find container named \"{0}\"")]
    NotFound(String),
}

/// Sets the version of a container's image, by default that of the only container, and returns the image it has now.
/// `version` is a tag, a digest, or a whole reference ([`image::with_tag`]).
///
/// # Errors
/// When there is no such container, or several and none is named; the rollout is unchanged then.
//= compat: 7.6-1
pub fn rollout_with_image(rollout: &mut Rollout, container: Option<&str>, version: &str) -> Result<String, ImageError> {
    let template = rollout.spec.template.as_mut().ok_or(ImageError::NoTemplate)?;
    let containers = template.containers();
    let found = match (container, containers.as_slice()) {
        (Some(name), all) => {
            all.iter().find(|c| c.name == name).ok_or_else(|| ImageError::NotFound(name.to_owned()))?
        }
        (None, [only]) => only,
        (None, []) => return Err(ImageError::NoContainers),
        (None, all) => return Err(ImageError::Ambiguous(all.iter().map(|c| c.name.clone()).collect())),
    };
    let image = image::with_tag(&found.image, version);
    template.set_image(&found.name, &image);
    Ok(image)
}
