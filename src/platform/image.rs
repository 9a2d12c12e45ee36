//! What people call a container image.

use super::text::first;

/// An image's tag; else the beginning of its digest; else all of its name.
pub(super) fn version(image: &str) -> String {
    if let Some((_, digest)) = image.rsplit_once("@sha256:") {
        return format!("sha256:{}", first(digest, 12));
    }
    // A port comes before a slash, a tag after all of them.
    let name = image.rsplit_once('/').map_or(image, |(_, name)| name);
    name.rsplit_once(':').map_or(image, |(_, tag)| tag).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A version is the tag, and neither a registry's port nor a digest is taken for one.
    #[test]
    fn versions_of_images() {
        for (image, expected) in [
            ("shop:2.8.1", "2.8.1"),
            ("registry:5000/team/shop", "registry:5000/team/shop"),
            ("registry:5000/team/shop:2.8.1", "2.8.1"),
            ("shop:2.8.1@sha256:0123456789abcdef0123", "sha256:0123456789ab"),
            ("shop", "shop"),
        ] {
            assert_eq!(version(image), expected, "{image}");
        }
    }
}
