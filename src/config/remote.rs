//! A gateway elsewhere that `attache stdio` bridges to: `ATTACHE_URL` and `ATTACHE_TOKEN`.

use std::path::Path;

use url::{Host, Url};

use super::{ConfigProblem, Environment};
use crate::base::Secret;

/// A gateway on another machine, or on another port of this one.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its MCP endpoint.
    pub url: Url,
    /// The agent token that it knows us by.
    pub token: Secret,
}

impl Remote {
    /// The gateway that the environment names, if it names one. An address without a path means `/mcp` there, or
    /// `/mcp/{services}` when some are selected.
    ///
    /// # Errors
    /// [`ConfigProblem`] when the address cannot be used or there is no token.
    pub fn resolve(
        environment: &Environment,
        services: &[String],
    ) -> Result<Option<Self>, ConfigProblem> {
        let Some(text) = environment.find("ATTACHE_URL") else {
            return Ok(None);
        };
        let problem = |message: &str| ConfigProblem {
            place: "ATTACHE_URL".into(),
            message: format!("`{text}` {message}"),
        };
        let mut url = Url::parse(text).map_err(|_| {
            problem("is not a web address; write it like https://attache.example.com/mcp")
        })?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        if !is_safe {
            return Err(problem(
                "must be https, or http on this very machine: the token travels with every request",
            ));
        }
        if url.path() == "/" {
            url.set_path("/mcp");
        }
        if !services.is_empty() {
            if url.path() != "/mcp" {
                return Err(problem(
                    "names more than a gateway; with --service, write only its scheme, host and port",
                ));
            }
            url.set_path(&format!("/mcp/{}", services.join(",")));
        }
        let token = token(environment)?;
        Ok(Some(Self { url, token }))
    }

    /// Host and port, when the address is on this very machine.
    #[must_use]
    pub fn loopback_authority(&self) -> Option<String> {
        let port = self.url.port_or_known_default()?;
        is_loopback(&self.url)
            .then(|| format!("{}:{port}", self.url.host_str().unwrap_or_default()))
    }
}

fn token(environment: &Environment) -> Result<Secret, ConfigProblem> {
    let problem = |place: &str, message: String| ConfigProblem {
        place: place.into(),
        message,
    };
    if let Some(token) = environment.find("ATTACHE_TOKEN") {
        return Ok(Secret::new(token));
    }
    let Some(file) = environment.find("ATTACHE_TOKEN_FILE") else {
        let message = "ATTACHE_URL is set but this is not; set it to an agent token of that gateway (`attache agents \
                       add NAME` there prints one)";
        return Err(problem("ATTACHE_TOKEN", message.into()));
    };
    match std::fs::read_to_string(Path::new(file)) {
        Ok(text) => Ok(Secret::new(text.trim_end())),
        Err(error) => Err(problem(
            "ATTACHE_TOKEN_FILE",
            format!("{file} cannot be read: {error}"),
        )),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(url: &str) -> Result<Option<Remote>, ConfigProblem> {
        Remote::resolve(
            &Environment::from([("ATTACHE_URL", url), ("ATTACHE_TOKEN", "att_x")]),
            &[],
        )
    }

    #[test]
    fn an_address_is_https_or_on_this_machine() {
        let remote = resolve("https://attache.example.com").unwrap().unwrap();
        assert_eq!(remote.url.as_str(), "https://attache.example.com/mcp");
        assert_eq!(remote.loopback_authority(), None);
        let remote = resolve("http://127.0.0.1:8080/mcp").unwrap().unwrap();
        assert_eq!(remote.loopback_authority().unwrap(), "127.0.0.1:8080");
        for wrong in ["http://attache.example.com", "attache", "file:///x"] {
            let problem = resolve(wrong).unwrap_err().to_string();
            assert!(problem.starts_with("ATTACHE_URL: "), "{problem}");
        }
        assert!(
            Remote::resolve(&Environment::default(), &[])
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn selected_services_become_a_part_of_the_address() {
        let select = |url: &str| {
            let environment = Environment::from([("ATTACHE_URL", url), ("ATTACHE_TOKEN", "att_x")]);
            Remote::resolve(&environment, &["one".to_owned(), "other".to_owned()])
        };
        let remote = select("https://attache.example.com").unwrap().unwrap();
        assert_eq!(
            remote.url.as_str(),
            "https://attache.example.com/mcp/one,other"
        );
        let problem = select("https://attache.example.com/mcp/one").unwrap_err();
        assert!(problem.to_string().contains("--service"), "{problem}");
    }

    #[test]
    fn an_address_needs_a_token() {
        let environment = Environment::from([("ATTACHE_URL", "https://attache.example.com")]);
        let problem = Remote::resolve(&environment, &[]).unwrap_err();
        assert_eq!(problem.place, "ATTACHE_TOKEN");
    }
}
