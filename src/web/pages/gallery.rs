//! Every page with made-up content, for looking at and for tests that hold for all of them.

use super::{
    ConnectPage, ConnectedPage, ConnectionsPage, ContinuePage, DisconnectPage, DisconnectedPage,
    ErrorPage, SignInPage,
};

/// Every sample of every page, as a name and the page.
///
/// # Errors
/// Those of rendering: a page that askama cannot write.
pub fn gallery() -> Result<Vec<(String, String)>, askama::Error> {
    let mut pages = Vec::new();
    let mut add = |name: &str, page: &dyn askama::DynTemplate| {
        page.dyn_render()
            .map(|html| pages.push((name.to_owned(), html)))
    };
    add("connections", &ConnectionsPage::sample())?;
    add(
        "connections-none",
        &ConnectionsPage::sample_without_services(),
    )?;
    add(
        "connections-unmatched",
        &ConnectionsPage::sample_without_match(),
    )?;
    add("connect", &ConnectPage::sample())?;
    add("connect-again", &ConnectPage::sample_reconnect())?;
    add("continue", &ContinuePage::sample())?;
    add("connected", &ConnectedPage::sample())?;
    add("connected-with-less", &ConnectedPage::sample_with_less())?;
    add("disconnect", &DisconnectPage::sample())?;
    add(
        "disconnect-unsupported",
        &DisconnectPage::sample_unsupported(),
    )?;
    add("disconnected", &DisconnectedPage::sample())?;
    add("disconnected-pending", &DisconnectedPage::sample_pending())?;
    add(
        "disconnected-unsupported",
        &DisconnectedPage::sample_unsupported(),
    )?;
    add("disconnected-gave-up", &DisconnectedPage::sample_gave_up())?;
    add("sign-in", &SignInPage::sample())?;
    add("sign-in-demo", &SignInPage::sample_demo())?;
    for (name, page) in ErrorPage::samples() {
        add(&format!("error-{name}"), &page)?;
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zz_dump() {
        std::fs::create_dir_all("/tmp/gal").unwrap();
        for (name, html) in gallery().unwrap() {
            std::fs::write(format!("/tmp/gal/{name}.html"), html).unwrap();
        }
    }
}
