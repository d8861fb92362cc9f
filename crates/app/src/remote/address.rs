//! The URL of a config, taken apart: where to ask, with which credentials, and how it may be shown.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha256};
use toolgate_config::{CONFIG_TOKEN_VARIABLE, url_shown};
use toolgate_upstream::is_here;

/// Where a config is asked for.
#[derive(Clone)]
pub(crate) struct Address {
    /// Without user info.
    pub(crate) uri: Uri,
    /// What is sent to its origin.
    pub(crate) authorization: Option<HeaderValue>,
    /// As it may be shown: user info and query masked.
    pub(crate) name: PathBuf,
}

// === impl Address ===

impl Address {
    /// Reads a URL. `token` is what the environment holds for its server.
    ///
    /// # Errors
    /// What is wrong with it, and what to do.
    pub(crate) fn read(url: &str, token: Option<String>) -> Result<Self, String> {
        let url = url.split('#').next().unwrap_or_default();
        let shown = url_shown(url);
        let (scheme, rest) = url.split_once("://").ok_or_else(|| format!("{shown} is no URL"))?;
        let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let uri: Uri = format!("{scheme}://{host}{}{path}", if path.starts_with('/') { "" } else { "/" })
            .parse()
            .map_err(|error| format!("{shown} cannot be read as a URL: {error}"))?;
        // What is no number is not seen to be wrong above, and would be no port at all.
        let after_host = host.rsplit_once(']').map_or(host, |(_, after)| after);
        if uri.host().is_none_or(str::is_empty) || (after_host.contains(':') && uri.port_u16().is_none()) {
            return Err(format!("{shown} cannot be read as a URL: it names no host, or a port that is none"));
        }
        let is_known = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => is_here(&uri),
            _ => false,
        };
        if !is_known {
            return Err(format!(
                "{shown}: a config is had over https only, and over http from this machine itself, since it says which programs are run here; serve it over https, or name a file"
            ));
        }
        let token = token.filter(|token| !token.is_empty());
        if user.is_some() && token.is_some() {
            return Err(format!("{shown} has a user in it, and {CONFIG_TOKEN_VARIABLE} is set; leave one of them out"));
        }
        let authorization = match (user, token) {
            (Some(user), _) => Some(basic(user)),
            (None, Some(token)) => Some(bearer(&token)?),
            (None, None) => None,
        };
        Ok(Self { uri, authorization, name: PathBuf::from(shown) })
    }

    /// The same for the same URL, whoever asks; nothing can be learned from it.
    pub(crate) fn key(&self) -> String {
        let digest = Sha256::digest(self.uri.to_string().as_bytes());
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }
}

fn basic(user: &str) -> HeaderValue {
    let decoded: Vec<u8> = percent_decode_str(user).collect();
    // A name without a password has an empty one.
    let pair = if user.contains(':') { decoded } else { [&*decoded, b":"].concat() };
    let encoded = base64::engine::general_purpose::STANDARD.encode(pair);
    let mut value =
        HeaderValue::try_from(format!("Basic {encoded}")).expect("base64 has no characters but those of headers");
    value.set_sensitive(true);
    value
}

fn bearer(token: &str) -> Result<HeaderValue, String> {
    let is_whole = token.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::try_from(format!("Bearer {token}")).ok().filter(|_| is_whole);
    let mut value = value.ok_or_else(|| {
        format!("{CONFIG_TOKEN_VARIABLE} has a space, a line break or something else in it that no token has")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Query and credentials stay where they are.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    fn read(url: &str) -> Result<Address, String> {
        Address::read(url, None)
    }

    #[test]
    fn encrypted_or_from_this_machine() {
        for url in
            ["https://a.example/x.yaml", "http://localhost:8/x", "http://127.0.0.1/x", "http://[::1]:8", "HTTPS://a"]
        {
            assert!(read(url).is_ok(), "{url}");
        }
        for url in
            ["http://a.example/x", "http://10.0.0.1/x", "http://localhost.a.example/", "ftp://a/x", "s3://bucket/x"]
        {
            assert!(read(url).unwrap_err().contains("over https only"), "{url}");
        }
        for url in [
            "https://",
            "https:///x",
            "https://a b/",
            "https://a:port/",
            "https://a:/",
            "https://[::1]:x/",
            "https://a:70000/",
        ] {
            assert!(read(url).unwrap_err().contains("cannot be read as a URL"), "{url}");
        }
        // What looks like the host to a person is the user here.
        assert!(read("http://localhost@a.example/x").is_err());
    }

    #[test]
    fn credentials_are_sent_and_not_shown() {
        let address = read("https://ada:p%40ss:w@config.example/t.yaml?sig=secret#part").unwrap();
        assert_eq!(address.uri, "https://config.example/t.yaml?sig=secret");
        assert_eq!(address.name, PathBuf::from("https://****@config.example/t.yaml?****"));
        // ada:p@ss:w
        assert_eq!(address.authorization.clone().unwrap(), "Basic YWRhOnBAc3M6dw==");
        assert!(!format!("{address:?}").contains("secret"));
        assert_eq!(read("https://ada@h/").unwrap().authorization.unwrap(), "Basic YWRhOg==");
        let with_token = Address::read("https://h/x", Some("t0ken".into())).unwrap();
        assert_eq!(with_token.authorization.unwrap(), "Bearer t0ken");
        assert_eq!(Address::read("https://h/x", Some(String::new())).unwrap().authorization, None);
        for (url, token, why) in [
            ("https://ada:pass@h/", "t", "leave one of them out"),
            ("https://h/", "two words", "no token has"),
            ("https://h/", "line\n", "no token has"),
            ("http://ada:pass@h/?q=hidden", "", "over https only"),
        ] {
            let said = Address::read(url, Some(token.into())).unwrap_err();
            assert!(said.contains(why) && !said.contains("pass") && !said.contains("hidden"), "{said}");
        }
    }

    #[test]
    fn one_place_has_one_key_whoever_asks() {
        let key = |url: &str| read(url).unwrap().key();
        assert_eq!(key("https://ada:one@h/x"), key("https://bob:two@h/x#y"));
        assert_ne!(key("https://h/x"), key("https://h/x?env=prod"));
    }
}
