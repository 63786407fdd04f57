//! A person's browser, as far as it takes to open a connect link and agree.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use reqwest::header::{CONTENT_TYPE, COOKIE, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use url::Url;

/// A browser that is signed in at one gateway.
pub(crate) struct Browser {
    http: reqwest::Client,
    origin: Url,
    cookies: BTreeMap<String, String>,
}

impl Browser {
    /// Opens a sign-in link, given by its path, at the gateway that `mcp_url` belongs to.
    pub(crate) async fn sign_in(mcp_url: &str, path: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .build()?;
        let mut browser = Self {
            http,
            origin: Url::parse(mcp_url)?,
            cookies: BTreeMap::new(),
        };
        let (status, text) = browser.open(browser.origin.join(path)?).await?;
        ensure!(status == StatusCode::SEE_OTHER, "signing in: {text}");
        Ok(browser)
    }

    /// Opens a connect link, agrees on the gateway's page and, as `account`, at the API. Where the API sends the
    /// browser next is returned and not opened yet.
    pub(crate) async fn agree(&mut self, link: &str, account: &str) -> anyhow::Result<Url> {
        let link = Url::parse(link)?;
        let (_, page) = self.open(link.clone()).await?;
        let field = between(&page, "name=\"csrf\" value=\"", "\"")?;
        let form = self
            .http
            .post(link)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header("sec-fetch-site", "same-origin")
            .body(format!("csrf={field}"));
        let (_, page) = self.send(form).await?;
        let next = between(&page, "0; url=", "\"")?;
        let next = Url::parse(&next.replace("&#38;", "&").replace("&amp;", "&"))?;
        let sent = |name: &str| {
            let mut pairs = next.query_pairs();
            let found = pairs.find(|(known, _)| known == name);
            found
                .map(|(_, value)| value.into_owned())
                .context("an authorization URL")
        };
        let mut callback = Url::parse(&sent("redirect_uri")?)?;
        callback
            .query_pairs_mut()
            .append_pair("code", account)
            .append_pair("state", &sent("state")?);
        Ok(callback)
    }

    /// Opens the address that the API sent the browser to: with its answer the connection is made.
    pub(crate) async fn come_back(&mut self, callback: Url) -> anyhow::Result<()> {
        let (_, page) = self.open(callback).await?;
        ensure!(page.contains("id=\"connected\""), "not connected: {page}");
        Ok(())
    }

    async fn open(&mut self, url: Url) -> anyhow::Result<(StatusCode, String)> {
        self.send(self.http.get(url)).await
    }

    async fn send(&mut self, request: RequestBuilder) -> anyhow::Result<(StatusCode, String)> {
        let pairs: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let response = request.header(COOKIE, pairs.join("; ")).send().await?;
        for line in response.headers().get_all(SET_COOKIE) {
            let pair = line.to_str()?.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok((response.status(), response.text().await?))
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> anyhow::Result<&'a str> {
    let (_, rest) = text
        .split_once(before)
        .with_context(|| format!("no {before} in {text}"))?;
    let (found, _) = rest
        .split_once(after)
        .with_context(|| format!("no {after} in {rest}"))?;
    Ok(found)
}
