//! Where credentials come from. That signatures are right is checked by a server of somebody else's, in `tests/sources`.

use std::collections::HashMap;
use std::path::Path;

use reqsign_core::StaticEnv;
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "a-token-that-nobody-may-see";

/// What has to be sent, signed with what is found in this environment.
async fn signed(
    origin: Origin,
    home: &Path,
    variables: &[(&str, &str)],
) -> (Signer, Result<HeaderMap, String>) {
    let mut envs: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    envs.entry("AWS_EC2_METADATA_DISABLED".to_owned()).or_insert_with(|| "true".to_owned());
    let env = StaticEnv { home_dir: Some(home.to_owned()), envs };
    let signer = Signer::with_env("monitoring", "eu-central-1", origin, env);
    let mut headers = HeaderMap::new();
    headers.insert("x-amz-target", HeaderValue::from_static("GraniteServiceVersion20100801.GetMetricData"));
    let uri = Uri::from_static("https://monitoring.eu-central-1.amazonaws.com/");
    let result = signer.sign(&uri, headers, b"{}").await;
    (signer, result)
}

fn key_of(headers: &HeaderMap) -> String {
    let authorization = headers["authorization"].to_str().unwrap();
    let (id, rest) =
        authorization.strip_prefix("AWS4-HMAC-SHA256 Credential=").unwrap().split_once('/').unwrap();
    assert!(rest.contains(
        "/eu-central-1/monitoring/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date;"
    ));
    assert!(authorization.contains("x-amz-target"), "the operation is not signed: {authorization}");
    id.to_owned()
}

/// The environment comes first, then the profile that is named there or in the config; the body is signed too.
#[tokio::test]
async fn the_usual_places() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join(".aws")).unwrap();
    let text = format!(
        "[default]\naws_access_key_id = AKIDEFAULT\naws_secret_access_key = {SECRET}\n\
         [staging]\naws_access_key_id = AKIDSTAGING\naws_secret_access_key = {SECRET}\naws_session_token = {TOKEN}\n"
    );
    std::fs::write(home.path().join(".aws/credentials"), text).unwrap();
    let of_the_environment = [("AWS_ACCESS_KEY_ID", "AKIDENV"), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    for (origin, variables, wanted) in [
        (Origin::Anywhere, &of_the_environment[..], "AKIDENV"),
        (Origin::Anywhere, &[][..], "AKIDEFAULT"),
        (Origin::Anywhere, &[("AWS_PROFILE", "staging")][..], "AKIDSTAGING"),
        (Origin::Profile("staging".to_owned()), &of_the_environment[..], "AKIDSTAGING"),
    ] {
        let (_, headers) = signed(origin, home.path(), variables).await;
        let headers = headers.unwrap();
        assert_eq!(key_of(&headers), wanted);
        let hash = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(headers["x-amz-content-sha256"], hash, "the body is not signed");
        assert_eq!(headers.get("x-amz-security-token").is_some(), wanted == "AKIDSTAGING");
    }
    let key = Origin::Key { id: Secret::new("AKIDOWN"), secret: Secret::new(SECRET), token: None };
    let (signer, headers) = signed(key, home.path(), &of_the_environment).await;
    assert_eq!(key_of(&headers.unwrap()), "AKIDOWN");
    assert!(!format!("{signer:?}").contains(SECRET));
}

/// A container is given its role's credentials by whoever runs it; a session token is kept out of texts once it was seen.
#[tokio::test]
async fn the_role_of_a_container() {
    let server = MockServer::start().await;
    let body = serde_json::json!({
        "AccessKeyId": "AKIDROLE", "SecretAccessKey": SECRET, "Token": TOKEN, "Expiration": "2999-01-01T00:00:00Z",
    });
    Mock::given(method("GET"))
        .and(path("/role"))
        .and(header("authorization", "of-the-container"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(&server)
        .await;
    let home = tempfile::tempdir().unwrap();
    let url = format!("{}/role", server.uri());
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "of-the-container"),
    ];
    let (signer, headers) = signed(Origin::Anywhere, home.path(), &variables).await;
    assert_eq!(key_of(&headers.unwrap()), "AKIDROLE");
    let echo = format!("x-amz-security-token:{TOKEN} and {SECRET}");
    assert_eq!(signer.redact(&echo), "x-amz-security-token:[redacted] and [redacted]");
}

/// Where there are no credentials, it says where they could be.
#[tokio::test]
async fn nothing_to_sign_with() {
    let home = tempfile::tempdir().unwrap();
    let (_, anywhere) = signed(Origin::Anywhere, home.path(), &[]).await;
    let anywhere = anywhere.unwrap_err();
    assert!(anywhere.starts_with("no credentials for AWS: set AWS_ACCESS_KEY_ID"), "{anywhere}");
    let (_, profile) = signed(Origin::Profile("nobody".to_owned()), home.path(), &[]).await;
    let profile = profile.unwrap_err();
    assert!(profile.starts_with("no credentials for AWS in the profile `nobody`"), "{profile}");
}
