//! A real browser: Chromium, driven over `WebDriver`.
//!
//! Owns the driver process, the browser's throw-away profile and the waiting. Every wait ends when the page says so, or
//! fails the test after [`PATIENCE`]. Refuses to know any page.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::environment;

/// How long a page may take before the test fails. Nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// How often the page is asked while waiting.
const POLL: Duration = Duration::from_millis(50);

/// Flags for a browser that needs no screen, asks nobody anything, and calls nobody by itself.
const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
];

/// One browser with an empty profile. Dropping it ends its processes and deletes the profile.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

impl Browser {
    /// Starts a browser, or says on stderr why the test is skipped and returns `None`.
    ///
    /// # Panics
    /// When there is no chromedriver and `CI` is set: there, nothing is skipped in silence.
    pub(crate) async fn start() -> Option<Self> {
        let driver = Driver::start(&environment::chromedriver()?);
        let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
        flags.push(format!(
            "--user-data-dir={}",
            driver.profile.path().display()
        ));
        let options = json!({ "goog:chromeOptions": { "args": flags } });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(options.as_object().expect("an object").clone())
            .connect(&driver.url())
            .await
            .expect("Chromium starts");
        Some(Self { client, driver })
    }

    /// Opens a page and waits until it has loaded.
    pub(crate) async fn goto(&self, url: &str) {
        let opened = self.client.goto(url).await;
        opened.unwrap_or_else(|error| panic!("{url} did not open: {error}"));
    }

    /// Waits until an element matches the CSS selector.
    pub(crate) async fn wait_for(&self, selector: &str) -> Element {
        let wait = self.client.wait().at_most(PATIENCE).every(POLL);
        match wait.for_element(Locator::Css(selector)).await {
            Ok(element) => element,
            Err(error) => panic!(
                "`{selector}` did not appear: {error}\n{}",
                self.page().await
            ),
        }
    }

    /// Clicks the element; a click that leads to another page returns once that page is loading.
    pub(crate) async fn click(&self, selector: &str) {
        let clicked = self.wait_for(selector).await.click().await;
        clicked.unwrap_or_else(|error| panic!("`{selector}` cannot be clicked: {error}"));
    }

    /// Types into a field.
    pub(crate) async fn fill(&self, selector: &str, text: &str) {
        let typed = self.wait_for(selector).await.send_keys(text).await;
        typed.unwrap_or_else(|error| panic!("`{selector}` takes no text: {error}"));
    }

    /// The text of the element as a person sees it.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let text = self.wait_for(selector).await.text().await;
        text.unwrap_or_else(|error| panic!("`{selector}` has no text: {error}"))
    }

    /// Where the browser is.
    pub(crate) async fn url(&self) -> Url {
        self.client
            .current_url()
            .await
            .expect("the browser is somewhere")
    }

    /// Writes what is seen to `path`, as PNG.
    pub(crate) async fn screenshot(&self, path: &Path) {
        let image = self.client.screenshot().await.expect("a picture");
        std::fs::write(path, image).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The address and the source of the page, for messages.
    async fn page(&self) -> String {
        let url = self.client.current_url().await.map(String::from);
        let source = self.client.source().await;
        format!("at {url:?}:\n{}", source.unwrap_or_default())
    }
}

/// A chromedriver process on a port of its own.
struct Driver {
    process: Child,
    port: u16,
    profile: TempDir,
}

impl Driver {
    fn start(program: &Path) -> Self {
        let mut process = Command::new(program)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{} does not start: {error}", program.display()));
        let output = process.stdout.take().expect("a pipe");
        let port = BufReader::new(output)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| port_in(&line))
            .expect("chromedriver names its port");
        let profile = tempfile::tempdir().expect("a folder for the profile");
        Self {
            process,
            port,
            profile,
        }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Asks the driver to end its browser and itself.
    fn shut_down(&self) -> std::io::Result<()> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\r\n",
            self.port
        )?;
        stream.read_to_end(&mut Vec::new()).map(drop)
    }
}

/// Reads the port in "`ChromeDriver` was started successfully on port 36573."
fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.shut_down().is_err() {
            // It no longer answers: what it leaves behind is ended by force.
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The greeting appears after the click has returned: it must be waited for.
    const PAGE: &str = r"<input id=name><button id=greet>Greet</button><script>
        greet.onclick = () => setTimeout(() => {
            const answer = document.createElement('p');
            answer.id = 'greeting';
            answer.textContent = 'Hello, ' + document.getElementById('name').value;
            document.body.append(answer);
        }, 100);
    </script>";

    #[tokio::test]
    async fn a_person_fills_a_form_and_sees_the_answer() {
        let Some(browser) = Browser::start().await else {
            return;
        };
        browser.goto(&format!("data:text/html,{PAGE}")).await;
        browser.fill("#name", "Ana").await;
        browser.click("#greet").await;
        assert_eq!(browser.text("#greeting").await, "Hello, Ana");
        assert_eq!(browser.url().await.scheme(), "data");

        let folder = tempfile::tempdir().expect("a folder");
        let picture = folder.path().join("greeting.png");
        browser.screenshot(&picture).await;
        let bytes = std::fs::read(&picture).expect("the picture");
        assert_eq!(&bytes[1..4], b"PNG");
    }

    #[tokio::test]
    async fn the_browser_ends_with_its_owner() {
        let Some(browser) = Browser::start().await else {
            return;
        };
        let profile = browser.driver.profile.path().display().to_string();
        assert!(!processes_with(&profile).is_empty());
        drop(browser);
        assert_eq!(processes_with(&profile), Vec::<String>::new());
    }

    /// The command lines, of all that run, in which `text` occurs.
    fn processes_with(text: &str) -> Vec<String> {
        let entries = std::fs::read_dir("/proc").expect("Linux").flatten();
        entries
            .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(text))
            .collect()
    }
}
