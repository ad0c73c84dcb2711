//! The files of the page, which are part of the program.

use axum::http::header;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use crate::api::problem;

/// A file of the page.
pub(crate) struct Asset {
    form: &'static str,
    text: &'static str,
}

macro_rules! assets {
    ($($path:literal => $form:literal, $file:literal;)*) => {
        /// The file at a path, which must be exactly one of the list.
        pub(crate) fn asset(path: &str) -> Option<Asset> {
            match path {
                $($path => Some(Asset { form: $form, text: include_str!(concat!("../page/", $file)) }),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const PATHS: &[&str] = &[$($path,)*];
    };
}

assets! {
    "/" => "text/html; charset=utf-8", "index.html";
    "/style.css" => "text/css; charset=utf-8", "style.css";
    "/icon.svg" => "image/svg+xml", "icon.svg";
    "/app.js" => "text/javascript; charset=utf-8", "app.js";
    "/api.js" => "text/javascript; charset=utf-8", "api.js";
    "/elements.js" => "text/javascript; charset=utf-8", "elements.js";
    "/figures.js" => "text/javascript; charset=utf-8", "figures.js";
    "/chart.js" => "text/javascript; charset=utf-8", "chart.js";
    "/table.js" => "text/javascript; charset=utf-8", "table.js";
    "/changes.js" => "text/javascript; charset=utf-8", "changes.js";
    "/views/overview.js" => "text/javascript; charset=utf-8", "views/overview.js";
    "/views/database.js" => "text/javascript; charset=utf-8", "views/database.js";
    "/views/batches.js" => "text/javascript; charset=utf-8", "views/batches.js";
    "/views/batch.js" => "text/javascript; charset=utf-8", "views/batch.js";
    "/views/workers.js" => "text/javascript; charset=utf-8", "views/workers.js";
    "/views/tasks.js" => "text/javascript; charset=utf-8", "views/tasks.js";
    "/views/doctor.js" => "text/javascript; charset=utf-8", "views/doctor.js";
    "/views/plans.js" => "text/javascript; charset=utf-8", "views/plans.js";
    "/views/documents.js" => "text/javascript; charset=utf-8", "views/documents.js";
    "/views/changes.js" => "text/javascript; charset=utf-8", "views/changes.js";
}

/// Answers with a file of the page, or that there is none.
pub(crate) async fn page(uri: Uri) -> Response {
    match asset(uri.path()) {
        Some(Asset { form, text }) => ([(header::CONTENT_TYPE, form)], text).into_response(),
        None => problem(StatusCode::NOT_FOUND, "there is nothing at this path").into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most that the page may weigh, as it is sent.
    const MOST: usize = 250 * 1024;

    #[test]
    fn the_page_is_small_and_asks_nobody_else() {
        let files = PATHS.iter().map(|path| (path, asset(path).unwrap().text));
        let mut all = 0;
        for (path, text) in files {
            all += text.len();
            let own = text.replace("http://www.w3.org/2000/svg", "");
            for other in ["http://", "https://", "//cdn", "@import", "eval(", "innerHTML"] {
                assert!(!own.contains(other), "{path} has {other}");
            }
        }
        assert!(all <= MOST, "{all} bytes");
    }

    #[test]
    fn every_script_that_is_imported_is_served() {
        for path in PATHS.iter().filter(|path| path.ends_with(".js")) {
            let text = asset(path).unwrap().text;
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let (_, from) = line.split_once(" from \"").unwrap();
                let file = from.trim_end_matches("\";");
                assert!(PATHS.contains(&file), "{path} imports {file}");
            }
        }
    }
}
